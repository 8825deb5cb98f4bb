"""LPIPS-GT, diversity and faithfulness weighted variance: how completions differ to the eye."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from inpaint_cli.metrics.metric import Figures, Line, MeasuredCase, Metric, Results, mean_line

if TYPE_CHECKING:
    from inpaint_cli.models.perceptual import PerceptualDistance

PAPER_K = 100
"""Completions per image of IPA's LPIPS-GT."""
SIGMAS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Widths of the faithfulness weights. The paper (IPA, App. H) lists none of its own."""


def perceptual_columns(case: MeasuredCase) -> Figures:
    """Return what one pass of the network over the completions gives, for all three metrics."""
    from inpaint_cli.metrics.perceptual_scores import perceptual_figures

    distance = case.instruments.distance
    assert distance is not None  # the metrics are refused without one
    # The box of the hole costs another pass, which only the diversity needs.
    of_hole = case.case.visible is not None and Diversity.name in case.wanted
    figures = perceptual_figures(
        distance, case.truth, case.completions, case.visible, of_hole=of_hole
    )
    return cast(Figures, figures.columns())


class PerceptualMetric(Metric):
    """A figure of perceptual distances."""

    needs = frozenset({"perceptual"})

    def figures(self, case: MeasuredCase) -> Figures:
        return case.once(perceptual_columns)

    def distance(self, results: Results) -> PerceptualDistance:
        """Return the distance that was measured by."""
        distance = results.instruments.distance
        assert distance is not None  # the metrics are refused without one
        return distance

    def cautions(self, results: Results) -> list[str]:
        """Return what must be known of a network that took the place of LPIPS'."""
        distance = self.distance(results)
        published = distance.is_published
        return [] if published else [f"{distance.name}: not comparable with published LPIPS"]


class LpipsGt(PerceptualMetric):
    """How near the nearest of some completions is to the original."""

    name = "lpips-gt"
    summary = "perceptual distance of the original to the nearest of K"
    by_default = True

    def lines(self, results: Results) -> Iterator[Line]:
        warnings = self.cautions(results)
        if results.k != PAPER_K:
            warnings = [f"its value depends on K: the paper's is of {PAPER_K}", *warnings]
        for count in sorted({1, min(10, results.k), results.k}):
            yield mean_line(
                self,
                results,
                f"lpips-gt@{count}",
                f"@{count}, " + ("min over K" if count == results.k else f"of {results.k}"),
                feature_id=self.distance(results).name,
                warnings=warnings,
            )


class Diversity(PerceptualMetric):
    """How far two completions of one image are from each other."""

    name = "lpips-diversity"
    summary = "perceptual distance between completions of one image"
    better = "higher"
    needs = frozenset({"perceptual", "several"})
    by_default = True

    def lines(self, results: Results) -> Iterator[Line]:
        variants = {
            "lpips-diversity": "whole image",
            "lpips-diversity-hole-crop": "bounding box of the hole",
            "lpips-diversity-hole-mean": "map averaged over hidden pixels",
        }
        for column, variant in variants.items():
            if column in results.columns.figures:
                yield mean_line(
                    self,
                    results,
                    column,
                    variant,
                    feature_id=self.distance(results).name,
                    warnings=self.cautions(results),
                )


class FaithfulVariance(PerceptualMetric):
    """The spread of those completions that are near the original."""

    name = "fwv"
    summary = "faithfulness weighted variance, for seven widths"
    better = "higher"
    needs = frozenset({"perceptual", "several"})

    def lines(self, results: Results) -> Iterator[Line]:
        for sigma in SIGMAS:
            yield mean_line(
                self,
                results,
                f"fwv@{sigma:g}",
                f"sigma {sigma:g}, sum over K",
                feature_id=self.distance(results).name,
                warnings=self.cautions(results),
                params={"sigma": sigma, "fwv_mean_is_value_over_k": results.k},
                depends_on_k=True,
            )


METRICS = {one.name: one for one in (LpipsGt(), Diversity(), FaithfulVariance())}
