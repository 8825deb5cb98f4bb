"""The Python API, which the command line uses: load a model, complete, score, and the like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli import zoo
from inpaint_cli.bounds import LARGEST_SIDE, MOST_MASKS
from inpaint_cli.contestants import (
    ALL,
    contestant,
    contestant_of,
    every_model,
    name_of,
    score_order,
)
from inpaint_cli.errors import UserError
from inpaint_cli.loaded_model import LoadedModel, load_model
from inpaint_cli.masks import draw
from inpaint_cli.parsing import telling_long_names
from inpaint_cli.photos.arguments import ImageSource, photo_of, whole
from inpaint_cli.photos.family_options import checked_options
from inpaint_cli.photos.returned import CompletionResult

if TYPE_CHECKING:
    from inpaint_cli.metrics.targets import Contestant
    from inpaint_cli.photos.calibration import Calibration, SpreadKind
    from inpaint_cli.posterior.design_pictures import DesignedPhoto
    from inpaint_cli.reporting import Reporter

__all__ = [
    "ALL",
    "LoadedModel",
    "calibrate",
    "checked_options",
    "complete",
    "contestant",
    "contestant_of",
    "design",
    "design_table",
    "draw_masks",
    "every_model",
    "load_model",
    "score",
    "score_order",
]

MOST_MASK_BYTES = 1 << 33
"""Of masks drawn at once, a byte a pixel."""


def complete(
    image: ImageSource,
    mask: ImageSource | None = None,
    *,
    model: str | Path | LoadedModel = zoo.DEFAULT,
    **options: Any,
) -> CompletionResult:
    """Complete one image with a model, loaded for it or before (see `LoadedModel.complete`)."""
    loaded = model if isinstance(model, LoadedModel) else load_model(model)
    return loaded.complete(image, mask, **options)


@telling_long_names
def score(
    models: Any = None,
    *,
    reporter: Reporter | None = None,
    exec_timeout: float | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Score models or folders of pictures; return a report each, as `inpaint score --json` does.

    models: a name, a path, "exec:COMMAND", or an object with `complete(image, visible, noise)`
    (docs/comparing.md), or a list of such; None = the default model, where no folders are given.
    options: those of the command by name, such as metrics="kid,lpips-gt", data="mnist", k=10,
    limit=100, by_visible=True, masks="freeform@mixture" or a list of kinds;
    folders=["results"] with reference="originals" instead of models.
    What cannot be computed stands in a report's "refused". UserError for what means nothing.
    """
    from inpaint_cli.metrics.score import run
    from inpaint_cli.reporting import Reporter

    asked = zoo.DEFAULT if models is None else models
    given = list(asked) if isinstance(asked, list | tuple) else [asked]
    objects = {name_of(one): one for one in given if not isinstance(one, str | Path)}
    names = [str(one) if isinstance(one, str | Path) else name_of(one) for one in given]
    order = score_order(names, **options)
    if models is not None and given and order.files.folders:
        raise UserError("a folder is scored as it is. Give models or folders.", setting="models")
    names += every_model(options.get("size")) if ALL in names else []
    if twice := [name for name in objects if names.count(name) > 1]:
        raise UserError(
            f"two are called '{twice[0]}', which tables and reports tell apart by name. Give each "
            "object an attribute 'name' of its own.",
            setting="models",
        )

    def load(name: str, device: str) -> Contestant:
        if name in objects:
            return contestant_of(objects[name])
        return contestant(name, device, exec_timeout)

    return run(order, load, reporter or Reporter(quiet=True))


@telling_long_names
def calibrate(
    model: str | Path = zoo.DEFAULT,
    *,
    level: float = 90.0,
    spread: SpreadKind = "deviation",
    device: str = "auto",
    reporter: Reporter | None = None,
    **options: Any,
) -> Calibration:
    """Find how wide intervals must be to hold, on pictures whose truth is known.

    level: percent of the hidden values inside, on average over pictures. options: data (needed),
    split="validation", masks, k=8, by_visible, limit, seed, temperature, download. The result goes
    to `LoadedModel.complete(..., calibration=...)`, or to a file with
    `inpaint_cli.photos.calibration.save`. UserError for what means nothing, and for too few
    pictures.
    """
    from inpaint_cli.metrics.options import completion_options
    from inpaint_cli.posterior import calibrating
    from inpaint_cli.reporting import Reporter

    completed = completion_options({"split": "validation", "k": 8, **options})
    order = calibrating.CalibrationOrder(str(model), completed, level, spread, device)
    return calibrating.calibrate(order, contestant, reporter or Reporter(quiet=True))


@telling_long_names
def design(
    image: ImageSource,
    *,
    model: str | Path,
    classifier: str | Path,
    reporter: Reporter | None = None,
    **options: Any,
) -> DesignedPhoto:
    """Look at one image place by place, each time where most is expected to be learned.

    classifier: one of partly hidden images. options: estimator="eig", steps=5, n=10, images, grid,
    patch="25%", start="nothing", target, data, seed, download, device. The result has `steps`,
    `corners`, `eig`, `ig`, `probabilities`, `sheet()` and `save(folder, stem)`.
    """
    from inpaint_cli.posterior.design_pictures import design_photo
    from inpaint_cli.posterior.designing import order_of, prepare
    from inpaint_cli.reporting import Reporter

    order = order_of(model, classifier, options)
    if len(order.estimators) > 1:
        raise UserError("one image is looked at in one way. Give one.", setting="estimator")
    if order.cross:
        raise UserError("belongs to data sets; one image has one target.", setting="cross")
    photo, _ = photo_of(image)
    bench = prepare(order, contestant, reporter or Reporter(quiet=True))
    name = Path(image).name if isinstance(image, str | Path) else ""
    return design_photo(bench, photo, name)


@telling_long_names
def design_table(
    data: str | Path | Sequence[str | Path],
    *,
    model: str | Path,
    classifier: str | Path,
    reporter: Reporter | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Look at the images of a data set; return accuracy, NLL and AUROC after each look.

    options: those of `design`, where estimator may be several that are compared with the first in
    pairs; cross=["a", "b"], labels in place of target; split="test", limit. The result is what
    `inpaint design --data ... --json` prints.
    """
    from inpaint_cli.posterior.design_cross import report
    from inpaint_cli.posterior.designing import order_of
    from inpaint_cli.reporting import Reporter

    order = order_of(model, classifier, {"data": data, **options})
    return report(order, contestant, reporter or Reporter(quiet=True))


def draw_masks(kind: str, n: int, size: int, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Draw n masks of a kind: bool [n, size, size], True = visible (`inpaint masks --help`).

    UserError for an unknown kind, and where no mask has a hole.

    >>> draw_masks("freeform", 2, 32).shape
    (2, 32, 32)
    """
    if not isinstance(kind, str):
        raise UserError(f"must be the name of a kind, got {repr(kind)[:60]}.", setting="kind")
    size, seed = whole(size, "size", 1, LARGEST_SIDE), whole(seed, "seed", 0)
    n = whole(n, "n", 1, min(MOST_MASKS, MOST_MASK_BYTES // size**2))
    masks = np.stack([draw(kind, size, size, seed=seed, index=index) for index in range(n)])
    if masks.all():
        from inpaint_cli.masks.sets import no_hole

        raise no_hole(kind, size, size)
    return masks
