"""Held-out pictures of a model's size, and the colour of holes: what several benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_cli import data, masks

RANGES = ("0-20", "20-40", "40-60", "60-80", "80-100")
"""Of the visible share, in percent, as kinds of masks name them."""
HIDDEN_COLOUR = (224, 122, 95)
Values = npt.NDArray[np.float64]


def parser(doc: str | None, limit: int) -> argparse.ArgumentParser:
    """Return the options of a table of models by the share that is visible."""
    found = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    found.add_argument("--model", action="append", required=True)
    found.add_argument("--data", action="append", required=True)
    found.add_argument("--masks", default="freeform")
    found.add_argument("--limit", type=int, default=limit, help="images of each range")
    return found


def head(title: str, last: str = "") -> str:
    """Return the head of such a table, in Markdown."""
    names = [title, *(f"{share} %" for share in RANGES), last]
    return f"| {' | '.join(names)} |\n|{' --- |' * len(names)}"


def shown(values: Values, digits: int = 4) -> str:
    """Return mean ± standard error."""
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1) / len(values) ** 0.5:.{digits}f}"


def pictures(model: Any, names: Sequence[str]) -> Any:
    """Return the test pictures of data sets as the model takes them, with their labels."""
    shape = {"size": model.size, "channels": model.channels, "levels": model.levels}
    return data.open(names, split="test", **shape)


def spread(images: Any, count: int) -> list[Any]:
    """Return `count` pictures spread evenly over a set, which may be sorted by class."""
    places = np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)
    return [images[int(place)] for place in places]


def case(pixels: Any, kind: str, index: int) -> tuple[Tensor, Tensor]:
    """Return a picture as uint8 [1, C, H, W], and what mask `index` of a kind leaves visible."""
    image = torch.from_numpy(np.array(pixels))[None]
    return image, masks.draw_batch(kind, *image.shape[2:], seed=0, epoch=0, indices=[index])
