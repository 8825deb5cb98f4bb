"""The networks that metrics look through: which were asked for, which are here, what to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from inpaint_cli import zoo
from inpaint_cli.errors import UserError
from inpaint_cli.metrics import catalogue, features, weight_files
from inpaint_cli.metrics.perceptual import load_perceptual
from inpaint_cli.metrics.protocol import Request
from inpaint_cli.metrics.state import Refused

if TYPE_CHECKING:
    import torch

    from inpaint_cli.metrics.features import FeatureExtractor
    from inpaint_cli.models.perceptual import PerceptualDistance

T = TypeVar("T")
LPIPS = "lpips"
WRONG = "share of wrong classes"
"""The figure of a classifier's card that tells its accuracy."""


@dataclass
class Instruments:
    """What is ready to measure with, and why the rest is not."""

    extractor: FeatureExtractor | None = None
    distance: PerceptualDistance | None = None
    missing: dict[str, Refused] = field(default_factory=dict)
    """"features" or "perceptual" -> why it is not there."""
    notes: list[str] = field(default_factory=list)
    """What took the place of what, where nothing was asked for by name."""

    def identity(self) -> list[Any]:
        """Gives JSON-able data that differ where figures would."""
        extractor, distance = self.extractor, self.distance
        return [
            None if extractor is None else [extractor.name, extractor.weights_sha256],
            None if distance is None else [distance.name, distance.sha256],
        ]

    def descriptions(self) -> list[dict[str, Any]]:
        """Gives the entries of a report's "features"."""
        found = []
        if self.extractor is not None:
            found.append(_of_extractor(self.extractor))
        if self.distance is not None:
            found.append(_of_distance(self.distance))
        return found


def load(request: Request, device: torch.device, data: str = "") -> Instruments:
    """Loads what the metrics need; what is missing is noted, and refuses the metrics later.

    data: name of the set that is scored; a classifier that was trained on it serves it best.
    UserError for names that mean nothing.
    """
    ready = Instruments()
    wants_logits = catalogue.any_needs(request.metrics, "logits")
    if wants_logits or catalogue.any_needs(request.metrics, "features"):
        ready.extractor = _tried(
            "features", ready, lambda: _extractor(request, device, data, ready)
        )
    if catalogue.any_needs(request.metrics, "perceptual"):
        distance = _tried("perceptual", ready, lambda: _distance(request, data, ready))
        ready.distance = None if distance is None else distance.to(device)
    return ready


def _tried(what: str, ready: Instruments, make: Callable[[], T]) -> T | None:
    try:
        return make()
    except Refused as error:
        ready.missing[what] = error
        return None


def _extractor(
    request: Request, device: torch.device, data: str, ready: Instruments
) -> FeatureExtractor:
    # Only Inception has more than one way to resize, so who asks for one asks for it.
    name = request.features or ("inception" if request.fid_resize != "tf1" else None)
    if name is None:
        name, remark = features.default(request.weights_dir, data)
        if remark:
            ready.notes.append(remark)
            return _shipped(name, lambda: features.load(name, device=device))
    return features.load(name, request.weights_dir, device, request.fid_resize)


def _distance(request: Request, data: str, ready: Instruments) -> PerceptualDistance:
    if request.perceptual is not None:
        return load_perceptual(request.perceptual, request.weights_dir)
    try:
        weight_files.find("alex", request.weights_dir)
    except Refused:
        name = features.default(Path(), data)[0]
        name = features.SHIPPED if name == "inception" else name
        ready.notes.append(
            "LPIPS' AlexNet is not on this machine, so perceptual distances are of "
            f"{name}, uncalibrated: figures cannot be compared with published ones "
            "('--perceptual lpips' says what is missing)"
        )
        return _shipped(name, lambda: load_perceptual(name))
    return load_perceptual(LPIPS, request.weights_dir)


def _shipped(name: str, make: Callable[[], T]) -> T:
    """Refuses, instead of blaming the user, where what ships is not there."""
    try:
        return make()
    except UserError as error:
        raise Refused(f"{name} is not in this copy ({error})", missing_file=True) from error


def accuracy_of(name: str) -> float | None:
    """Gives the share of right classes that the card of a classifier of the zoo states."""
    figures: dict[str, float] = next(
        (e.card["figures"] for e in zoo.entries() if e.name == name), {}
    )
    wrong = figures.get(WRONG)
    return None if wrong is None else 1 - float(wrong)


def _of_extractor(extractor: FeatureExtractor) -> dict[str, Any]:
    kinds = {"inception": "inception", "inception-clean": "inception"}
    builtin = extractor.name in features.KINDS
    return {
        "id": extractor.name,
        "kind": kinds.get(extractor.name, extractor.name if builtin else "classifier"),
        "layer": "pool" if extractor.comparable else "penultimate",
        "dim": extractor.dimension,
        "resize": extractor.resize,
        "input": "uint8 RGB",
        "weights": None,
        "weights_sha256": extractor.weights_sha256,
        "comparable_with_published": extractor.comparable,
    }


def _of_distance(distance: PerceptualDistance) -> dict[str, Any]:
    least = distance.minimum_side
    return {
        "id": distance.name,
        "kind": "lpips v0.1" if distance.calibrated else "feature maps, uncalibrated",
        "layer": None,
        "dim": None,
        "resize": f"sides below {least} to 64, bilinear" if least > 1 else "none",
        "input": "float32 -1..1",
        "weights": None,
        "weights_sha256": distance.sha256,
        "comparable_with_published": is_published(distance),
    }


def is_published(distance: PerceptualDistance) -> bool:
    """Says whether figures of a perceptual distance can be compared with published ones."""
    return distance.calibrated and distance.name.startswith("lpips-")
