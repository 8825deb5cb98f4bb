"""The recorded results of the family, and the small networks of PIC among them."""

import torch
from safetensors.torch import load_file
from torch import Tensor

from inpaint_cli.models.foreign import read_state
from inpaint_cli.models.picme.convert import convert
from inpaint_cli.models.picme.networks import MixtureOfPrimitives
from tests.golden_files import golden

FOLDER = golden("picme")


def recorded(name: str) -> dict[str, Tensor]:
    """Return the tensors of NAME.safetensors; single values as scalars."""
    tensors = load_file(FOLDER / f"{name}.safetensors")
    return {n: t.reshape(()) if t.shape == (1,) else t for n, t in tensors.items()}


def recorded_in_double(name: str) -> dict[str, Tensor]:
    """Return the tensors of NAME.safetensors, those of float32 in float64."""
    return {n: t.double() if t.is_floating_point() else t for n, t in recorded(name).items()}


def of_pic() -> MixtureOfPrimitives:
    """Return the recorded networks of PIC as one model."""
    return convert(sorted(FOLDER.glob("pic_net_*.safetensors")))


def iterated(layer: str, network: str) -> Tensor:
    """Return a weight of PIC over its spectral norm, after one power iteration from its vectors."""
    state = read_state(FOLDER / f"pic_net_{network}.safetensors")
    weight, u = state[f"{layer}.module.weight_bar"], state[f"{layer}.module.weight_u"]
    matrix = weight.flatten(1).double()
    v = torch.nn.functional.normalize(matrix.t() @ u.double(), dim=0)
    largest: Tensor = torch.linalg.vector_norm(matrix @ v)
    quotient: Tensor = weight / largest
    return quotient.float()


def same(actual: Tensor, expected: Tensor) -> None:
    """Assert the README's tolerance for float64 files."""
    torch.testing.assert_close(actual.detach(), expected, rtol=1e-9, atol=1e-11)
