"""How near completions are to the original picture, value by value: PSNR, SSIM, MAE, RMSE.

All take uint8 images as a person sees them. An image with many plausible completions is not missed
by a good model alone: these figures favour blurred means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.data.image_set import counted
from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import Strata, over_images
from inpaint_cli.metrics.metric import (
    Chosen,
    Figures,
    Line,
    MeasuredCase,
    Metric,
    Results,
    mean_line,
)

if TYPE_CHECKING:
    from inpaint_cli.metrics.instruments import Instruments
    from inpaint_cli.metrics.targets import Target

CAP_DB = 100.0
"""What a perfect copy counts in a mean of PSNR, which would be infinite otherwise."""

WINDOW_PX = 11
"""Side of SSIM's Gaussian window: 3.5 standard deviations of 1.5 pixels each way."""

_Array = npt.NDArray[Any]


class Errors:
    """Mean squared and mean absolute errors [K] in grey levels, of all and of hidden values."""

    def __init__(self, truth: _Array, images: _Array, hidden: _Array) -> None:
        self.hidden, rows = int(hidden.sum()), []
        for image in images:
            error = image.astype(np.float64) - truth  # integers below 2^53: their sums are exact
            sums = np.array([(e @ e, np.abs(e).sum()) for e in (error.ravel(), error[hidden])])
            rows.append(sums / np.array([[truth.size], [max(self.hidden, 1)]]))
        table = np.stack(rows)  # [K, whole or hole, squared or absolute]
        self.squared, self.absolute = table[:, :, 0].T, table[:, :, 1].T


def arrays_of(case: MeasuredCase) -> tuple[_Array, _Array, _Array]:
    """Return truth [C, H, W], completions [K, C, H, W] and their mean image, not rounded."""
    truth, completions = case.truth.cpu().numpy(), case.completions.cpu().numpy()
    return truth, completions, completions.mean(0, dtype=np.float64)


def errors_of(case: MeasuredCase) -> tuple[Errors, Errors]:
    """Return the errors of the completions, and those of their mean image."""
    truth, completions, mean = case.once(arrays_of)
    hidden = np.broadcast_to(~case.visible.cpu().numpy(), truth.shape)
    return Errors(truth, completions, hidden), Errors(truth, mean[None], hidden)


