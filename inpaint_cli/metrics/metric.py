"""What a metric is: what it needs, what it measures of an image, how that becomes lines.

Every metric is one object of a subclass of `Metric`; `inpaint_cli/metrics/__init__.py` lists them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt

from inpaint_cli.data.image_set import counted
from inpaint_cli.metrics.estimate import Estimate, Refused
from inpaint_cli.metrics.intervals import Strata, bootstrap, by_picture, over_images

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_cli.metrics.instruments import Instruments
    from inpaint_cli.metrics.options import MeasureOptions
    from inpaint_cli.metrics.protocol import TargetFacts
    from inpaint_cli.metrics.targets import Case, Target

T = TypeVar("T")
Figures = dict[str, "float | npt.NDArray[Any]"]
"""Name of a column -> the figure of one image, or a vector of them."""
Chosen = npt.NDArray[np.int64]
"""Images that a figure is of, in the order of their ids."""

Direction = Literal["lower", "higher", "target", "none"]
ARROWS: Mapping[Direction, str] = {"lower": "↓", "higher": "↑", "target": "→", "none": " "}
Need = Literal["features", "logits", "perceptual", "several", "hole", "likelihood", "labels"]
"""Features or class probabilities of a network; a perceptual distance; at least two completions of
an image; which pixels are hidden; a model that gives a likelihood; the class of each image."""
SETS = 5
"""Most completion sets whose features p-ids, u-ids and div-fid take (PICME: five)."""


Column = npt.NDArray[np.float64]


@dataclass
class MeasuredCase:
    """One image while it is measured; what several metrics share is computed once."""

    case: Case
    instruments: Instruments
    options: MeasureOptions
    wanted: frozenset[str]
    """Names of all metrics that are measured."""
    visible: Tensor
    """bool [1, H, W]; all True where nothing says what is hidden."""
    _shared: dict[Callable[..., Any], Any] = field(default_factory=dict)

    @property
    def truth(self) -> Tensor:
        """The original: uint8 [C, H, W]."""
        return self.case.truth

    @property
    def completions(self) -> Tensor:
        """The completions: uint8 [K, C, H, W]."""
        return self.case.completions

    def once(self, compute: Callable[[MeasuredCase], T]) -> T:
        """Return what `compute` makes of this case; the second metric that asks gets the same."""
        if compute not in self._shared:
            self._shared[compute] = compute(self)
        return cast(T, self._shared[compute])


@dataclass(frozen=True)
class Columns:
    """All images of a target, measured."""

    count: int
    figures: dict[str, Column]
    """Name -> [N, ...], NaN where an image has no such figure."""
    real: npt.NDArray[np.float32] | None
    """[N, d], on the disk."""
    sets: tuple[npt.NDArray[np.float32], ...]
    """Likewise, of each completion set."""
    masks_sha256: str | None
    originals: npt.NDArray[np.uint8] | None = None
    """[N, 16], what each original is known by; None where nothing was measured."""

    @property
    def originals_sha256(self) -> str | None:
        """The hash of all originals in their order; None where nothing was measured."""
        if self.originals is None:
            return None
        return hashlib.sha256(self.originals.tobytes()).hexdigest()


@dataclass(frozen=True)
class Results:
    """What the lines of a report are computed from: all images of a target, measured."""

    columns: Columns
    options: MeasureOptions
    instruments: Instruments
    k: int
    levels: int
    bound: str | None
    """Whether likelihoods are "exact" or a bound, "elbo"; None where there are none."""
    strata: Strata = None
    """[N], the range of each image, where masks are a mixture of ranges."""
    paired: bool = True
    """Whether row i of both sides belongs to one image."""
    copies: npt.NDArray[np.int64] | None = None
    """[N], the picture that each image is of, where pictures repeat; None where each is one."""

    @property
    def pictures(self) -> npt.NDArray[np.int64] | None:
        """The same where means can take account of it: not of ranges and copies together."""
        return self.copies if self.strata is None else None

    def column(self, name: str, chosen: Chosen) -> npt.NDArray[np.float64]:
        """Return a column of the chosen images that have it; Refused if none has."""
        return self._rows(name, chosen)[0]

    def sample(self, name: str, chosen: Chosen) -> tuple[npt.NDArray[np.float64], Strata]:
        """Return such a column, and the ranges of its images; of repeated pictures a row each."""
        rows, having = self._rows(name, chosen)
        if self.pictures is None:
            return rows, self.ranges(having)
        return by_picture(rows, self.pictures[having]), None

    def absent(self, name: str, chosen: Chosen) -> int:
        """Return how many of the chosen images do not have a figure."""
        return len(chosen) - len(self._rows(name, chosen)[1])

    def _rows(self, name: str, chosen: Chosen) -> tuple[npt.NDArray[np.float64], Chosen]:
        """Return a column of the chosen images that have it, and these images."""
        column = self.columns.figures.get(name)
        if column is None:
            raise Refused("no image has this figure")
        chosen = chosen[~np.isnan(column[chosen].reshape(len(chosen), -1)).any(axis=1)]
        if not len(chosen):
            raise Refused("no image here has this figure: nothing is hidden")
        return column[chosen], chosen

    def ranges(self, chosen: Chosen) -> Strata:
        """Return the ranges of the chosen images."""
        return None if self.strata is None else self.strata[chosen]


@dataclass(frozen=True)
class Line:
    """One line of a report: a computation over any choice of images.

    So the ranges of the visible fraction and the whole set go the same way.
    """

    metric: Metric
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
    depends_on_k: bool = False
    """Whether the number of completions moves the figure: such figures need equal K."""
    by_picture: bool = False
    """Whether it allows for pictures that repeat, under a mixture of ranges too."""

    @property
    def direction(self) -> Direction:
        """Which way is better."""
        return self.better or self.metric.better

    def bounds(self, results: Results, chosen: Chosen) -> tuple[float, float] | None:
        """Return the bootstrap's 95 % bounds of a mean over images; None for other lines."""
        if self.column is None:
            return None
        values, strata = results.sample(self.column, chosen)
        if len(values) < 2 or not np.isfinite(values).all():
            return None
        return bootstrap(values, strata)

    def cautions(
        self, results: Results, chosen: Chosen, facts: TargetFacts, estimate: Estimate
    ) -> Iterator[str]:
        """Yield what must be known of its images: which are repeated, and which have no hole."""
        copies = results.copies
        different = len(chosen if copies is None else np.unique(copies[chosen]))
        if different < len(chosen):
            told = f"the {len(chosen)} originals are {counted(different, 'different picture')}"
            if self.by_picture:
                yield f"{told}: n and error are of these, and none is compared with itself"
            elif results.pictures is not None and self.metric.by_picture:
                yield f"{told}: n, errors and p are of these, their figures averaged over each"
            elif estimate.se is None:
                yield f"{told}, and they are taken for independent"
            else:
                yield f"{told}: the error takes them for independent, and is too small"
        hidden = results.columns.figures.get("hidden")
        unknown = facts.masks["distribution"] == "unknown"
        if hidden is None or unknown or "hole" in self.metric.needs:
            return
        without = int((hidden[chosen] == 0).sum())
        if without and (self.column is None or not results.absent(self.column, chosen)):
            counts = "counts" if without == 1 else "count"
            yield f"{counted(without, 'image')} without a hole {counts} too"


