"""Completions differ for every hole of some size, whatever its shape; where not, it is said."""

from collections.abc import Callable
from itertools import combinations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from inpaint_cli import api
from inpaint_cli.photos.completing import complete_photo
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.photos.spread import Spread
from inpaint_cli.pictures.picture import of_array

SIDE = 160
LEAST = 0.02
N = 3


def photo_values() -> npt.NDArray[np.uint8]:
    """Return waves of three colours under grain."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = 128 + 50 * np.sin(x / 9 + y / 31) + 30 * np.sin(y / 7 - x / 40)
    values = np.stack([waves, 0.8 * waves + 20, 255 - waves], 2)
    values += rng.normal(0, 9, (SIDE, SIDE, 1))
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def box(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a box of an aspect between 1:1 and 1:8."""
    aspect = 8 ** rng.random()
    short = np.sqrt(rng.uniform(1.05 * LEAST, 0.06) * SIDE**2 / aspect)
    sides = [min(SIDE, int(np.ceil(side))) for side in (short, short * aspect)]
    height, width = sides if rng.random() < 0.5 else sides[::-1]
    hidden = np.zeros((SIDE, SIDE), np.bool_)
    top, left = (int(rng.integers(0, SIDE - side + 1)) for side in (height, width))
    hidden[top : top + height, left : left + width] = True
    return hidden


def stroke(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a bent line, 5 to 12 pixels wide."""
    hidden, width = np.zeros((SIDE, SIDE), np.uint8), int(rng.integers(5, 13))
    while hidden.mean() < LEAST:
        points = rng.integers(0, SIDE, (4, 2)).astype(np.int32)
        cv2.polylines(hidden, [points], isClosed=False, color=1, thickness=width)
    return hidden.astype(np.bool_)


def text(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a few letters."""
    hidden = np.zeros((SIDE, SIDE), np.uint8)
    letters = "".join(chr(int(code)) for code in rng.integers(65, 91, 5))
    place = (8, int(rng.integers(40, SIDE - 20)))
    cv2.putText(hidden, letters, place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, 1, 5)
    return hidden.astype(np.bool_)


def check(name: str, hidden: npt.NDArray[np.bool_], **settings: object) -> None:
    """Fail unless completions are pairwise different, and are said to be."""
    assert hidden.mean() >= LEAST
    request = CompletionRequest(n=N, **settings)  # type: ignore[arg-type]
    model = api.load_model(name, "cpu").model
    completed = complete_photo(of_array(photo_values()), ~hidden, model, request)
    spread, fills = Spread(completed), []
    for index in range(N):
        fills.append(completed.samples(index))
        spread.add(fills[-1])
    assert all((one != two).any() for one, two in combinations(fills, 2)), spread.sentence()
    assert spread.sentence().startswith("the completions differ by ")
    assert spread.deviation > 0.1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("draw", [box, stroke, text])
def test_fills_from_the_photo_differ_pairwise(
    draw: Callable[[np.random.Generator], npt.NDArray[np.bool_]], seed: int
) -> None:
    check("latent-codes-photos64", draw(np.random.default_rng(seed)), seed=seed)


@pytest.mark.parametrize("model", ["latent-codes-photos64", "picme-photos64"])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("draw", [box, stroke, text])
def test_pictures_of_a_model_differ_pairwise(
    draw: Callable[[np.random.Generator], npt.NDArray[np.bool_]], seed: int, model: str
) -> None:
    check(model, draw(np.random.default_rng(seed)), seed=seed, detail="none")
