"""From columns and features to the lines of a report: one figure each, with its error.

A line is a computation over any choice of images, so the ranges of the visible fraction, the
comparison of two models and the whole set all go the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.metrics import forecasts, frechet, identity, inception_score, kid
from inpaint_cli.metrics.catalogue import METRICS, Direction
from inpaint_cli.metrics.diversity_fid import div_fid, fid_all, fid_over_sets
from inpaint_cli.metrics.images import psnr_estimate
from inpaint_cli.metrics.instruments import Instruments, accuracy_of, is_published
from inpaint_cli.metrics.intervals import bootstrap, over_images, resamples
from inpaint_cli.metrics.likelihood import Likelihood
from inpaint_cli.metrics.perceptual_scores import SIGMAS
from inpaint_cli.metrics.protocol import Request
from inpaint_cli.metrics.shards import Measured
from inpaint_cli.metrics.state import Estimate, Refused

Chosen = npt.NDArray[np.int64]
"""Images, in the order of their ids."""
PAPER_K = 100
"""Completions per image of IPA's LPIPS-GT."""
LEVEL = 0.9
"""Coverage is that of the interval whose nominal level is nearest to this."""
SEED = 0
"""Of resamples, blocks and permutations: the same in every report."""


@dataclass(frozen=True)
class Line:
    """One line of a report."""

    metric: str
    """Name of the catalogue."""
    label: str
    """As a table shows it: lpips-gt@10, psnr-hole, fid@NAME."""
    variant: str
    compute: Callable[[Chosen], Estimate]
    better: Direction | None = None
    """None = as the metric."""
    feature_id: str | None = None
    target: float | None = None
    column: str | None = None
    """The column whose mean it is: such lines have bootstrap bounds and can be paired."""
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def direction(self) -> Direction:
        """Which way is better."""
        return self.better or METRICS[self.metric].better


@dataclass(frozen=True)
class Sources:
    """What lines are computed from."""

    measured: Measured
    request: Request
    tools: Instruments
    k: int
    levels: int
    bound: str | None

    def column(self, name: str, chosen: Chosen) -> npt.NDArray[np.float64]:
        """Gives a column of the chosen images that have it; Refused if none has."""
        values = self.measured.columns.get(name)
        if values is None:
            raise Refused("no image has this figure")
        own = values[chosen]
        kept = own[~np.isnan(own.reshape(len(own), -1)).any(axis=1)]
        if not len(kept):
            raise Refused("no image here has this figure: nothing is hidden")
        return np.asarray(kept)


def lines_of(metric: str, sources: Sources) -> list[Line]:
    """Gives the lines of one metric."""
    return list(MAKERS[metric](metric, sources))


def _mean(sources: Sources, metric: str, column: str, variant: str, **more: Any) -> Line:
    """Gives the line of the mean of a column over images."""
    warnings: Sequence[str] = more.pop("warnings", ())

    def compute(chosen: Chosen) -> Estimate:
        values = sources.column(column, chosen)
        left = len(chosen) - len(values)
        said = [*warnings, *([f"{left} images without hidden values are left out"] * (left > 0))]
        return over_images(values, sources.k, warnings=said)

    more.setdefault("label", column)
    return Line(metric, variant=variant, compute=compute, column=column, **more)


def _pictures(metric: str, sources: Sources) -> Iterator[Line]:
    """PSNR, SSIM and MAE: mean over K, best of K, the mean image; the hole alone."""
    columns = sources.measured.columns
    oracle = ("the oracle's choice of K, which grows with K",)
    for base, where in ((metric, "all pixels"), (f"{metric}-hole", "hidden pixels")):
        if base not in columns:
            continue
        over = "" if sources.k == 1 else f", mean over {sources.k}"
        line = _mean(sources, metric, base, where + over)
        if base == "psnr":
            line = replace(line, compute=lambda chosen: _psnr(sources, chosen))
        yield line
        if sources.k > 1:
            label = f"{base} best of {sources.k} (oracle)"
            yield _mean(sources, metric, f"{base}-best", f"{where}, best of {sources.k} (oracle)",
                        label=label, warnings=oracle)  # fmt: skip
            yield _mean(sources, metric, f"{base}-of-mean", f"{where}, of the mean image",
                        label=f"{base} of mean image")  # fmt: skip


def _psnr(sources: Sources, chosen: Chosen) -> Estimate:
    columns = {n: sources.measured.columns[n][chosen] for n in ("psnr", "psnr-infinite")}
    infinite = int((columns["psnr-infinite"] > 0).sum())
    made = psnr_estimate(columns)
    return replace(made, k=sources.k, parameters={"cap_db": 100}, extra={"n_infinite": infinite})


