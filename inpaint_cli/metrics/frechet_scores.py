"""The metrics of Frechet distances: which sides they compare, and when they are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from inpaint_cli.data.image_set import counted
from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.frechet import div_fid, fid, fid_all, fid_inf, fid_over_sets, fid_to
from inpaint_cli.metrics.intervals import Strata
from inpaint_cli.metrics.metric import SETS, Chosen, FeatureMetric, Line, Results
from inpaint_cli.metrics.moments import Features
from inpaint_cli.metrics.statistics_file import Statistics


class FrechetMetric(FeatureMetric):
    """A distance of Gaussians fitted to features; for n images in d dimensions, needs n > d."""

    depends_on_n = True
    digits = 2

    def distances(
        self,
        results: Results,
        label: str,
        variant: str,
        figure: Callable[..., Estimate],
        **more: Any,
    ) -> Line:
        """Return a line of figure(real, sets, inception, strata); refused for n <= d images."""
        published = results.instruments.network.comparable

        def checked(real: Features, sets: list[Features], strata: Strata) -> Estimate:
            require_more(min(len(real), len(sets[0])), real.shape[1], results)
            return figure(real, sets, inception=published, strata=strata)

        return self.line(results, label, variant, checked, **more)


def require_more(n: int, d: int, results: Results) -> None:
    """Refuse a distance of no more images than features, unless it was asked for."""
    if n <= d and not results.options.allow_biased:
        raise Refused(
            f"{counted(n, 'image')} for {d} features (n <= d) say more of n than of the model: "
            "score more images, or allow biased figures (the setting allow_biased)"
        )


class Fid(FrechetMetric):
    """The distance of originals and first completions; the mean over sets if several are kept."""

    name = "fid"
    summary = "Frechet distance of features, one completion each"
    pairs = False
    by_default = True

    def lines(self, results: Results) -> Iterator[Line]:
        originals = results.columns.real is not None
        if originals:
            yield self.distances(
                results,
                "fid",
                f"unbiased-cov, {'completion 0' if results.paired else 'unpaired'}",
                lambda real, sets, **how: fid(real, sets[0], **how),
            )
        if results.options.statistics is not None:
            yield self.to_statistics(results, results.options.statistics)
        if originals and min(results.options.sets or 1, len(results.columns.sets)) > 1:
            yield self.distances(results, "fid of sets", "mean over completion sets", fid_over_sets)

    def to_statistics(self, results: Results, reference: Statistics) -> Line:
        """Return the line of the first completions against a published mean and covariance."""
        extractor, columns = results.instruments.network, results.columns

        def compute(chosen: Chosen) -> Estimate:
            fake = columns.sets[0] if len(chosen) == columns.count else columns.sets[0][chosen]
            n, d = fake.shape
            require_more(min(n, reference.n or n), d, results)
            strata = results.ranges(chosen)
            figure = fid_to(reference.moments, fake, extractor.comparable, strata)
            return replace(
                figure,
                k=1,
                sides=(reference.n, n),
                parameters={**figure.parameters, "reference": reference.described()},
                warnings=(*reference.cautions(), *figure.warnings),
            )

        label = f"fid{extractor.suffix} to {reference.name}"
        which = "completion 0" if results.paired else "unpaired"
        variant = f"unbiased-cov, {which}, against {reference.name}"
        return Line(self, label, variant, compute, feature_id=extractor.name)


class FidInf(FrechetMetric):
    """The distance extrapolated to endless images."""

    name = "fid-inf"
    summary = "the same extrapolated to endless images (Chong & Forsyth)"
    pairs = False
    depends_on_n = False

    def lines(self, results: Results) -> Iterator[Line]:
        def extrapolated(real: Features, sets: list[Features], **how: Any) -> Estimate:
            n, d = min(len(real), len(sets[0])), real.shape[1]
            least = 2 if results.options.allow_biased else d + 2
            if n < 2 * least and not results.options.allow_biased:
                raise Refused(
                    f"{n} images for {d} features: extrapolating needs twice as many images as "
                    "features, or biased figures (the setting allow_biased)"
                )
            return fid_inf(real, sets[0], least=least, **how)

        which = "completion 0" if results.paired else "unpaired"
        variant = f"unbiased-cov, {which}, intercept against 1/n"
        yield self.distances(results, "fid-inf", variant, extrapolated)


class FidAgg(FrechetMetric):
    """The distance of originals and their completions under all kinds of masks (AIPO)."""

    name = "fid-agg"
    summary = "Frechet distance of completions under several kinds of masks together"
    over_masks = True

    def lines(self, results: Results) -> Iterator[Line]:
        yield self.distances(
            results,
            "fid-agg",
            "completion 0 under each kind of masks",
            fid_all,
        )


class DivFid(FrechetMetric):
    """The mean distance of two completion sets, and of all completions from the originals."""

    name = "div-fid"
    summary = "Frechet distance between sets of completions; fid-all beside it"
    better = "higher"
    needs = frozenset({"features", "several"})
    feature_sets = SETS

    def lines(self, results: Results) -> Iterator[Line]:
        yield self.distances(
            results,
            "div-fid",
            "mean over pairs of sets (our definition)",
            lambda real, sets, **how: div_fid(sets, **how),
        )
        yield self.distances(
            results,
            "fid-all",
            "all completions against the originals",
            fid_all,
            better="lower",
            depends_on_k=True,
        )


METRICS = {one.name: one for one in (Fid(), FidInf(), FidAgg(), DivFid())}