def psnr_of(squared_error: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error, in decibels.

    >>> psnr_of(255**2), psnr_of(0)
    (0.0, inf)
    """
    if squared_error == 0:
        return float("inf")
    return float(10 * np.log10(255**2 / squared_error))


def ssim(truth: _Array, image: _Array) -> float:
    """Return the structural similarity of two images [C, H, W] of levels 0..255 (Wang et al. 2004).

    Gaussian windows that lie inside the image, population moments, mean over the channels: the form
    of the papers' code.
    """
    x, y = (side.astype(np.float64) for side in (truth, image))
    mean_x, mean_y, xx, yy, xy = (_blurred(values) for values in (x, y, x * x, y * y, x * y))
    variances = (xx - mean_x**2) + (yy - mean_y**2)
    luminance = (2 * mean_x * mean_y + (0.01 * 255) ** 2) / (
        mean_x**2 + mean_y**2 + (0.01 * 255) ** 2
    )
    structure = (2 * (xy - mean_x * mean_y) + (0.03 * 255) ** 2) / (variances + (0.03 * 255) ** 2)
    return float((luminance * structure).mean())


def _blurred(values: _Array) -> _Array:
    """Return the Gaussian means of [C, H, W], where the window lies inside."""
    import cv2

    edge = WINDOW_PX // 2
    blurred = [cv2.GaussianBlur(plane, (WINDOW_PX, WINDOW_PX), 1.5) for plane in values]
    return np.stack(blurred)[:, edge:-edge, edge:-edge]


class PictureMetric(Metric):
    """A figure of completions beside their original: the mean over K, the best, the mean image."""

    by_default = True

    def lines(self, results: Results) -> Iterator[Line]:
        oracle = ("the oracle's choice of K, which grows with K",)
        k = results.k
        for base, where in ((self.name, "all pixels"), (f"{self.name}-hole", "hidden pixels")):
            if base not in results.columns.figures:
                continue
            over = "" if k == 1 else f", mean over {k}"
            yield mean_line(self, results, base, where + over)
            if k > 1:
                best, variant = f"{base} best of {k} (oracle)", f"{where}, best of {k} (oracle)"
                yield mean_line(self, results, f"{base}-best", variant, label=best, warnings=oracle)
                label, variant = f"{base} of mean image", f"{where}, of the mean image"
                yield mean_line(
                    self, results, f"{base}-of-mean", variant, label=label, depends_on_k=True
                )

    def columns(self, errors: Errors) -> list[str]:
        """Return the columns of all pixels, and of the hidden ones where there are any."""
        return [self.name, f"{self.name}-hole"][: 2 if errors.hidden else 1]

    def summed_up(
        self, column: str, values: Sequence[float] | _Array, best: Any, of_mean: Any
    ) -> Figures:
        """Return the figures of one image: the mean, the best one's, the mean image's."""
        return {
            column: float(np.mean(values)),
            f"{column}-best": float(best),
            f"{column}-of-mean": float(of_mean),
        }


class Psnr(PictureMetric):
    """Peak signal-to-noise ratio; `...-infinite` is the share that was infinite: without error."""

    name = "psnr"
    summary = "peak signal-to-noise ratio; hole only, best of K, mean image"
    better = "higher"
    digits, unit = 2, "dB"

    def figures(self, case: MeasuredCase) -> Figures:
        each, of_mean = case.once(errors_of)
        figures: Figures = {}
        for place, column in enumerate(self.columns(each)):
            of_each = np.array([psnr_of(float(error)) for error in each.squared[place]])
            parts = (of_each, of_each.max(), np.array(psnr_of(float(of_mean.squared[place][0]))))
            figures |= self.summed_up(column, *(_capped(part) for part in parts))
            infinite = self.summed_up(column, *(np.isinf(part) for part in parts))
            figures |= {f"{name}-infinite": share for name, share in infinite.items()}
        return figures

    def lines(self, results: Results) -> Iterator[Line]:
        for line in super().lines(results):
            yield self._told(line, results)

    def _told(self, line: Line, results: Results) -> Line:
        """Return a line that is infinite if all are copies, and else says how many count as cap."""
        column = str(line.column)

        def compute(chosen: Chosen) -> Estimate:
            plain, (values, strata) = line.compute(chosen), results.sample(column, chosen)
            infinite = results.column(f"{column}-infinite", chosen)
            count = {"n_infinite": int((infinite > 0).sum())} if column == self.name else {}
            estimate = psnr_estimate(values, infinite, strata)
            return replace(
                estimate,
                k=results.k,
                parameters={"cap_db": 100},
                entries=count,
                warnings=(*plain.warnings, *estimate.warnings),
            )

        return replace(line, compute=compute)


def _capped(values: _Array) -> _Array:
    """Return what counts in a mean: infinite values as the cap, all others as they are."""
    return np.where(np.isinf(values), CAP_DB, values)


def psnr_estimate(values: _Array, infinite: _Array, strata: Strata = None) -> Estimate:
    """Return PSNR over the images: infinite if all completions are perfect.

    Otherwise perfect copies count as 100 dB, and a warning tells how many there are.
    """
    if bool((infinite == 1).all()):
        return over_images(np.full(len(values), np.inf))
    copies = int((infinite > 0).sum())
    warning = (
        f"{counted(copies, 'image')} {'has' if copies == 1 else 'have'} completions that equal the "
        f"original; each counts as {CAP_DB:.0f} dB"
    )
    return over_images(values, warnings=[warning] if copies else [], strata=strata)


class Ssim(PictureMetric):
    """Structural similarity; of the whole picture alone."""

    name = "ssim"
    summary = "structural similarity (Gaussian window of 11)"
    better = "higher"

    def refusal(self, target: Target, instruments: Instruments) -> Refused | None:
        side = min(target.setting.height, target.setting.width)
        if side < WINDOW_PX:
            return Refused(
                f"images {side} pixels across are smaller than its window of {WINDOW_PX}"
            )
        return super().refusal(target, instruments)

    def figures(self, case: MeasuredCase) -> Figures:
        truth, completions, mean = case.once(arrays_of)
        values = [ssim(truth, image) for image in completions]
        return self.summed_up("ssim", values, max(values), ssim(truth, mean))


class ErrorMetric(PictureMetric):
    """A mean error in [0, 1], of all and of hidden pixels."""

    def of(self, errors: Errors) -> _Array:
        """Return the error of each image, [whole or hole, K]."""
        raise NotImplementedError

    def figures(self, case: MeasuredCase) -> Figures:
        each, of_mean = case.once(errors_of)
        figures: Figures = {}
        for place, column in enumerate(self.columns(each)):
            values, mean_image = self.of(each)[place], self.of(of_mean)[place][0]
            figures |= self.summed_up(column, values, values.min(), mean_image)
        return figures


class Mae(ErrorMetric):
    """Mean absolute error in [0, 1]."""

    name = "mae"
    summary = "mean absolute error in 0..1; hole only, best of K, mean image"

    def of(self, errors: Errors) -> _Array:
        return errors.absolute / 255


class Rmse(ErrorMetric):
    """Root of the mean squared error in [0, 1], of each completion by itself."""

    name = "rmse"
    summary = "root mean square error in 0..1; hole only, best of K, mean image"
    by_default = False

    def of(self, errors: Errors) -> _Array:
        return np.asarray(np.sqrt(errors.squared) / 255)


METRICS = {one.name: one for one in (Psnr(), Ssim(), Mae(), Rmse())}
