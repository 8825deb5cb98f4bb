"""What `score` and the like compare: models by name, commands, and objects of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inpaint_cli import models, zoo
from inpaint_cli.errors import UserError
from inpaint_cli.loaded_model import LoadedModel, load_model
from inpaint_cli.models import external
from inpaint_cli.weights import read_config, read_header

if TYPE_CHECKING:
    from inpaint_cli.metrics.options import ScoreOrder
    from inpaint_cli.metrics.targets import Contestant

ALL = "all"
"""In place of a model's name in `score`: every method and model that ships of one size."""


def name_of(model: Any) -> str:
    """Return what tables call an object that is scored."""
    return str(getattr(model, "name", type(model).__name__))


def score_order(models: Sequence[str], **options: Any) -> ScoreOrder:
    """Return what a score is asked for, "all" spelled out."""
    from inpaint_cli.metrics.options import order_of

    spelled = list[str]()
    for name in models:
        spelled += every_model(options.get("size")) if name == ALL else [name]
    return order_of(list(dict.fromkeys(spelled)), options)


def every_model(size: int | None = None) -> list[str]:
    """Return the methods without weights, and the models that ship of one size and colour.

    size: pixels across; None = the default model's. Where models of a size differ in colour, those
    for RGB are taken.
    """
    free = [n for n in models.OURS if not models.get(n).stage_names]
    trained = []
    for entry in zoo.entries():
        if models.get(entry.card["family"]).completes:
            config = read_config(read_header(entry.weights), entry.weights)
            trained.append((entry.name, config.size, config.channels))
    wanted = size or next((side for name, side, _ in trained if name == zoo.DEFAULT), None)
    same = [(name, channels) for name, side, channels in trained if side == wanted]
    colour = max((channels for _, channels in same), default=3)
    return free + [name for name, channels in same if channels == colour]


def contestant(name: str, device: str, exec_timeout: float | None = None) -> Contestant:
    """Load a model for `score`; exec_timeout: seconds that a command may take for a completion."""
    loaded = load_model(name, device, exec_timeout=exec_timeout)
    if isinstance(loaded.model, external.ExternalTool):
        return contestant_of(loaded.model)
    return contestant_of(loaded)


def contestant_of(model: Any) -> Contestant:
    """Return what `score` knows of a loaded model, a command, or any object with `complete`."""
    from inpaint_cli.metrics.targets import Contestant

    if isinstance(model, external.ExternalTool):
        return Contestant(model.label, "exec", model, "cpu", model.digest(), model.command)
    if isinstance(model, LoadedModel):
        return _contestant_of_loaded(model)
    from inpaint_cli.models.adapted import Adapted

    adapted = Adapted(model)
    digest = adapted.digest()
    device = next((p.device for p in adapted.parameters()), "cpu")
    identity = () if digest else tuple(adapted.identity())
    return Contestant(adapted.label, "object", adapted, device, digest, None, identity)


def _contestant_of_loaded(loaded: LoadedModel) -> Contestant:
    from inpaint_cli.metrics.targets import Contestant

    try:
        weights = zoo.find(loaded.name)
    except UserError:  # loaded in Python, of files that are gone
        weights = loaded.name
    return Contestant(
        loaded.name,
        loaded.family.name,
        loaded.model,
        loaded.device,
        loaded.weights_sha256,
        None if isinstance(weights, str) else weights.name,
        note=loaded.note,
    )
