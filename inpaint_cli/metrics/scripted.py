"""Features of any network in a TorchScript file, whose code runs: only where that is allowed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from inpaint_cli.errors import UserError

SUFFIXES = (".pt", ".ts", ".jit", ".torchscript")
RANGES = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "0..1": ((0.0,) * 3, (1.0,) * 3),
    "-1..1": ((0.5,) * 3, (0.5,) * 3),
    "0..255": ((0.0,) * 3, (1 / 255,) * 3),
}
"""What a network takes: mean and deviation for values in 0..1."""
DEFAULT = "224,imagenet"


@dataclass(frozen=True)
class Input:
    """What a network is shown: float32 RGB of one size."""

    side: int
    range: str

    @classmethod
    def of(cls, text: str) -> Input:
        """Return the input that "SIDE,VALUES" describes; UserError for anything else.

        >>> Input.of("299,0..255")
        Input(side=299, range='0..255')
        """
        side, _, values = text.partition(",")
        if not side.isdecimal() or not 8 <= int(side) <= 2048 or values not in RANGES:
            raise UserError(
                f"must be SIDE,VALUES with a side of 8 to 2048 and one of {', '.join(RANGES)}, got "
                f"'{text}'.",
                setting="features_input",
            )
        return cls(int(side), values)

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"bilinear to {self.side}x{self.side}, antialiased; values {self.range}"

    def shown(self, images: Tensor) -> Tensor:
        """Return uint8 images [N, 3, H, W] as the network takes them."""
        size = (self.side, self.side)
        sized = functional.interpolate(images.float() / 255, size, mode="bilinear", antialias=True)
        mean, deviation = (sized.new_tensor(part)[:, None, None] for part in RANGES[self.range])
        return (sized - mean) / deviation


def load(path: Path, trust: bool) -> Any:
    """Return the module in a file; UserError unless its code is trusted, or where there is none."""
    if not path.is_file():
        raise UserError(f"{path}: no such file.", setting="features")
    if not trust:
        raise UserError(
            f"{path}: a TorchScript file holds code, which loading it runs. If you trust where it "
            "comes from, say so with the setting trust_code.",
            setting="features",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch would rather have another format
            module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{path}: is no TorchScript file ({reason}).", setting="features"
        ) from error
    return module.eval()


def features_of(module: Any, shown: Tensor, where: str) -> Tensor:
    """Return float32 [N, d]: what the module gives, maps averaged over their pixels."""
    try:
        given = module(shown)
    except RuntimeError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise UserError(
            f"{where}: does not take what the setting features_input says ({reason})."
        ) from error
    first = given[0] if isinstance(given, tuple | list) else given
    if not isinstance(first, Tensor) or first.ndim not in (2, 4) or len(first) != len(shown):
        raise UserError(f"{where}: gives no [N, d] and no [N, d, H, W].", setting="features")
    return first.float().mean((2, 3)) if first.ndim == 4 else first.float()
