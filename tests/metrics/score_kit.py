"""What tests of `inpaint score` share: a quick model, a few pictures, a schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from inpaint_cli import metrics
from inpaint_cli.data.image_set import ImageSet
from inpaint_cli.metrics import measuring
from inpaint_cli.metrics.instruments import Instruments
from inpaint_cli.metrics.metric import Figures
from inpaint_cli.metrics.options import CompletionOptions, MeasureOptions
from inpaint_cli.metrics.protocol import Setting
from inpaint_cli.metrics.score import prepared
from inpaint_cli.metrics.scoring import Scoring
from inpaint_cli.metrics.targets import Case, Contestant, ModelTarget
from inpaint_cli.reporting import Reporter
from tests.metrics import thumbnails
from tests.pretend_model import PretendModel

SIDE = 16
SCHEMA = Path(__file__).parents[2] / "docs" / "score.schema.json"
QUIET = Reporter(quiet=True)
CPU = torch.device("cpu")


def pictures(count: int = 12, channels: int = 3, seed: int = 0) -> ImageSet:
    """Return smooth random pictures as a data set."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, channels, 4, 4), dtype=np.uint8)
    images = coarse.repeat(SIDE // 4, axis=2).repeat(SIDE // 4, axis=3)
    ids = tuple(f"picture-{number:02}" for number in range(count))
    counts = {"train": 0, "validation": 0, "test": count}
    return ImageSet("toys", "test", images, None, (), ids, (), counts, ("none",), "0" * 64)


def contestant(name: str = "pretend", model: Any = None) -> Contestant:
    """Return a loaded model; the quick stand-in by default."""
    pretend = PretendModel(SIDE) if model is None else model
    return Contestant(name, "pcnn", pretend, CPU, "0" * 64, f"{name}.safetensors")


def target(
    count: int = 12, k: int = 3, who: Contestant | None = None, masks: str = "freeform@mixture"
) -> ModelTarget:
    """Return a target of the stand-in."""
    one = who or contestant()
    setting = Setting(SIDE, SIDE, 3)
    options = CompletionOptions(masks=masks, k=k)
    return prepared([one], [setting], {setting: pictures(count)}, options)[0]


class QuickScoring(Scoring):
    """A scoring whose features are thumbnails, which need no network."""

    def load_instruments(self) -> Instruments:
        if not metrics.any_needs(self.options.metrics, "perceptual"):
            return Instruments(thumbnails.extractor())
        ready = super().load_instruments()
        ready.extractor = thumbnails.extractor()
        return ready


def scoring(names: tuple[str, ...], work: Path | None = None, **options: Any) -> Scoring:
    """Return a quick scoring by some metrics."""
    return QuickScoring(MeasureOptions(names, **options), CPU, QUIET, work)


def report(
    names: tuple[str, ...], one: Any = None, work: Path | None = None, **options: Any
) -> dict[str, Any]:
    """Return the report of a target, with features that need no network."""
    (document,) = scoring(names, work, **options).run([one or target()])
    return document


def figures_of(case: Case, *names: str) -> Figures:
    """Return the figures of one case by some metrics that need no network."""
    one = target(count=1)
    meter = measuring.Meter(one, MeasureOptions(names), frozenset(names), Instruments())
    return meter.figures(case)


def steady(document: dict[str, Any]) -> str:
    """Return a report as text without what differs from run to run."""
    kept = {name: part for name, part in document.items() if name not in ("created", "timing")}
    return json.dumps(kept, indent=1, allow_nan=False)


def check_schema(document: dict[str, Any]) -> None:
    """Raises an error where a report does not fit the schema of the documentation."""
    import jsonschema

    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.validate(document, schema)


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    """Writes uint8 [H, W, C] as a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    Image.fromarray(flat).save(folder / name)
