"""How near completions are to the original picture, value by value: PSNR, SSIM, MAE.

All take uint8 images as a person sees them. An image with many plausible completions is not missed
by a good model alone: these figures favour blurred means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics.intervals import over_images
from inpaint_cli.metrics.state import Estimate, Refused

if TYPE_CHECKING:
    from torch import Tensor

METRICS = ("psnr", "ssim", "mae")

CAP_DB = 100.0
"""What a perfect copy counts in a mean of PSNR, which would be infinite otherwise."""

WINDOW_PX = 11
"""Side of SSIM's Gaussian window: 3.5 standard deviations of 1.5 pixels each way."""

_Array = npt.NDArray[Any]


def image_scores(
    truth: Tensor, completions: Tensor, visible: Tensor, metrics: Collection[str] = METRICS
) -> dict[str, float]:
    """Gives the figures of one image, by name; a figure that it does not have is left out.

    truth: uint8 [C, H, W]; completions: uint8 [K, C, H, W]; visible: bool [1, H, W]. A plain name
    is the mean over the completions, `-best` the best one's (an oracle's choice that grows with K),
    `-of-mean` that of their mean image, `-hole` that over the hidden values alone. PSNR is in
    decibels, capped; `psnr-infinite` is the share of completions that equal the truth. MAE is in
    [0, 1]. Refused where SSIM is asked for and the image is smaller than its window.
    """
    x, all_y = truth.cpu().numpy(), completions.cpu().numpy()
    if all_y.shape[1:] != x.shape:
        raise Refused(f"completions of shape {all_y.shape[1:]} for an image of shape {x.shape}.")
    hidden = np.broadcast_to(~visible.cpu().numpy(), x.shape)
    mean = all_y.mean(0, dtype=np.float64)
    errors = _Errors.of(x, all_y, hidden), _Errors.of(x, mean[None], hidden)
    found: dict[str, float] = {}
    if "psnr" in metrics:
        found |= _psnr_figures(*errors)
    if "mae" in metrics:
        found |= _mae_figures(*errors)
    if "ssim" in metrics:
        values = [ssim(x, y) for y in all_y]
        found |= _figures("ssim", values, max(values), ssim(x, mean))
    return found


class _Errors:
    """Mean squared and mean absolute errors [K] in grey levels, of all and of hidden values."""

    def __init__(self, squared: _Array, absolute: _Array, hidden: int) -> None:
        self.squared, self.absolute, self.hidden = squared, absolute, hidden

    @classmethod
    def of(cls, truth: _Array, images: _Array, hidden: _Array) -> _Errors:
        count, rows = int(hidden.sum()), []
        for image in images:
            error = image.astype(np.float64) - truth  # integers below 2^53: their sums are exact
            inside = error[hidden]
            sums = np.array([(e @ e, np.abs(e).sum()) for e in (error.ravel(), inside)])
            rows.append(sums / np.array([[truth.size], [max(count, 1)]]))
        table = np.stack(rows)  # [K, whole or hole, squared or absolute]
        return cls(table[:, :, 0].T, table[:, :, 1].T, count)


def _psnr_figures(each: _Errors, of_mean: _Errors) -> dict[str, float]:
    found = _figures("psnr", *_psnr_summary(each.squared[0], of_mean.squared[0]))
    found["psnr-infinite"] = float(np.mean(each.squared[0] == 0))
    if each.hidden:
        found |= _figures("psnr-hole", *_psnr_summary(each.squared[1], of_mean.squared[1]))
    return found


def _psnr_summary(squared: _Array, of_mean: _Array) -> tuple[list[float], float, float]:
    values = [min(psnr_of(float(error)), CAP_DB) for error in squared]
    return values, max(values), min(psnr_of(float(of_mean[0])), CAP_DB)


def _mae_figures(each: _Errors, of_mean: _Errors) -> dict[str, float]:
    found: dict[str, float] = {}
    for index, name in enumerate(["mae", "mae-hole"][: 2 if each.hidden else 1]):
        values = each.absolute[index] / 255
        found |= _figures(name, values, values.min(), of_mean.absolute[index][0] / 255)
    return found


def _figures(
    name: str, values: Sequence[float] | _Array, best: float, of_mean: float
) -> dict[str, float]:
    return {
        name: float(np.mean(values)),
        f"{name}-best": float(best),
        f"{name}-of-mean": float(of_mean),
    }


def psnr_of(squared_error: float) -> float:
    """Gives the peak signal-to-noise ratio of a mean squared error, in decibels.

    >>> psnr_of(255**2), psnr_of(0)
    (0.0, inf)
    """
    if squared_error == 0:
        return float("inf")
    return float(10 * np.log10(255**2 / squared_error))


def ssim(truth: _Array, image: _Array) -> float:
    """Gives the structural similarity of two images [C, H, W] of levels 0..255 (Wang et al. 2004).

    Gaussian windows that lie inside the image, population moments, mean over the channels: the form
    of the papers' code, which is not the library's default.
    """
    if min(truth.shape[-2:]) < WINDOW_PX:
        height, width = truth.shape[-2:]
        raise Refused(
            f"ssim: images of {width}x{height} pixels are smaller than its window of "
            f"{WINDOW_PX}x{WINDOW_PX}."
        )
    try:
        from skimage.metrics import structural_similarity
    # Whatever breaks inside an optional package must not break more than what needs it.
    except Exception as error:
        raise Refused(
            "ssim: needs scikit-image, which does not load here "
            f"({str(error).partition(chr(10))[0]}). Install it with: pip install scikit-image"
        ) from error
    compare: Any = structural_similarity  # scikit-image describes no types of it
    value = compare(
        truth.astype(np.float64),
        image.astype(np.float64),
        channel_axis=0,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)


def psnr_estimate(columns: Mapping[str, _Array], name: str = "psnr") -> Estimate:
    """Gives PSNR over the images from the columns of `image_scores`: infinite if all are perfect.

    Otherwise perfect copies count as 100 dB, and a warning says how many there are.
    """
    values, perfect = np.asarray(columns[name]), np.asarray(columns["psnr-infinite"])
    if bool((perfect == 1).all()):
        return over_images(np.full(len(values), np.inf))
    copies = int((perfect > 0).sum())
    warning = (
        f"{copies} images have completions that equal the original; each counts as {CAP_DB:.0f} dB"
    )
    return over_images(values, warnings=[warning] if copies else [])
