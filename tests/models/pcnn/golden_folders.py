"""Reads the recorded folders: which networks there are, and their files."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from inpaint_cli.models.pcnn.convert import convert
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from tests.golden_files import golden


def folders() -> list[Path]:
    return sorted(path.parent for path in golden("pcnn").glob("*/config.json"))


def network(folder: Path) -> PixelConstrainedCNN:
    return convert([folder])


def tensors(folder: Path, name: str) -> dict[str, Tensor]:
    return load_file(folder / f"{name}.safetensors")