def _lpips_gt(metric: str, sources: Sources) -> Iterator[Line]:
    distance = sources.tools.distance
    assert distance is not None
    for count in sorted({1, min(10, sources.k), sources.k}):
        said = [] if sources.k == PAPER_K else [
            f"its value depends on K: the paper's is of {PAPER_K}"
        ]  # fmt: skip
        variant = f"@{count}, " + ("min over K" if count == sources.k else f"of {sources.k}")
        yield _mean(
            sources, metric, f"lpips-gt@{count}", variant,
            feature_id=distance.name, warnings=said + _substitute(sources),
        )  # fmt: skip


def _substitute(sources: Sources) -> list[str]:
    """Says what took the place of LPIPS, and that small images were enlarged for it."""
    distance = sources.tools.distance
    assert distance is not None
    if is_published(distance):
        return []
    return [f"{distance.name}: not comparable with published LPIPS"]


def _diversity(metric: str, sources: Sources) -> Iterator[Line]:
    named = {
        "lpips-diversity": "whole image",
        "lpips-diversity-hole-crop": "bounding box of the hole",
        "lpips-diversity-hole-mean": "map averaged over hidden pixels",
    }
    assert sources.tools.distance is not None
    for column, variant in named.items():
        if column in sources.measured.columns:
            yield _mean(sources, metric, column, variant, feature_id=sources.tools.distance.name,
                        warnings=_substitute(sources))  # fmt: skip


def _fwv(metric: str, sources: Sources) -> Iterator[Line]:
    assert sources.tools.distance is not None
    for sigma in SIGMAS:
        column = f"fwv@{sigma:g}"
        yield _mean(
            sources, metric, column, f"sigma {sigma:g}, sum over K",
            feature_id=sources.tools.distance.name, warnings=_substitute(sources),
            params={"sigma": sigma, "fwv_mean_is_value_over_k": sources.k},
        )  # fmt: skip


def _forecast(metric: str, sources: Sources) -> Iterator[Line]:
    """CRPS and energy score: the fair form where there are several completions."""
    few = ("K < 5: noisy",) if 1 < sources.k < 5 else ()
    if sources.k > 1:
        yield _mean(sources, metric, f"{metric}-fair", "fair", label=metric, warnings=few)
        yield _mean(sources, metric, metric, "ordinary", label=f"{metric} ordinary")
    else:
        yield _mean(sources, metric, metric, "ordinary (K = 1: no fair form)", label=metric)
    if metric == "energy":
        fair = "energy-fair" if sources.k > 1 else "energy"
        yield _mean(sources, metric, f"{fair}-per-sqrt-dim", "over the root of the hidden values",
                    label="energy per root of size")  # fmt: skip


def _coverage(metric: str, sources: Sources) -> Iterator[Line]:
    interval = forecasts.nearest_interval(sources.k, LEVEL)

    def compute(chosen: Chosen) -> Estimate:
        ranks = sources.column("ranks", chosen)
        covered = ranks[:, interval.j : sources.k + 1 - interval.j].sum(axis=1)
        return over_images(covered, sources.k)

    yield Line(
        metric, f"coverage {100 * interval.nominal:.1f} %", "central interval", compute,
        target=interval.nominal, params={"j": interval.j, "nominal": interval.nominal},
    )  # fmt: skip


def _ranks(metric: str, sources: Sources) -> Iterator[Line]:
    def compute(chosen: Chosen) -> Estimate:
        ranks = sources.column("ranks", chosen)
        mean, n = ranks.mean(axis=0), len(ranks)
        hidden = sources.measured.columns["hidden"][chosen]
        # Every hidden value counts once in chi-square, every image once in the histogram.
        counts = mean * hidden[hidden > 0].sum()
        low, high = forecasts.histogram_band(ranks, SEED)
        equal = np.nanmin(sources.measured.columns["deterministic"][chosen]) == 1
        said = ("all completions of an image are equal: only the end bins are filled",)
        return Estimate(
            forecasts.reliability_index(mean),
            n,
            _se_of_reliability(ranks),
            "image bootstrap" if n > 1 else "",
            sources.k,
            {"chi_square": forecasts.chi_square(counts), "band": "image bootstrap 95 %"},
            said if equal and sources.k > 1 else (),
            {"rank_histogram": mean, "band_low": low, "band_high": high},
        )

    yield Line(metric, "rank-histogram", "reliability index", compute)


def _se_of_reliability(ranks: npt.NDArray[np.float64]) -> float | None:
    """Gives the spread of the reliability index over resamples of images."""
    n = len(ranks)
    if n < 2:
        return None
    drawn = (np.bincount(row, minlength=n) @ ranks / n for row in resamples(n, SEED))
    return float(np.std([forecasts.reliability_index(mean) for mean in drawn], ddof=1))


