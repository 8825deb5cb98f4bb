"""The Python API, which the command line uses: load a model, complete, score, and the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from inpaint_cli import models, zoo
from inpaint_cli.bounds import MOST_COMPLETIONS, MOST_MASKS
from inpaint_cli.device import for_method, resolve
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.family import Family, Model, Option, drawing_option, finished_stages, not_as_scored
from inpaint_cli.masks import draw
from inpaint_cli.models import external, installed
from inpaint_cli.models.deferred import DeferredModel
from inpaint_cli.photos.arguments import ImageSource, number, photo_of, visible_of, whole
from inpaint_cli.photos.completing import complete_photo
from inpaint_cli.photos.request import CONTEXT, CompletionRequest, DetailSource
from inpaint_cli.photos.returned import CompletionResult
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.weights import load_weights, read_config, read_header

if TYPE_CHECKING:
    import torch

    from inpaint_cli.metrics.score import ScoreOrder
    from inpaint_cli.metrics.targets import Contestant
    from inpaint_cli.photos.calibration import Calibration, SpreadKind
    from inpaint_cli.posterior.design_pictures import DesignedPhoto
    from inpaint_cli.reporting import Reporter

DEFAULT_N = 8
LARGEST_MASK = 16384
MOST_MASK_BYTES = 1 << 33
"""Of masks drawn at once, a byte a pixel."""
"""Pixels across of masks that `draw_masks` draws."""
COMMON = (
    "n",
    "seed",
    "temperature",
    "context",
    "feather",
    "detail",
    "calibration",
    "mask",
    "visible",
)
"""What `LoadedModel.complete` takes for every family."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to complete images of any size."""

    name: str
    family: Family
    model: Model
    device: torch.device | str
    """Where it computes; "auto" where that is decided when its weights are loaded."""
    weights_sha256: str | None = None
    """None for methods without weights."""
    note: str = ""
    """What a user should know of the weights: that their training is not finished."""

    def __repr__(self) -> str:
        # The default one would print every layer of the network.
        return f"LoadedModel({self.name!r}, family={self.family.name!r}, device='{self.device}')"

    def default_n(self, temperature: float | None = None) -> int:
        """Return how many completions are made by default: 1 if all would be equal."""
        return DEFAULT_N if self.model.stochastic and temperature != 0 else 1

    def complete(
        self,
        image: ImageSource,
        mask: ImageSource | None = None,
        *,
        visible: npt.NDArray[np.bool_] | None = None,
        n: int | None = None,
        seed: int = 0,
        temperature: float | None = None,
        context: float = CONTEXT,
        feather: float | None = None,
        detail: DetailSource | None = None,
        calibration: Calibration | str | Path | None = None,
        **options: Any,
    ) -> CompletionResult:
        """Complete the hidden part of one image n times (default: 8, or 1 if all would be equal).

        image: path, Pillow image, or uint8 array [H, W] or [H, W, C]. The hole: either `mask` (a
        path, Pillow image or array; white is filled in, of whatever range) or `visible` (bool
        [H, W], True = known); neither where an option of the family makes `image` a drawing.
        detail: "photo" = the fill is made of the photo's own texture, guided by the model's
        picture; "none" = the model's picture itself, enlarged.
        calibration: of this model, n and temperature (`inpaint_cli.calibrate`); the result then has
        `intervals`.
        options: of the family. UserError says what is wrong.
        """
        photo, flat = photo_of(image)
        request = CompletionRequest.of_family(
            self.family,
            checked_options(self.family, options, as_scored=calibration is not None),
            n=self.default_n(temperature) if n is None else whole(n, "n", most=MOST_COMPLETIONS),
            seed=whole(seed, "seed"),
            temperature=number(temperature, "temperature"),
            context=number(context, "context") if context is not None else CONTEXT,
            feather=number(feather, "feather"),
            detail=detail,
            intervals=calibration is not None,
        )
        chosen = self._calibration(calibration, request)
        if drawing := drawing_option(self.family.options, options):
            known = _nothing(mask, visible, photo, drawing)
        else:
            known = visible_of(mask, visible, photo)
        completed = complete_photo(photo, known, self.model, request)
        return CompletionResult.of(completed, flat, chosen)

    def reconstruct(self, image: ImageSource) -> CompletionResult:
        """Return what the model's autoencoder makes of a whole image, at the image's size.

        UserError where the model has none. The result's one image keeps no sample; its `notes` tell
        the PSNR at the model's size.
        """
        if why := self.model.no_reconstruction():
            raise UserError(f"{self.name} {why}", setting="reconstruct")
        photo, flat = photo_of(image)
        request = CompletionRequest.of_family(self.family, {}, reconstruct=True)
        hidden = np.zeros((photo.height, photo.width), np.bool_)
        return CompletionResult.of(complete_photo(photo, hidden, self.model, request), flat)

    def _calibration(
        self, given: Calibration | str | Path | None, request: CompletionRequest
    ) -> Calibration | None:
        from inpaint_cli.photos.calibration import Calibration, load

        if given is None:
            return None
        found = given if isinstance(given, Calibration) else load(Path(given))
        why = found.mismatch(
            self.name, self.weights_sha256, request.n, request.temperature
        ) or not_as_scored(self.family, request.options)
        if why:
            raise UserError(f"{why}.", setting="calibration")
        return found


