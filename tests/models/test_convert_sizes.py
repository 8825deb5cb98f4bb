"""Foreign files and settings that ask for networks which no machine holds: refused unbuilt."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from inpaint_cli.configuration import to_dict, to_toml
from inpaint_cli.errors import UserError
from inpaint_cli.models.foreign import read_state
from tests import own_process
from tests.models.ipa.small_vaes import random_vae, small_config

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")

LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
"""
"""Where nothing is refused, 8 GiB of addresses run out; the machine has more important work."""
CONFIG = {
    "dataset": "mnist",
    "resize": 28,
    "num_colors": 2,
    "depth": 16,
    "num_filters_prior": 32,
    "num_filters_cond": 32,
    "filter_size": 5,
    "batch_size": 64,
    "epochs": 50,
    "lr": 4e-4,
}


def pcnn(folder: Path, **settings: Any) -> list[Path]:
    torch.save({"prior_net.a": torch.zeros(1)}, folder / "model.pt")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **settings}))
    return [folder]


def vdvae(folder: Path, **settings: Any) -> list[Path]:
    state = {n: t for n, t in random_vae().state_dict().items() if "part_enc" not in n}
    torch.save(state, folder / "model-ema.th")
    (folder / "config.toml").write_text(to_toml(to_dict(small_config(**settings))))
    return [folder / "model-ema.th", folder / "config.toml"]


def pic(folder: Path) -> list[Path]:
    state = {
        "block0.conv1.module.weight_bar": torch.zeros(16384, 3, 1, 1),
        **{f"encoder{i}.conv1.module.bias": torch.zeros(16384) for i in range(4)},
        **{f"x{i}": torch.zeros(1) for i in range(200)},
        "posterior.conv1.module.bias": torch.zeros(16384),
        "posterior.conv2.module.bias": torch.zeros(16384),
    }
    for name in ("E", "G"):
        torch.save(state, folder / f"1_net_{name}.pth")
    return [folder]


def taming(folder: Path) -> list[Path]:
    state = {
        "quant_conv.weight": torch.zeros(4, 4, 1, 1),
        "quantize.embedding.weight": torch.zeros(16, 4),
        "encoder.conv_in.weight": torch.zeros(16384, 3, 1, 1),
        "encoder.conv_out.weight": torch.zeros(4, 1, 1, 1),
        "encoder.down.0.block.0.conv2.weight": torch.zeros(16384, 1, 1, 1),
        "encoder.down.1.block.0.conv2.weight": torch.zeros(16384, 1, 1, 1),
    }
    torch.save(state, folder / "last.ckpt")
    return [folder / "last.ckpt"]


DEEP = {
    "width": 16384,
    "custom_widths": "",
    "enc_blocks": "8x900,8d8,1x1",
    "dec_blocks": "1x1,8m1,8x900",
}
CASES: Mapping[str, tuple[str, Callable[[Path], list[Path]], str]] = {
    "pcnn, wide and deep": (
        "pcnn",
        lambda p: pcnn(p, depth=256, num_filters_prior=16384, filter_size=63),
        "asks for a network of more than 103 modules",
    ),
    "pcnn, wide": (
        "pcnn",
        lambda p: pcnn(p, depth=2, num_filters_prior=16384, filter_size=63),
        "'prior_net.input_to_stacks.vertical_conv.weight' is missing",
    ),
    "vdvae, deep": (
        "vdvae",
        lambda p: vdvae(p, **DEEP),
        "asks for a network of more than",
    ),
    "vdvae, wide": (
        "vdvae",
        lambda p: vdvae(p, width=16384, custom_widths=""),
        "the config asks for",
    ),
    "pic, wide": ("pic", pic, "the other files ask for 16384x3x3x3"),
    "taming, wide": ("taming", taming, "the other tensors ask for 16384x3x3x3"),
}


@pytest.mark.parametrize("case", CASES)
def test_sizes_are_compared_before_anything_is_built(case: str, tmp_path: Path, top: Path) -> None:
    layout, write, words = CASES[case]
    output = tmp_path / "ours.safetensors"
    arguments = ("convert", "--from", layout, *write(tmp_path), "-o", output)
    ended = own_process.run(*arguments, top=top, before=LIMIT)
    assert ended.exit_code == 2, ended.stderr
    assert words in ended.stderr
    progress, *errors = ended.stderr.splitlines()
    assert progress.startswith("loading "), ended.stderr
    assert len(errors) == 1, ended.stderr
    assert ended.peak_bytes < 700 << 20
    assert ended.seconds < 15
    assert not output.exists()


@pytest.mark.parametrize("new", [True, False])
def test_tensors_that_are_larger_than_their_file_are_refused(new: bool, tmp_path: Path) -> None:
    state = {"a": torch.zeros(1).expand(1 << 20, 1 << 20)}
    torch.save(state, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
    with pytest.raises(UserError, match=r"would take 4194304 MiB, but it has \d+ KiB"):
        read_state(tmp_path / "m.pt")


def test_tensors_that_share_their_values_are_read(tmp_path: Path) -> None:
    state = {"a": torch.ones(1, 3).expand(64, 3), "b": torch.ones(4)}
    torch.save(state, tmp_path / "m.pt")
    assert torch.equal(read_state(tmp_path / "m.pt")["a"], torch.ones(64, 3))


def test_sparse_tensors_are_refused_by_name(tmp_path: Path) -> None:
    torch.save({"a": torch.eye(3).to_sparse()}, tmp_path / "m.pt")
    with pytest.raises(UserError, match=r"'a' is a sparse tensor"):
        read_state(tmp_path / "m.pt")


def test_tables_in_a_million_places_are_looked_at_once(tmp_path: Path) -> None:
    inside: dict[str, Any] = {"state_dict": {"a": torch.ones(1)}}
    for _ in range(60):
        inside = {"one": inside, "other": inside}
    torch.save(inside, tmp_path / "m.pt")
    assert read_state(tmp_path / "m.pt").keys() == {"a"}
