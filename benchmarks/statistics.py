"""Whether the errors of `inpaint score` are true: intervals tested on samples of a population.

A method completes many pictures, which then stand for all there are. Samples of n, as many of each
range of the visible share, are drawn from them again and again, and each is scored as a report
would be. A nominal 90 % interval should hold the figure of the population 90 times in 100. Prints
Markdown tables.

    python -m benchmarks.statistics --model telea --data cifar10-jpeg.tar.gz --limit 2500
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from inpaint_cli import api
from inpaint_cli.errors import UserError
from inpaint_cli.metrics import score
from inpaint_cli.metrics.estimate import Estimate
from inpaint_cli.metrics.frechet import fid
from inpaint_cli.metrics.identity import margins_of_sets, p_ids, u_ids
from inpaint_cli.metrics.intervals import Strata, over_images
from inpaint_cli.metrics.kid import kid, mmd2
from inpaint_cli.metrics.metric import Columns
from inpaint_cli.metrics.protocol import BINS, bin_of
from inpaint_cli.reporting import Reporter

NOMINAL = 1.6448536269514722
"""Standard errors each way that hold 90 % of a normal distribution."""
MEANS = ("psnr", "ssim", "mae", "crps", "energy")
SIZES = (40, 200, 500)
"""Images of a sample."""

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Form = Callable[..., Estimate]


@dataclass(frozen=True)
class Trial:
    """What many samples of one size said."""

    values: Floats
    errors: Floats
    biases: Floats
    """NaN where a figure has none."""

    @property
    def mean(self) -> float:
        """The mean figure: what a sample of this size is expected to have."""
        return float(self.values.mean())

    @property
    def ratio(self) -> float:
        """The reported error, over the true spread of the figure."""
        return float(np.sqrt(np.mean(self.errors**2)) / self.values.std(ddof=1))

    def covers(self, truth: float) -> float:
        """Return how often a nominal 90 % interval holds `truth`, in percent."""
        return float(100 * np.mean(np.abs(self.values - truth) <= NOMINAL * self.errors))


def samples(
    ranges: Indices, n: int, repetitions: int, seed: int, again: bool = False
) -> Iterator[Indices]:
    """Yield the images of each sample: n in all, as many of every range, none twice.

    again: an image may be drawn again, so that the population is as good as endless.
    """
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(ranges == name) for name in np.unique(ranges)]
    for _ in range(repetitions):
        drawn = [rng.choice(group, n // len(groups), replace=again) for group in groups]
        yield np.sort(np.concatenate(drawn))


def trial(
    figure: Callable[[Indices, Strata], Estimate],
    ranges: Indices,
    n: int,
    repetitions: int,
    plain: bool = False,
    again: bool = False,
) -> Trial:
    """Score samples; plain: as if the images were one plain sample, the ranges unknown."""
    drawn = samples(ranges, n, repetitions, 0, again)
    found = [figure(chosen, None if plain else ranges[chosen]) for chosen in drawn]
    errors, biases = ([getattr(one, name) for one in found] for name in ("se", "bias"))
    columns = [[one.value for one in found], errors, biases]
    return Trial(*(np.array([math.nan if v is None else v for v in c]) for c in columns))


def of_column(values: Floats) -> Callable[[Indices, Strata], Estimate]:
    """Return the figure of a mean over images."""
    return lambda chosen, strata: over_images(values[chosen], strata=strata)


def means(columns: Mapping[str, Floats], ranges: Indices, n: int, repetitions: int) -> list[str]:
    """Return the table of the means over images."""
    lines = _head("metric", "error / spread", "covers", "ranges ignored: error / spread", "covers")
    truth_of = np.array([1 / np.sum(ranges == r) for r in ranges]) / len(np.unique(ranges))
    for name, values in columns.items():
        truth = float(values @ truth_of)
        ours, before = (
            trial(of_column(values), ranges, n, repetitions, plain, again=True)
            for plain in (False, True)
        )
        cells = [name, f"{ours.ratio:.2f}", f"{ours.covers(truth):.1f} %"]
        lines.append(_row([*cells, f"{before.ratio:.2f}", f"{before.covers(truth):.1f} %"]))
    return lines


def distances(
    real: Floats, fake: Floats, ranges: Indices, sizes: Sequence[int], repetitions: int
) -> list[str]:
    """Return the table of FID and KID by the number of images."""
    lines = _head(
        *("metric", "n", "mean", "of all", "mean bias reported", "error / spread"),
        *("covers its mean", "covers that of all"),
    )
    forms: dict[str, Callable[[Indices, Strata], Estimate]] = {
        "fid": lambda chosen, strata: fid(real[chosen], fake[chosen], strata=strata),
        "kid x1000": lambda chosen, strata: kid(real[chosen], fake[chosen], strata),
        "kid, pairs left in, x1000": lambda chosen, _: Estimate(
            mmd2(real[chosen], fake[chosen]), len(chosen)
        ),
    }
    whole = next(samples(ranges, _balanced(ranges), 1, 0))
    for name, figure in forms.items():
        scale = 1000 if name.startswith("kid") else 1
        best = forms["kid x1000" if scale > 1 else name](whole, ranges[whole]).value
        for n in sizes:
            found = trial(figure, ranges, n, repetitions)
            cells = [name, str(n), f"{scale * found.mean:.2f}", f"{scale * best:.2f}"]
            cells.append("-" if np.isnan(found.biases).any() else f"{found.biases.mean():.2f}")
            if np.isnan(found.errors).any():
                cells += ["-"] * 3
            else:
                covered = [f"{found.covers(truth):.1f} %" for truth in (found.mean, best)]
                cells += [f"{found.ratio:.2f}", *covered]
            lines.append(_row(cells))
    return lines


def _balanced(ranges: Indices) -> int:
    """Return how many images have as many of every range as the rarest has."""
    counts = np.unique(ranges, return_counts=True)[1]
    return int(counts.min() * len(counts))


def identities(
    real: Floats, fake: Floats, ranges: Indices, sizes: Sequence[int], repetitions: int
) -> list[str]:
    """Return the table of P-IDS and U-IDS by the number of images."""
    lines = _head("metric", "n", "mean [%]", "spread [%]", "error / spread", "covers its mean")
    for name, form in (("p-ids", p_ids), ("u-ids", u_ids)):
        for n in sizes:

            def figure(chosen: Indices, strata: Strata, form: Form = form) -> Estimate:
                return form(margins_of_sets(real[chosen], [fake[chosen]]), strata)

            found = trial(figure, ranges, n, repetitions)
            spread = 100 * found.values.std(ddof=1)
            cells = [name, str(n), f"{100 * found.mean:.2f}", f"{spread:.2f}"]
            cells += [f"{found.ratio:.2f}", f"{found.covers(found.mean):.1f} %"]
            lines.append(_row(cells))
    return lines


def _head(*names: str) -> list[str]:
    return [_row(names), _row(["---", *["---:"] * (len(names) - 1)])]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def population(model: str, work: Path, **options: object) -> Columns:
    """Return the figures and features of all images."""
    order = api.score_order((model,), work=str(work), **options)
    reporter, device = Reporter(), torch.device("cpu")
    (target,) = score.targets_of(order, api.contestant, reporter, device)
    scoring = score.scoring_of(order, device, reporter)
    tools = scoring.load_instruments()
    (plan,) = scoring.planned([target], tools)
    folder, _ = scoring.measure(plan, tools)
    return folder.load()


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="telea")
    parser.add_argument("--data", action="append", help="default: the small set that ships")
    parser.add_argument("--limit", type=int, help="pictures of the population; default: all")
    parser.add_argument(
        "--repetitions", type=int, default=400, help="of means; half of it of distances"
    )
    parser.add_argument("--work", type=Path, default=Path("statistics"))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the population, draws samples, prints."""
    given = parsed(arguments)
    names = "fid,kid,psnr,ssim,mae,crps,energy"
    options = {"metrics": names, "k": 1, "limit": given.limit, "data": tuple(given.data or ())}
    columns = population(given.model, given.work, **options)
    ranges = np.array([bin_of(share) for share in columns.figures["visible"]])
    assert columns.real is not None
    assert len(np.unique(ranges)) == len(BINS)
    real, fake = (np.asarray(side, np.float64) for side in (columns.real, columns.sets[0]))
    chosen = {name: columns.figures[name] for name in MEANS if name in columns.figures}
    print(f"{columns.count} pictures, {real.shape[1]} features\n")
    for lines in (
        means(chosen, ranges, 200, given.repetitions),
        distances(real, fake, ranges, SIZES, given.repetitions // 2),
        identities(real, fake, ranges, (200, 500), given.repetitions // 2),
    ):
        print("\n".join(lines) + "\n", flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