def load_model(
    name_or_path: str | Path = zoo.DEFAULT,
    device: str = "auto",
    *,
    later: bool = False,
    exec_timeout: float | None = None,
) -> LoadedModel:
    """Load a model: a name of the zoo, a family, a run folder, a weight file, or "exec:COMMAND".

    device: "auto", "cpu", "cuda" or "mps". later: read its facts now and its weights when it draws
    for the first time, which is when torch is needed. exec_timeout: seconds that a command may take
    for one completion (600). UserError where there is no such model or
    device, and for files that are damaged or not ours; nothing in a file is ever executed.
    """
    name = str(name_or_path)
    if external.is_command(name):
        tool = external.ExternalTool(name, exec_timeout or external.TIMEOUT)
        return LoadedModel(name, external.ExternalFamily(tool), tool, for_method(device))
    source = zoo.find(name, for_completion=True)
    if isinstance(source, str):
        family = models.get(source)
        model = installed.guarded(family.build(next(iter(family.presets.values()))), source)
        return LoadedModel(name, family, model, for_method(device))
    # What is asked for by name is refused before anything is read, and found out with torch.
    place = resolve(device) if device != "auto" or not later else device
    digest = zoo.whole(source)
    header = read_header(source)
    if not models.get(header["family"]).completes:
        raise UserError(
            f"{name} is of the family '{header['family']}', which serves metrics and completes "
            "nothing. 'inpaint models' lists those that do.",
            setting="model",
        )
    family, config = models.get(header["family"]), read_config(header, source)

    def load() -> Model:
        network: Any = load_weights(source)
        network = installed.guarded(network, header["family"])
        return cast(Model, network.to(resolve(str(place))).eval())

    if name in models.FAMILIES:
        name = source.stem  # so that reports name the weights
    model = DeferredModel(family, config, load) if later else load()
    return LoadedModel(name, family, model, place, digest, unfinished(family, header))


def unfinished(family: Family, header: Mapping[str, str]) -> str:
    """Return a remark on what is not trained yet, by the header of a weight file; "" if all is."""
    if "in_progress" in header:
        return f"training not finished: stage '{header['in_progress']}', step {header['step']}"
    trained = header.get("stages", ",".join(family.stage_names)).split(",")
    if set(trained) >= set(family.stage_names):
        return ""
    finished = finished_stages(family, trained)
    missing = [stage for stage in family.stage_names if stage not in finished]
    return f"not trained yet: {', '.join(missing)}" if missing else ""


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


ALL = "all"
"""In place of a model's name in `score`: every method and model that ships of one size."""


