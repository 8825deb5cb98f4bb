"""Feature vectors of images: what fid, kid, the identity scores and is are computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from inpaint_cli import models, zoo
from inpaint_cli.device import resolve
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.files import resolved
from inpaint_cli.metrics import inception, scripted
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.options import Resize
from inpaint_cli.models import efficientnet_lite, vision_transformer
from inpaint_cli.models.foreign import read_state
from inpaint_cli.parsing import brief
from inpaint_cli.weights import hash_of, load_weights, read_header
from inpaint_cli.zoo import lite, weight_files
from inpaint_cli.zoo.weight_files import MissingWeights

SHIPPED = "classifier-cifar10"
"""Whose features are taken where the Inception weights are not on the machine."""
INCEPTION = "inception"
"""The network of published FID figures; its weights do not ship."""
WRONG = "share of wrong classes"
"""The figure of a classifier's card that tells its accuracy."""
BATCH = 64
"""Images at once; the last digits may depend on it, so it is the same for all."""

Outputs = tuple[Tensor, Tensor | None]
"""Features [N, d] and class logits [N, classes], None where there are no classes."""


@dataclass(frozen=True)
class FeatureExtractor:
    """What turns images into vectors, ready on its device."""

    name: str
    """As the names of metrics carry it: fid@NAME."""
    dimension: int
    resize: str
    """The rule by which images get the size that is needed, in words."""
    weights_sha256: str | None
    """None where there are no weights."""
    comparable: bool
    """Whether figures can be compared with published ones."""
    device: torch.device
    classes: int
    """Of the logits; 0 where there are none."""
    compute: Callable[[Tensor], Outputs] = field(repr=False)
    """Of uint8 images on the device, at most `BATCH`."""
    kind: str = "classifier"
    """What it is, for reports."""
    layer: str = "penultimate"
    """Of which layer the features are."""
    class_names: tuple[str, ...] = ()
    """Of the logits, in their order; none where the weights do not say."""

    @property
    def suffix(self) -> str:
        """What is added to the names of figures, unless they are the published ones."""
        return "" if self.name == INCEPTION else f"@{self.name}"

    @property
    def accuracy(self) -> float | None:
        """The share of right classes that the card of a classifier that ships states."""
        cards = [entry.card for entry in zoo.entries() if entry.name == self.name]
        wrong = cards[0]["figures"].get(WRONG) if cards else None
        return None if wrong is None else 1 - float(wrong)

    def description(self) -> dict[str, Any]:
        """Return the entry of a report's "features"."""
        return {
            "id": self.name,
            "kind": "inception" if self.comparable else self.kind,
            "layer": "pool" if self.comparable else self.layer,
            "dim": self.dimension,
            "resize": self.resize,
            "input": "uint8 RGB",
            "weights": None,
            "weights_sha256": self.weights_sha256,
            "comparable_with_published": self.comparable,
        }

    def outputs(self, images: Tensor) -> Outputs:
        """Return features and logits of uint8 images [N, 1 or 3, H, W]: float32, on the CPU.

        In full float32: no autocast, and no TF32 on a GPU.
        """
        _check(images)
        features, logits = [], []
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            torch.autocast(self.device.type, enabled=False),
        ):
            for part in torch.split(images, BATCH):
                vectors, scores = self.compute(part.to(self.device))
                features.append(vectors.float().cpu())
                if scores is not None:
                    logits.append(scores.float().cpu())
        return torch.cat(features), torch.cat(logits) if logits else None

    def features(self, images: Tensor) -> Tensor:
        """Return float32 [N, d] of uint8 images [N, 1 or 3, H, W]."""
        return self.outputs(images)[0]

    def logits(self, images: Tensor) -> Tensor | None:
        """Return class logits, float32 [N, classes]; None where there are no classes."""
        return self.outputs(images)[1]


