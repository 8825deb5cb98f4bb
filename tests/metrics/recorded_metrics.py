"""Reads the recorded results of the metrics, and the library that recorded some of them."""

import json
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from inpaint_cli import torchvision_import
from tests.golden_files import golden

FOLDER = golden("metrics")


def arrays(name: str) -> dict[str, npt.NDArray[Any]]:
    return load_file(FOLDER / f"{name}.safetensors")


def expected(name: str) -> Any:
    return json.loads((FOLDER / f"{name}_expected.json").read_text(encoding="utf-8"))


def fidelity(module: str) -> ModuleType:
    """Imports a module of torch-fidelity, which imports torchvision."""
    torchvision_import.load()
    return torchvision_import.load(f"torch_fidelity.{module}")


def close(ours: Any, theirs: Any, rtol: float = 1e-9, atol: float = 0.0) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)