def score(
    models: Any = zoo.DEFAULT,
    *,
    reporter: Reporter | None = None,
    exec_timeout: float | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Score models or folders of pictures; return a report each, as `inpaint score --json` does.

    models: a name, a path, "exec:COMMAND", or an object with `complete(image, visible, noise)`
    (docs/comparing.md), or a list of such.
    options: those of the command by name, such as metrics="kid,lpips-gt", data="mnist", k=10,
    limit=100, by_visible=True, masks="freeform@mixture" or a list of kinds;
    folders=["results"] with reference="originals" instead of models.
    What cannot be computed stands in a report's "refused". UserError for what means nothing.
    """
    from inpaint_cli.metrics.score import run
    from inpaint_cli.reporting import Reporter

    given = list(models) if isinstance(models, list | tuple) else [models]
    objects = {name_of(one): one for one in given if not isinstance(one, str | Path)}
    order = score_order(
        [str(one) if isinstance(one, str | Path) else name_of(one) for one in given], **options
    )

    def load(name: str, device: str) -> Contestant:
        if name in objects:
            return contestant_of(objects[name])
        return contestant(name, device, exec_timeout)

    return run(order, load, reporter or Reporter(quiet=True))


def name_of(model: Any) -> str:
    """Return what tables call an object that is scored."""
    return str(getattr(model, "name", type(model).__name__))


def score_order(models: Sequence[str], **options: Any) -> ScoreOrder:
    """Return what a score is asked for, "all" spelled out."""
    from inpaint_cli.metrics.score import order_of

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
        identity = tuple(model.identity())
        return Contestant(model.label, "exec", model, "cpu", None, model.command, identity)
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
    )


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
    from inpaint_cli.metrics.completion_options import completion_options
    from inpaint_cli.posterior import calibrating
    from inpaint_cli.reporting import Reporter

    completed = completion_options({"split": "validation", "k": 8, **options})
    order = calibrating.CalibrationOrder(str(model), completed, level, spread, device)
    return calibrating.calibrate(order, contestant, reporter or Reporter(quiet=True))


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

    >>> draw_masks("freeform", 2, 32).shape
    (2, 32, 32)
    """
    if not isinstance(kind, str):
        raise UserError(f"must be the name of a kind, got {repr(kind)[:60]}.", setting="kind")
    size, seed = whole(size, "size", 1, LARGEST_MASK), whole(seed, "seed", 0)
    n = whole(n, "n", 1, min(MOST_MASKS, MOST_MASK_BYTES // size**2))
    return np.stack([draw(kind, size, size, seed=seed, index=index) for index in range(n)])


def checked_options(
    family: Family, options: Mapping[str, Any], as_scored: bool = False
) -> dict[str, Any]:
    """Return options of a family, defaults left out; UserError for others and for odd values.

    as_scored: what is not given is as in `score`, and not as photos have it (`Option.of_photos`).
    """
    known = {option.parameter: option for option in family.options}
    for name, value in options.items():
        if name not in known:
            raise _not_its_option(family, name, known)
        _check_value(known[name], value)
    of_photos = {
        name: option.of_photos
        for name, option in known.items()
        if option.of_photos is not None and not as_scored and options.get(name) is None
    }
    given = {name: value for name, value in options.items() if name not in of_photos}
    return {n: value for n, value in given.items() if value != known[n].default} | of_photos


def _not_its_option(family: Family, name: str, known: Mapping[str, Option]) -> UserError:
    others = [
        other
        for other in models.usable()
        if any(option.parameter == name for option in models.get(other).options)
    ]
    if others:
        return UserError(f"an option of {', '.join(others)}, not of {family.name}.", setting=name)
    return unknown_name(f"{family.name}: no option", name, [*known, *COMMON])


def _check_value(option: Option, value: Any) -> None:
    if value is None:
        return
    _check_type(option, value)
    if option.choices and value not in option.choices:
        raise UserError(
            f"must be one of {', '.join(option.choices)}, got {value}.", setting=option.parameter
        )
    low, high = option.minimum, option.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        limits = [f"at least {low}"] * (low is not None) + [f"at most {high}"] * (high is not None)
        raise UserError(f"must be {' and '.join(limits)}, got {value}.", setting=option.parameter)


def _check_type(option: Option, value: Any) -> None:
    if option.type is int:
        whole(value, option.parameter)
    elif option.type is float:
        number(value, option.parameter)
    elif option.type in (bool, str) and not isinstance(value, option.type):
        word = "true or false" if option.type is bool else "a word"
        raise UserError(f"must be {word}, got {repr(value)[:60]}.", setting=option.parameter)


def _nothing(
    mask: ImageSource | None,
    visible: npt.NDArray[np.bool_] | None,
    photo: Picture,
    drawing: Option,
) -> npt.NDArray[np.bool_]:
    if mask is not None or visible is not None:
        raise UserError(
            f"{drawing.of_drawing}: everything is filled in. Leave out mask and visible.",
            setting=drawing.parameter,
        )
    return np.zeros((photo.height, photo.width), np.bool_)