def _check(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"features are of uint8 images [N, 1 or 3, H, W], got {images.dtype} "
            f"{list(images.shape)}"
        )


def default(weights_dir: Path | None = None, data: str = "") -> tuple[str, str]:
    """Return the features to take where none are asked for, and a remark on why, or "".

    Inception where its weights are on the machine, else the classifier that ships and was trained
    on `data`, else EfficientNet-Lite0 if its package is installed, else the classifier for small
    colour images.
    """
    try:
        weight_files.find(INCEPTION, weights_dir)
    except MissingWeights:
        trained = [e.name for e in zoo.entries() if _is_classifier(e) and e.card["preset"] == data]
        stand_in = SHIPPED if lite.installed() is None else lite.NAME
        name = trained[0] if trained else stand_in
        return name, (
            f"the Inception weights are not on this machine, so features are of {name}: figures "
            "cannot be compared with published ones (ask for the features 'inception' to see what "
            "is missing)"
        )
    return INCEPTION, ""


def _is_classifier(entry: zoo.Entry) -> bool:
    return bool(entry.card["family"] == "classifier")


def load(
    name: str,
    weights_dir: Path | None = None,
    device: str | torch.device = "auto",
    resize: Resize = "tf1",
    *,
    trust_code: bool = False,
    shown: str | None = None,
) -> FeatureExtractor:
    """Return the features called `name`: inception, a name of the zoo, a run or a weight file.

    Or efficientnet-lite0, LAYOUT=FILE with weights of it or of a vision transformer, or a
    TorchScript file, whose code runs (trust_code) on what `shown` says ("SIDE,VALUES"). resize: of
    inception alone. Refused where its weights are missing; UserError where there is nothing of that
    name, or no classifier.
    """
    place = resolve(device) if isinstance(device, str) else device
    if name == INCEPTION:
        return _inception(weights_dir, place, resize)
    if resize != "tf1":
        raise UserError(
            f"{resize}: {name} has one way to resize. Leave it out.", setting="fid_resize"
        )
    layout, given, file = name.partition("=")
    transformer = vision_transformer.layout_named(layout) if given else None
    has_layout = transformer or lite.is_meant(name)
    if Path(name).suffix.lower() in scripted.SUFFIXES and not has_layout:
        return _script(Path(name), place, trust_code, shown)
    if trust_code or shown:
        setting = "trust_code" if trust_code else "features_input"
        raise UserError("goes with the features of a TorchScript file alone.", setting=setting)
    if lite.is_meant(name):
        return _lite(name, place)
    return _transformer(transformer, Path(file), place) if transformer else _classifier(name, place)


def _script(path: Path, device: torch.device, trust: bool, shown: str | None) -> FeatureExtractor:
    takes = scripted.Input.of(shown or scripted.DEFAULT)
    module = scripted.load(path, trust).to(device)

    def compute(images: Tensor) -> Outputs:
        return scripted.features_of(module, takes.shown(_rgb(images)), str(path)), None

    blank = torch.zeros(1, 3, takes.side, takes.side, dtype=torch.uint8, device=device)
    with torch.inference_mode():
        dimension = compute(blank)[0].shape[1]
    digest = hash_of(path)
    return FeatureExtractor(
        path.stem, dimension, takes.rule, digest, False, device, 0, compute, kind="torchscript"
    )


def _lite(name: str, device: torch.device) -> FeatureExtractor:
    network, title, digest = lite.network_of(name, "features")
    network = network.to(device)
    return FeatureExtractor(
        title,
        efficientnet_lite.FEATURES,
        f"bilinear to {efficientnet_lite.SIDE}x{efficientnet_lite.SIDE}, antialiased",
        digest,
        False,
        device,
        efficientnet_lite.CLASSES,
        lambda images: network.outputs(_rgb(images)),
    )


