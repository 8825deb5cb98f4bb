"""The metrics of Frechet distances: which sides they compare, and when they are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.frechet import div_fid, fid, fid_all, fid_inf, fid_over_sets
from inpaint_cli.metrics.metric import SEED, SETS, FeatureMetric, Line, Results
from inpaint_cli.metrics.moments import Features
from inpaint_cli.metrics.strata import Strata


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
        published = self.extractor(results).comparable
        biased = results.options.allow_biased

        def checked(real: Features, sets: list[Features], strata: Strata) -> Estimate:
            n, d = real.shape
            if n <= d and not biased:
                raise Refused(
                    f"{n} images for {d} features (n <= d) say more of n than of the model: score "
                    "more images, or allow biased figures"
                )
            return figure(real, sets, inception=published, strata=strata)

        return self.line(results, label, variant, checked, **more)


class Fid(FrechetMetric):
    """The distance of originals and first completions; the mean over sets if several are kept."""

    name = "fid"
    summary = "Frechet distance of features, one completion each"
    by_default = True

    def lines(self, results: Results) -> Iterator[Line]:
        yield self.distances(
            results,
            "fid",
            "unbiased-cov, completion 0",
            lambda real, sets, **how: fid(real, sets[0], seed=SEED, **how),
        )
        if min(results.options.sets or 1, len(results.columns.sets)) > 1:
            yield self.distances(results, "fid of sets", "mean over completion sets", fid_over_sets)


class FidInf(FrechetMetric):
    """The distance extrapolated to endless images."""

    name = "fid-inf"
    summary = "the same extrapolated to endless images (Chong & Forsyth)"
    depends_on_n = False

    def lines(self, results: Results) -> Iterator[Line]:
        def extrapolated(real: Features, sets: list[Features], **how: Any) -> Estimate:
            n, d = real.shape
            least = 2 if results.options.allow_biased else d + 2
            if n < 2 * least and not results.options.allow_biased:
                raise Refused(
                    f"{n} images for {d} features: extrapolating needs twice as many images as "
                    "features, or allowing biased figures"
                )
            return fid_inf(real, sets[0], seed=SEED, least=least, **how)

        variant = "unbiased-cov, completion 0, intercept against 1/n"
        yield self.distances(results, "fid-inf", variant, extrapolated)


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
            lambda real, sets, **how: div_fid(sets, seed=SEED, **how),
        )
        yield self.distances(
            results,
            "fid-all",
            "all completions against the originals",
            lambda real, sets, **how: fid_all(real, sets, seed=SEED, **how),
            better="lower",
        )


METRICS = {one.name: one for one in (Fid(), FidInf(), DivFid())}