def _nats(metric: str, sources: Sources) -> Iterator[Line]:
    def likelihood(chosen: Chosen) -> Likelihood:
        columns = sources.measured.columns
        if "nats" not in columns:
            raise Refused("no image here has a likelihood: nothing is hidden")
        hidden = columns["hidden"][chosen]
        nats = np.where(hidden > 0, columns["nats"][chosen], 0.0)
        bound = sources.bound or "exact"
        return Likelihood(nats.tolist(), hidden.astype(int).tolist(), bound, sources.levels)

    if metric == "nll":
        yield Line(metric, "nll", "per image", lambda c: likelihood(c).nats_mean())
        yield Line(metric, "nll per value", "per hidden value, mean over images",
                   lambda c: _scaled(likelihood(c).bits_mean(), float(np.log(2))))  # fmt: skip
    else:
        yield Line(metric, metric, "per hidden value, pooled",
                   lambda c: likelihood(c).bits_pooled())  # fmt: skip


def _scaled(one: Estimate, factor: float) -> Estimate:
    se = None if one.se is None else one.se * factor
    return replace(one, value=one.value * factor, se=se)


def _inception(metric: str, sources: Sources) -> Iterator[Line]:
    extractor = sources.tools.extractor
    assert extractor is not None
    k = sources.k

    def compute(chosen: Chosen) -> Estimate:
        scores = sources.column("is", chosen)
        classes = 1008 if extractor.comparable else _classes(extractor)
        accuracy = accuracy_of(extractor.name)
        return inception_score.inception_score(scores, k, classes, accuracy)

    yield Line(metric, f"is{_at(sources)}", "per observation", compute, column="is",
               feature_id=extractor.name)  # fmt: skip
    if "logits" in sources.measured.columns:
        yield Line(
            metric, f"is{_at(sources)} pooled", "pooled over images", feature_id=extractor.name,
            compute=lambda c: inception_score.pooled_inception_score(
                sources.column("logits", c), splits=min(10, len(c))),
        )  # fmt: skip


def _classes(extractor: Any) -> int:
    import torch

    logits = extractor.logits(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    return 0 if logits is None else int(logits.shape[1])


def _at(sources: Sources) -> str:
    extractor = sources.tools.extractor
    assert extractor is not None
    return "" if extractor.name == "inception" else f"@{extractor.name}"


def _distances(metric: str, sources: Sources) -> Iterator[Line]:
    """What compares the features of two sets: fid, kid, p-ids, u-ids, div-fid."""
    measured, extractor = sources.measured, sources.tools.extractor
    assert extractor is not None
    published = extractor.comparable

    def line(label: str, variant: str, compute: Callable[..., Estimate], **more: Any) -> Line:
        def checked(chosen: Chosen) -> Estimate:
            if measured.real is None:
                raise Refused("no features were kept")
            sides = (measured.real, *measured.sets)
            if len(chosen) < measured.count:  # else from the disk, block by block
                sides = tuple(side[chosen] for side in sides)
            made = compute(sides[0], list(sides[1:]))
            return made if made.k is not None else replace(made, k=1)

        return Line(metric, f"{label}{_at(sources)}", variant, checked,
                    feature_id=extractor.name, **more)  # fmt: skip

    asked = sources.request.sets or 1
    if metric == "fid":
        yield line("fid", "unbiased-cov, completion 0",
                   lambda r, s: frechet.fid(r, s[0], seed=SEED, inception=published))  # fmt: skip
        if min(asked, len(measured.sets)) > 1:
            yield line("fid of sets", "mean over completion sets",
                       partial(fid_over_sets, inception=published))  # fmt: skip
    elif metric == "kid":
        yield line("kid", "block, completion 0", lambda r, s: kid.kid(r, s[0], seed=SEED))
    elif metric == "div-fid":
        yield line("div-fid", "mean over pairs of sets (our definition)",
                   lambda r, s: div_fid(s, seed=SEED, inception=published))  # fmt: skip
        yield line("fid-all", "all completions against the originals", better="lower",
                   compute=lambda r, s: fid_all(r, s, seed=SEED, inception=published))  # fmt: skip
    else:
        score = identity.p_ids if metric == "p-ids" else identity.u_ids
        yield line(metric, "in-sample linear svm C=1", target=0.5,
                   compute=lambda r, s: score(identity.margins_of_sets(r, s)))  # fmt: skip


Maker = Callable[[str, Sources], Iterator[Line]]
MAKERS: Mapping[str, Maker] = {
    **dict.fromkeys(("fid", "kid", "p-ids", "u-ids", "div-fid"), _distances),
    **dict.fromkeys(("psnr", "ssim", "mae"), _pictures),
    **dict.fromkeys(("crps", "energy"), _forecast),
    **dict.fromkeys(("nll", "bits-per-dim"), _nats),
    "is": _inception,
    "lpips-gt": _lpips_gt,
    "lpips-diversity": _diversity,
    "fwv": _fwv,
    "coverage": _coverage,
    "rank-histogram": _ranks,
}


def bounds_of(line: Line, sources: Sources, chosen: Chosen) -> tuple[float, float] | None:
    """Gives the bootstrap's 95 % bounds of a mean over images; None for other lines."""
    if line.column is None:
        return None
    values = sources.column(line.column, chosen)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    found = bootstrap(values, resamples(len(values), SEED))
    return found.low, found.high
