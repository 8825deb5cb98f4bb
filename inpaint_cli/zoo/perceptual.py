"""Which perceptual distance a name means, read from what is on this machine.

Losses and metrics take theirs from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from inpaint_cli import weights, zoo
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.models import perceptual
from inpaint_cli.models.foreign import read_state
from inpaint_cli.models.perceptual import PerceptualDistance
from inpaint_cli.zoo import lite, weight_files

if TYPE_CHECKING:
    from inpaint_cli.models.classifier.networks import Classifier

NETS = {"lpips": "alex", "lpips-alex": "alex", "lpips-vgg": "vgg", "lpips-squeeze": "squeeze"}
"""Trunks by the name that the setting takes."""

NAMED = {
    "c54a322576b25f7896f35c34eb7a08f8c676ccfc88ea38f7a00af7a0262de26f": "squeezenet-caffe",
}
"""Trunks with a name of their own, by the SHA-256 of their file."""


def load_perceptual(choice: str, weights_dir: Path | None = None) -> PerceptualDistance:
    """Return the distance of lpips, lpips-NET, NAME or FILE.

    NAME: a classifier of the zoo, or efficientnet-lite0. FILE: a trunk of a layout that lpips knows
    (it takes lpips' heads), or a classifier's weights or run. MissingWeights where LPIPS' own trunk
    is not here;
    UserError for what was typed wrongly and for files that do not fit.
    """
    if choice in NETS:
        return _of_lpips(NETS[choice], weights_dir)
    if lite.is_meant(choice):
        network, name, digest = lite.network_of(choice, "perceptual")
        distance = perceptual.of_features(network, name, minimum_side=lite.LEAST_SIDE)
        distance.sha256 = digest
        return distance
    path = _locate(choice)
    return _of_trunk(path) or _of_classifier(path)


def file_of(choice: str) -> Path | None:
    """Return the file, or the run folder, that a choice names; None for what has a name."""
    split = lite.split(choice)
    if split:
        return split[1]
    return None if choice in {*NETS, lite.NAME, *_shipped()} else Path(choice)


def with_file(choice: str, path: Path) -> str:
    """Return a choice that names a file with another path to it.

    >>> with_file("a.pth", Path("b/a.pth")), with_file("efficientnet_lite0=a.pth", Path("b/a.pth"))
    ('b/a.pth', 'efficientnet_lite0=b/a.pth')
    """
    split = lite.split(choice)
    return f"{split[0]}={path}" if split else str(path)


def _of_lpips(net: str, weights_dir: Path | None) -> PerceptualDistance:
    path = weight_files.find(net, weights_dir)
    distance = perceptual.of_lpips(net, read_state(path), where=str(path))
    distance.sha256 = weights.hash_of(path)
    return distance


def _shipped() -> dict[str, Path]:
    """Return the classifiers that ship: name -> weight file."""
    return {e.name: e.weights for e in zoo.entries() if e.card.get("family") == "classifier"}


def _locate(choice: str) -> Path:
    shipped = _shipped()
    if choice in shipped:
        return shipped[choice]
    path = Path(choice)
    if path.is_dir() and (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    if path.is_file():
        return path
    if path.suffix or len(path.parts) > 1 or path.is_dir():
        raise UserError(
            f"{path}: no file of weights, and no run with a model.", setting="perceptual"
        )
    raise unknown_name("no distance", choice, [*NETS, "none", *shipped], setting="perceptual")


def _of_trunk(path: Path) -> PerceptualDistance | None:
    """Return LPIPS on the trunk in `path`; None for a weight file of ours."""
    if path.suffix == ".safetensors" and _is_ours(path):
        return None
    tensors = read_state(path)
    net = perceptual.layout_of(tensors)
    if net is None:
        raise UserError(
            f"{path} is neither a classifier of inpaint nor a trunk that lpips knows "
            "(AlexNet, VGG16, SqueezeNet 1.1, with torchvision's names).",
            setting="perceptual",
        )
    digest = weights.hash_of(path)
    official = digest == weight_files.FILES[net].sha256
    name = f"lpips-{net}" if official else f"lpips@{NAMED.get(digest, path.stem)}"
    distance = perceptual.of_lpips(net, tensors, name=name, where=str(path))
    distance.sha256 = digest
    return distance


def _of_classifier(path: Path) -> PerceptualDistance:
    family = weights.read_header(path)["family"]
    if family != "classifier":
        raise UserError(
            f"{path} is a model of '{family}', which has no features to compare by. "
            "Give a classifier.",
            setting="perceptual",
        )
    digest = zoo.whole(path)
    model = cast("Classifier", weights.load_weights(path))

    name = path.parent.name if path.name == "model.safetensors" else path.stem
    distance = perceptual.of_features(_Maps(model), name or path.stem, channels=model.channels)
    distance.sha256 = digest
    return distance


class _Maps(nn.Module):
    """A module whose output is a classifier's feature maps."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.model.maps(images)


def _is_ours(path: Path) -> bool:
    try:
        weights.read_header(path)
    except UserError:
        return False
    return True