def _transformer(layout: str, path: Path, device: torch.device) -> FeatureExtractor:
    if not path.is_file():
        raise UserError(f"{path}: no such file.", setting="features")
    network = vision_transformer.load(read_state(path), layout, str(path)).to(device)
    side = vision_transformer.SIDE
    return FeatureExtractor(
        path.stem,
        network.layout.features,
        f"bicubic to {side}x{side}, antialiased, clipped to 0..255 and not rounded",
        hash_of(path),
        False,
        device,
        0,
        lambda images: network.outputs(_rgb(images)),
        kind=layout,
        layer="projected class token" if network.layout.projected else "class token",
    )


def _inception(weights_dir: Path | None, device: torch.device, resize: Resize) -> FeatureExtractor:
    try:
        path = weight_files.find(INCEPTION, weights_dir)
    except MissingWeights as error:
        raise Refused(str(error), missing_file=True) from error
    network = inception.load(path, resize).to(device)
    if device.type == "cpu":
        # Nearly twice as fast there, and within 1e-6 of the largest feature.
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return FeatureExtractor(
        INCEPTION if resize == "tf1" else f"{INCEPTION}-{resize}",
        inception.FEATURES,
        inception.RESIZES[resize],
        hash_of(path),
        True,
        device,
        inception.CLASSES,
        lambda images: cast(Outputs, network(_rgb(images))),
    )


def _classifier(name: str, device: torch.device) -> FeatureExtractor:
    path = _weights_of(name)
    try:
        family = read_header(path)["family"]
    except UserError as error:
        raise UserError(
            f"{path}: no classifier of inpaint ({brief(error, 200)}). Weights of another network "
            f"are given as LAYOUT=FILE; layouts: {', '.join(_layouts())}.",
            setting="features",
        ) from error
    if family != "classifier":
        raise UserError(
            f"{name} is of the family '{family}', not a classifier.", setting="features"
        )
    digest = zoo.whole(path)
    network: Any = load_weights(path)
    network = network.to(device)
    return FeatureExtractor(
        title_of(name),
        network.config.widths[-1],
        f"bilinear to {network.size}x{network.size}, antialiased, half-pixel centres",
        digest,
        False,
        device,
        0 if network.config.multilabel else network.config.classes,
        partial(_outputs_of, network),
        class_names=zoo.class_names_of(path),
    )


def _outputs_of(network: Any, images: Tensor) -> Outputs:
    """Return features and class logits; labels of which several may hold are no classes."""
    features, logits = network.outputs(images)
    return features, None if network.config.multilabel else logits


def title_of(name: str) -> str:
    """Return what figures call a classifier: its zoo name, run folder or file, without the path.

    >>> [title_of(name) for name in ("runs/0001-a", "runs/0001-a/model.safetensors", "my.name")]
    ['0001-a', '0001-a', 'my.name']
    """
    path = Path(name)
    if path.suffix != ".safetensors":
        return path.name
    return resolved(path).parent.name if path.stem == "model" else path.stem


def _weights_of(name: str) -> Path:
    """Return the weight file of a classifier."""
    shipped = [entry.name for entry in zoo.entries()]
    path = Path(name)
    if name not in (*shipped, *models.FAMILIES) and not path.exists():
        layout, file = name.partition("=")[::2]
        if file and Path(file).suffix and "/" not in layout:
            raise unknown_name("no layout", layout, _layouts(), setting="features")
        if path.suffix or len(path.parts) > 1:
            raise UserError(f"{path}: no such file or folder.", setting="features")
        classifiers = [entry.name for entry in zoo.entries() if _is_classifier(entry)]
        raise unknown_name("none", name, [INCEPTION, lite.NAME, *classifiers], setting="features")
    weights = zoo.find(name, "features")
    if isinstance(weights, str):
        raise UserError(f"{name} has no weights, so it gives no features.", setting="features")
    return weights


def _layouts() -> list[str]:
    return [*efficientnet_lite.LAYOUTS, *vision_transformer.LAYOUTS]


def _rgb(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1)
