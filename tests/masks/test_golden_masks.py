"""The statistics of every random kind are those of the reference code; fixed kinds are equal."""

import re
from functools import lru_cache

import numpy as np
import pytest

from inpaint_cli import masks
from inpaint_cli.masks.sets import pack, unpack
from tests.golden_files import golden
from tests.masks.statistics_of import (
    Statistics,
    Values,
    components,
    edges,
    ks_distance,
    statistics_of,
)

pytestmark = [pytest.mark.golden, pytest.mark.masks]

RECORDED = np.load(golden("masks") / "statistics.npz")
EXAMPLES = np.load(golden("masks") / "examples.npz")
EXACT = np.load(golden("masks") / "exact.npz")
SETS = sorted({key.rpartition("__")[0] for key in RECORDED.files})
COLUMNS = ("visible", "edges", "hole 8", "hole 4", "visible 8", "visible 4")
SEED = 0


def kind_of(name: str) -> str:
    """Return our name of a kind of the golden files."""
    name = re.sub(r"^mat", "freeform-mat", name)
    name = re.sub(r"^strokes$", "strokes-absolute", name)
    name = re.sub(r"_hole0-50$", "@50-100", name)
    name = re.sub(r"^(hide-\w+)-(\d+)$", r"\1:0.\2", name)
    return name.replace("_visible", "@")


def recorded(name: str) -> Statistics:
    keys = ("visible", "components", "edges", "mean_map")
    return Statistics(*(RECORDED[f"{name}__{key}"].astype(np.float64) for key in keys))


@lru_cache
def drawn(name: str, count: int) -> Statistics:
    kind, _, side = name.partition("__")
    size = int(side)
    return statistics_of(
        masks.draw(kind_of(kind), size, size, seed=SEED, index=index) for index in range(count)
    )


def quick_count(name: str) -> int:
    """Return how many masks suffice for a quick test: drawing large ones takes time."""
    side = int(name.partition("__")[2])
    return 400 if side <= 64 else 200 if side <= 256 else 100


def columns(statistics: Statistics) -> dict[str, Values]:
    values = (statistics.visible, statistics.edges, *statistics.components.T)
    return dict(zip(COLUMNS, values, strict=True))


def assert_same_distribution(name: str, count: int) -> None:
    """Compares with the tolerances of the golden README."""
    theirs, ours = columns(recorded(name)), columns(drawn(name, count))
    n, m = len(theirs["visible"]), count
    for column in COLUMNS:
        a, b = theirs[column], ours[column]
        if np.ptp(a) == 0:
            assert set(b) == set(a), column
            continue
        assert ks_distance(a, b) < 1.95 * np.sqrt((n + m) / (n * m)), column
        assert abs(a.mean() - b.mean()) <= 4 * a.std() * np.sqrt(1 / n + 1 / m), column


def assert_same_mean_map(name: str, count: int) -> None:
    theirs, ours = recorded(name), drawn(name, count)
    tolerance = 4 * 0.5 * np.sqrt(1 / len(theirs.visible) + 1 / count)
    np.testing.assert_allclose(ours.mean_map, theirs.mean_map, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", SETS)
def test_counts_components_and_edges_are_distributed_as_recorded(name: str) -> None:
    assert_same_distribution(name, quick_count(name))


@pytest.mark.parametrize("name", SETS)
def test_visibility_over_the_image_is_as_recorded(name: str) -> None:
    assert_same_mean_map(name, quick_count(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_as_many_masks_as_recorded_are_distributed_alike(name: str) -> None:
    count = len(recorded(name).visible)
    assert_same_distribution(name, count)
    assert_same_mean_map(name, count)


@pytest.mark.parametrize("key", EXACT.files)
def test_fixed_kinds_are_equal_bit_for_bit(key: str) -> None:
    name, _, size = key.partition("__")
    height, width = map(int, size.split("x"))
    np.testing.assert_array_equal(pack(masks.draw(kind_of(name), height, width)), EXACT[key])


@pytest.mark.parametrize("key", EXAMPLES.files)
def test_recorded_examples_are_counted_as_recorded(key: str) -> None:
    side, theirs = int(key.partition("__")[2]), recorded(key)
    for index, bits in enumerate(EXAMPLES[key][:16]):
        mask = unpack(bits, side, side)
        assert mask.sum() == theirs.visible[index]
        assert components(mask) == theirs.components[index].tolist()
        assert edges(mask) == theirs.edges[index]


def test_a_wrong_distribution_would_be_seen() -> None:
    theirs = columns(recorded("freeform__32"))["visible"]
    ours = columns(drawn("freeform-scaled__32", 400))["visible"]
    n, m = len(theirs), len(ours)
    assert ks_distance(theirs, ours) > 1.95 * np.sqrt((n + m) / (n * m))
