"""PIC's files: what is read, and what is refused with which words."""

import shutil
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.foreign import read_state
from inpaint_cli.models.picme.convert import convert
from tests.models.picme.recorded import FOLDER
from tests.models.picme.small import completions

pytestmark = [pytest.mark.golden, pytest.mark.picme]


def copied(folder: Path, *networks: str) -> Path:
    for name in networks:
        shutil.copy(FOLDER / f"pic_net_{name}.safetensors", folder)
    return folder


def state(name: str) -> dict[str, Tensor]:
    return read_state(FOLDER / f"pic_net_{name}.safetensors")


def test_discriminators_may_be_left_out(tmp_path: Path) -> None:
    model = convert([copied(tmp_path, "E", "G")])
    assert not model.discriminators
    assert model.config.primitives == 1


def test_a_converted_model_completes(tmp_path: Path) -> None:
    model = convert([copied(tmp_path, "E", "G")])
    visible = torch.ones(1, 1, 256, 256, dtype=torch.bool)
    visible[..., 100:120, 100:120] = False
    image = torch.full((1, 3, 256, 256), 90, dtype=torch.uint8)
    completed = model.complete(image, visible, completions(1))
    assert completed.images.shape == image.shape
    assert bool((completed.images == image)[visible.expand_as(image)].all())


def test_pickles_with_the_prefix_of_parallel_training_are_read(tmp_path: Path) -> None:
    for name in ("E", "G"):
        tensors = {f"module.{key}": tensor for key, tensor in state(name).items()}
        torch.save(tensors, tmp_path / f"latest_net_{name}.pth")
    one = convert([tmp_path])
    two = convert([FOLDER / "pic_net_E.safetensors", FOLDER / "pic_net_G.safetensors"])
    states = one.state_dict(), two.state_dict()
    trained = [n for n in states[0] if "head.mix" not in n]
    assert all(torch.equal(states[0][n], states[1][n]) for n in trained)


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file \.\.\._net_G\.pth"):
        convert([copied(tmp_path, "E")])


def test_two_iterations_are_not_mixed(tmp_path: Path) -> None:
    copied(tmp_path, "E", "G")
    shutil.copy(tmp_path / "pic_net_E.safetensors", tmp_path / "9_net_E.safetensors")
    with pytest.raises(UserError, match="a second net_E"):
        convert([tmp_path])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"out1.conv1.module.bias": None}, "'out1.conv1.module.bias' is missing"),
        ({"out9.conv1.module.bias": torch.zeros(3)}, "1 tensors have no place, 'out9"),
        ({"out1.conv1.module.bias": torch.zeros(4)}, "'out1.conv1.module.bias' is 4 of float"),
        (
            {"out1.conv1.module.bias": torch.zeros(3, dtype=torch.uint8)},
            "is 3 of uint8; the other files ask for 3 of float",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    change: dict[str, Tensor | None], words: str, tmp_path: Path
) -> None:
    tensors = {**state("G"), **change}
    copied(tmp_path, "E")
    torch.save({n: t for n, t in tensors.items() if t is not None}, tmp_path / "1_net_G.pth")
    with pytest.raises(UserError, match=words):
        convert([tmp_path])


def test_a_file_that_could_run_code_is_refused(tmp_path: Path) -> None:
    copied(tmp_path, "E")
    torch.save({"a": Fraction(1, 2)}, tmp_path / "1_net_G.pth")
    with pytest.raises(UserError, match=r"fractions\.Fraction, which could run code"):
        convert([tmp_path])
