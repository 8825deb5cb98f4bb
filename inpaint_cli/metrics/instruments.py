"""The networks that metrics look through: which were asked for, which are here, what to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from inpaint_cli.errors import UserError
from inpaint_cli.metrics import any_needs, features
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.options import MeasureOptions
from inpaint_cli.zoo import weight_files
from inpaint_cli.zoo.perceptual import load_perceptual
from inpaint_cli.zoo.weight_files import MissingWeights

if TYPE_CHECKING:
    import torch

    from inpaint_cli.metrics.features import FeatureExtractor
    from inpaint_cli.models.perceptual import PerceptualDistance

T = TypeVar("T")
LPIPS = "lpips"


@dataclass
class Instruments:
    """What is ready to measure with, and why the rest is not."""

    extractor: FeatureExtractor | None = None
    distance: PerceptualDistance | None = None
    missing: dict[str, Refused] = field(default_factory=dict)
    """"features" or "perceptual" -> why it is not there."""
    notes: list[str] = field(default_factory=list)
    """What took the place of what, where nothing was asked for by name."""

    @property
    def network(self) -> FeatureExtractor:
        """The extractor; a metric that needs one is refused without it."""
        assert self.extractor is not None
        return self.extractor

    def identity(self) -> list[Any]:
        """Return JSON-able data that differ where figures would."""
        extractor, distance = self.extractor, self.distance
        return [
            None
            if extractor is None
            else [extractor.name, extractor.weights_sha256, extractor.resize],
            None if distance is None else [distance.name, distance.sha256],
        ]

    def descriptions(self) -> list[dict[str, Any]]:
        """Return the entries of a report's "features"."""
        extractor = [] if self.extractor is None else [self.extractor.description()]
        return extractor + ([] if self.distance is None else [_of_distance(self.distance)])


def load(options: MeasureOptions, device: torch.device, data: str = "") -> Instruments:
    """Load what the metrics need; what is missing is noted, and refuses the metrics later.

    data: name of the set that is scored; a classifier that was trained on it serves it best.
    UserError for names that mean nothing.
    """
    ready = Instruments()
    wants_logits = any_needs(options.metrics, "logits")
    if wants_logits or any_needs(options.metrics, "features"):
        ready.extractor = _tried(
            "features", ready, lambda: _extractor(options, device, data, ready)
        )
    if any_needs(options.metrics, "perceptual"):
        distance = _tried("perceptual", ready, lambda: _distance(options, data, ready))
        ready.distance = None if distance is None else distance.to(device)
    return ready


def _tried(what: str, ready: Instruments, make: Callable[[], T]) -> T | None:
    try:
        return make()
    except Refused as error:
        ready.missing[what] = error
    except MissingWeights as error:
        ready.missing[what] = Refused(str(error), missing_file=True)
    return None


def _extractor(
    options: MeasureOptions, device: torch.device, data: str, ready: Instruments
) -> FeatureExtractor:
    # Only Inception has more than one way to resize, so who asks for one asks for it.
    name = options.features or ("inception" if options.fid_resize != "tf1" else None)
    if name is None:
        name, remark = features.default(options.weights_dir, data)
        if remark:
            ready.notes.append(remark)
            return _shipped(name, lambda: features.load(name, device=device))
    return features.load(
        name,
        options.weights_dir,
        device,
        options.fid_resize,
        trust_code=options.trust_code,
        shown=options.features_input,
    )


def _distance(options: MeasureOptions, data: str, ready: Instruments) -> PerceptualDistance:
    if options.perceptual is not None:
        return load_perceptual(options.perceptual, options.weights_dir)
    try:
        weight_files.find("alex", options.weights_dir)
    except MissingWeights:
        name = features.default(Path(), data)[0]
        name = features.SHIPPED if name == "inception" else name
        ready.notes.append(
            "LPIPS' AlexNet is not on this machine, so perceptual distances are of "
            f"{name}, uncalibrated: figures cannot be compared with published ones "
            "(ask for the perceptual distance 'lpips' to see what is missing)"
        )
        return _shipped(name, lambda: load_perceptual(name))
    return load_perceptual(LPIPS, options.weights_dir)


def _shipped(name: str, make: Callable[[], T]) -> T:
    """Refuse, instead of blaming the user, where what ships is not there."""
    try:
        return make()
    except UserError as error:
        raise Refused(f"{name} is not in this copy ({error})", missing_file=True) from error


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
        "comparable_with_published": distance.is_published,
    }