class Metric:
    """One name in a list of metrics. A subclass sets what differs and defines `lines`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """One line of help."""
    better: ClassVar[Direction] = "lower"
    needs: ClassVar[frozenset[Need]] = frozenset()
    pairs: ClassVar[bool] = True
    """Whether each completion must belong to an original."""
    by_default: ClassVar[bool] = False
    """Whether it is computed where no metric is asked for."""
    feature_sets: ClassVar[int] = 1
    """Of so many completions at most the features are kept, if the metric needs features."""
    by_picture: ClassVar[bool] = True
    """Whether errors are right where one picture counts as several images, under masks of its own.
    """
    depends_on_n: ClassVar[bool] = False
    """Whether the number of images moves the figure itself: such figures need equal n."""
    over_masks: ClassVar[bool] = False
    """Whether it is of several kinds of masks together: it then stands in a report of its own."""
    digits: ClassVar[int] = 4
    """Decimals in a table."""
    factor: ClassVar[float] = 1.0
    """A table shows the value times this."""
    unit: ClassVar[str] = ""
    """Of the value times `factor`."""

    @property
    def compares_pictures(self) -> bool:
        """Whether it compares pictures with their originals, drawn or not: reconstructions too."""
        return not self.needs & {"hole", "several", "likelihood"} and not self.over_masks

    def refusal(self, target: Target, instruments: Instruments) -> Refused | None:
        """Return why the metric cannot be computed, before anything is; None if it can be."""
        if "several" in self.needs and target.k < 2:
            return Refused("needs at least 2 completions of every image, and there is 1")
        if "hole" in self.needs and not target.has_masks:
            return Refused(
                "which pixels are hidden is unknown: give masks, a folder of them (white = hidden)"
            )
        if "likelihood" in self.needs and not target.has_likelihood:
            return Refused(
                "the completions come without a likelihood, or at a size not the model's"
            )
        if "labels" in self.needs and not target.classes:
            return Refused(
                "these images have no classes: take a data set that has them, such as mnist"
            )
        if "perceptual" in self.needs and instruments.distance is None:
            return instruments.missing["perceptual"]
        if not self.needs & {"features", "logits"}:
            return None
        if instruments.extractor is None:
            return instruments.missing["features"]
        if "logits" in self.needs and not instruments.extractor.classes:
            return Refused(f"features of '{instruments.extractor.name}' come without classes")
        return None

    def figures(self, case: MeasuredCase) -> Figures:
        """Return the figures of one image by column; one that it does not have is left out."""
        return {}

    def lines(self, results: Results) -> Iterator[Line]:
        """Yield the lines of the report."""
        raise NotImplementedError


def mean_line(
    metric: Metric,
    results: Results,
    column: str,
    variant: str,
    *,
    warnings: Sequence[str] = (),
    **more: Any,
) -> Line:
    """Return the line of the mean of a column over images."""

    def compute(chosen: Chosen) -> Estimate:
        values, strata = results.sample(column, chosen)
        absent = results.absent(column, chosen)
        left_out = [f"left out: {counted(absent, 'image')} without hidden values"] * (absent > 0)
        return over_images(values, results.k, warnings=[*warnings, *left_out], strata=strata)

    more.setdefault("label", column)
    return Line(metric, variant=variant, compute=compute, column=column, **more)


class FeatureMetric(Metric):
    """A metric that compares the features of originals with those of completion sets."""

    needs = frozenset({"features"})
    by_picture = False

    def line(
        self,
        results: Results,
        label: str,
        variant: str,
        compute: Callable[..., Estimate],
        *,
        by_picture: bool = False,
        **more: Any,
    ) -> Line:
        """Return a line; compute: of features [n, d] of originals and each set, and the ranges.

        by_picture: compute also takes which picture each image is of, None where none repeats.
        """

        def checked(chosen: Chosen) -> Estimate:
            columns = results.columns
            if columns.real is None:
                raise Refused("no features were kept")
            sides = (columns.real, *columns.sets)
            if len(chosen) < columns.count:  # else from the disk, block by block
                sides = tuple(side[chosen] for side in sides)
            copies = None if results.copies is None else results.copies[chosen]
            given = (results.ranges(chosen), *[copies] * by_picture)
            estimate = compute(sides[0], list(sides[1:]), *given)
            return estimate if estimate.k is not None else replace(estimate, k=1)

        extractor = results.instruments.network
        label = f"{label}{extractor.suffix}"
        more |= {"feature_id": extractor.name, "by_picture": by_picture}
        return Line(self, label, variant, checked, **more)
