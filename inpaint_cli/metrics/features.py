"""Feature vectors of images: what fid, kid, the identity scores and is are computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from inpaint_cli import models, zoo
from inpaint_cli.device import resolve
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.metrics import inception, thumbnails, weight_files
from inpaint_cli.metrics.state import Refused
from inpaint_cli.weights import hash_of, load_weights, read_header

SHIPPED = "classifier-cifar10"
"""Whose features are taken where the Inception weights are not on the machine."""
KINDS = {
    "inception": "the network of published FID figures; its weights do not ship",
    "pixels8": "8x8 grey thumbnails, a smoke test",
    "random": "a convolutional network with random weights, for tests",
}
"""What `--features` takes beside a classifier: one of the zoo, a run folder or a weight file."""

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
    compute: Callable[[Tensor], Outputs] = field(repr=False)
    """Of uint8 images on the device, at most `batch`."""
    batch: int = 64
    """Images at once; the last digits may depend on it, so it is the same for all."""

    def outputs(self, images: Tensor) -> Outputs:
        """Gives features and logits of uint8 images [N, 1 or 3, H, W]: float32, on the CPU.

        In full float32: no autocast, and no TF32 on a GPU.
        """
        _check(images)
        features, logits = [], []
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            torch.autocast(self.device.type, enabled=False),
        ):
            for part in torch.split(images, self.batch):
                vectors, scores = self.compute(part.to(self.device))
                features.append(vectors.float().cpu())
                if scores is not None:
                    logits.append(scores.float().cpu())
        return torch.cat(features), torch.cat(logits) if logits else None

    def features(self, images: Tensor) -> Tensor:
        """Gives float32 [N, d] of uint8 images [N, 1 or 3, H, W]."""
        return self.outputs(images)[0]

    def logits(self, images: Tensor) -> Tensor | None:
        """Gives class logits, float32 [N, classes]; None where there are no classes."""
        return self.outputs(images)[1]


def _check(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"features are of uint8 images [N, 1 or 3, H, W], got {images.dtype} "
            f"{list(images.shape)}"
        )


def default(weights_dir: Path | None = None, data: str = "") -> tuple[str, str]:
    """Gives the features to take if nothing is said, and a remark on why; "" if there is none.

    Inception where its weights are on the machine, else the classifier that ships and was trained
    on `data`, else the one for small colour images.
    """
    try:
        weight_files.find("inception", weights_dir)
    except Refused:
        own = [e.name for e in zoo.entries() if _is_classifier(e) and e.card["preset"] == data]
        name = own[0] if own else SHIPPED
        return name, (
            f"the Inception weights are not on this machine, so features are of {name}: figures "
            "cannot be compared with published ones ('--features inception' says what is missing)"
        )
    return "inception", ""


def _is_classifier(entry: zoo.Entry) -> bool:
    return bool(entry.card["family"] == "classifier")


def load(
    name: str,
    weights_dir: Path | None = None,
    device: str | torch.device = "auto",
    resize: inception.Resize = "tf1",
) -> FeatureExtractor:
    """Gives the features called `name`: a name of `KINDS`, of the zoo, a run or a weight file.

    resize: of inception alone. Refused where its weights are missing; UserError where there is
    nothing of that name, or no classifier.
    """
    place = resolve(device) if isinstance(device, str) else device
    if name == "inception":
        return _inception(weights_dir, place, resize)
    if resize != "tf1":
        raise UserError(f"--fid-resize {resize}: {name} has one way to resize. Leave it out.")
    if name == "pixels8":
        return _pixels8()
    if name == "random":
        return _random(place)
    return _classifier(name, place)


def _inception(
    weights_dir: Path | None, device: torch.device, resize: inception.Resize
) -> FeatureExtractor:
    path = weight_files.find("inception", weights_dir)
    network = inception.load(path, resize).to(device)
    if device.type == "cpu":
        # Nearly twice as fast there, and within 1e-6 of the largest feature.
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return FeatureExtractor(
        "inception" if resize == "tf1" else f"inception-{resize}",
        inception.FEATURES,
        inception.RESIZES[resize],
        hash_of(path),
        True,
        device,
        lambda images: cast(Outputs, network(_rgb(images))),
    )


def _classifier(name: str, device: torch.device) -> FeatureExtractor:
    path = _weights_of(name)
    family = read_header(path)["family"]
    if family != "classifier":
        raise UserError(f"--features: {name} is of the family '{family}', not a classifier.")
    network: Any = load_weights(path)
    network = network.to(device)
    return FeatureExtractor(
        _title(name),
        network.config.widths[-1],
        f"bilinear to {network.size}x{network.size}, antialiased, half-pixel centres",
        hash_of(path),
        False,
        device,
        network.outputs,
    )


def _title(name: str) -> str:
    """Gives what figures call a classifier: its zoo name, run folder or file, without the path.

    >>> [_title(name) for name in ("runs/0001-mine", "runs/0001-mine/model.safetensors", "my.name")]
    ['0001-mine', '0001-mine', 'my.name']
    """
    path = Path(name)
    if path.suffix != ".safetensors":
        return path.name
    return path.resolve().parent.name if path.stem == "model" else path.stem


def _weights_of(name: str) -> Path:
    """Gives the weight file of a classifier; UserError that names the option."""
    try:
        found = zoo.find(name)
    except UserError as error:
        if Path(name).suffix or len(Path(name).parts) > 1 or name in models.FAMILIES:
            raise UserError(str(error).replace("model:", "--features:", 1)) from error
        shipped = [entry.name for entry in zoo.entries() if _is_classifier(entry)]
        raise unknown_name("--features: none", name, [*KINDS, *shipped]) from error
    if isinstance(found, str):
        raise UserError(f"--features: {name} has no weights, so it gives no features.")
    return found


def _pixels8() -> FeatureExtractor:
    return FeatureExtractor(
        "pixels8",
        thumbnails.SIDE**2,
        "mean of 8x8 areas, grey by Rec. 601",
        None,
        False,
        torch.device("cpu"),  # float64, which MPS lacks
        lambda images: (thumbnails.pixels8(images), None),
    )


def _random(device: torch.device) -> FeatureExtractor:
    network = thumbnails.RandomNetwork().to(device)
    return FeatureExtractor(
        "random",
        thumbnails.RANDOM_WIDTHS[-1],
        "none",
        None,
        False,
        device,
        lambda images: (network(_rgb(images)), None),
    )


def _rgb(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1)
