"""The Python API of `inpaint ood`: how usual an image is for a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from inpaint_cli.contestants import contestant, contestant_of
from inpaint_cli.loaded_model import LoadedModel, load_model
from inpaint_cli.parsing import telling_long_names
from inpaint_cli.photos.arguments import ImageSource, flag, names, path, photo_of, visible_of

if TYPE_CHECKING:
    from inpaint_cli.posterior.ood_judging import Judgement
    from inpaint_cli.posterior.ood_reference import Reference
    from inpaint_cli.reporting import Reporter


@telling_long_names
def ood(
    image: ImageSource,
    mask: ImageSource | None = None,
    *,
    model: str | Path | LoadedModel,
    visible: npt.NDArray[np.bool_] | None = None,
    reference: Reference | str | Path | None = None,
    statistic: Literal["gradient", "likelihood", "agreement"] | None = None,
    transform: Literal["log", "none"] | None = None,
) -> Judgement:
    """Say how usual one image is for a model: `p`, the share of usual ones that are no less odd.

    mask (white is left out) or visible (bool [H, W], True = known); neither = all of the image.
    reference: of `fit_ood`, its file, or None = the one that ships. transform: of the gradient;
    None = its logarithm. UserError says what is wrong.
    """
    from inpaint_cli.posterior import ood_judging
    from inpaint_cli.posterior.ood_reference import Reference
    from inpaint_cli.reporting import Reporter

    loaded = model if isinstance(model, LoadedModel) else load_model(model)
    who = contestant_of(loaded)
    if not isinstance(reference, Reference):
        file = None if reference is None else path(reference, "reference")
        reference = ood_judging.reference_of(who, file)
    reference.check(who)
    photo, _ = photo_of(image)
    everything = mask is None and visible is None
    known = None if everything else visible_of(mask, visible, photo)[0]
    name = str(image) if isinstance(image, str | Path) else "image"
    picture = ood_judging.prepared(name, photo, known, who)
    (judged,) = ood_judging.judge(
        [picture], who, reference, Reporter(quiet=True), statistic, transform
    )
    return judged


@telling_long_names
def fit_ood(
    model: str | Path,
    *,
    held_out: int = 1000,
    statistic: Literal["gradient", "likelihood", "agreement"] | None = None,
    passes: int = 4,
    form: Literal["analytic", "sampled"] = "analytic",
    fit: Literal["pooled", "by-visible"] = "pooled",
    device: str = "auto",
    reporter: Reporter | None = None,
    **options: Any,
) -> Reference:
    """Find what pictures a model is used to, for `ood` and `compare_ood`.

    options: data (needed: what it was trained on), limit=5000, masks (default: those of its
    training), seed, split="train", split_map, download. The result goes to a file with
    `inpaint_cli.posterior.ood_reference.save`. UserError for what means nothing.
    """
    from inpaint_cli.metrics.options import completion_options
    from inpaint_cli.posterior import ood_fit
    from inpaint_cli.reporting import Reporter

    masks = options.pop("masks", None)
    data = completion_options({"split": "train", "limit": 5000, **options})
    order = ood_fit.FitOrder(
        str(model), data, held_out, masks, statistic, passes, form, fit, device
    )
    return ood_fit.fit_reference(order, contestant, reporter or Reporter(quiet=True))


@telling_long_names
def compare_ood(
    model: str | Path,
    *,
    against: str | Sequence[str] = (),
    reference: str | Path | None = None,
    device: str = "auto",
    reporter: Reporter | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return how well a model tells held-out pictures from others, as `inpaint ood --json` does.

    against: data sets, folders, "noise,constant,flip,rotate,crop,translate". options: data
    (needed), split="test", limit=500, masks (default: those of the reference; "none"), by_visible,
    seed, split_map, download.
    """
    from inpaint_cli.metrics.options import completion_options
    from inpaint_cli.posterior import ood_comparing
    from inpaint_cli.reporting import Reporter

    masks, by_visible = (
        options.pop("masks", None),
        flag(options.pop("by_visible", False), "by_visible"),
    )
    order = ood_comparing.CompareOrder(
        str(model),
        completion_options(options),
        names(against, "against"),
        None if reference is None else path(reference, "reference"),
        masks,
        by_visible,
        device,
    )
    return ood_comparing.compare(order, contestant, reporter or Reporter(quiet=True))
