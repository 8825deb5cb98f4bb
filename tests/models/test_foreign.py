"""Foreign weight files: their tensors are read, and nothing else of theirs ever runs."""

import struct
import sys
import zipfile
from argparse import Namespace
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from inpaint_cli.errors import UserError
from inpaint_cli.models.foreign import check_finite, read_state, unwrapped
from tests.hostile_files import Payload

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.ones(4, dtype=torch.float16)}


def assert_state(path: Path) -> None:
    state = read_state(path)
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in STATE.items())


@pytest.mark.parametrize("content", [STATE, {"state_dict": STATE, "optimizer_states": [{"x": 1}]}])
@pytest.mark.parametrize("new", [True, False])
def test_pickles_with_and_without_a_trainers_state_are_read(
    tmp_path: Path, content: dict[str, Any], new: bool
) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=new)
    assert_state(path)


@pytest.mark.parametrize(
    "content",
    [
        {"model": STATE, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}},
        {"model_state_dict": STATE, "epoch": 3, "loss": torch.ones(())},
        {"net": {"module." + name: tensor for name, tensor in STATE.items()}},
        {"best": {"network": STATE, "opt_state": STATE}},
        {"state_dict": STATE, "ema": STATE},
    ],
)
@pytest.mark.parametrize("new", [True, False])
def test_the_one_table_of_tensors_is_found_whatever_it_is_called(
    tmp_path: Path, content: dict[str, Any], new: bool
) -> None:
    torch.save(content, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
    assert_state(tmp_path / "m.pt")


def test_of_two_tables_none_is_chosen_in_silence(tmp_path: Path) -> None:
    torch.save({"model": STATE, "ema": STATE}, tmp_path / "m.pt")
    with pytest.raises(UserError, match=r"2 tables of tensors: model \(2\), ema \(2\)"):
        read_state(tmp_path / "m.pt")


def test_wrappers_of_parts_are_stripped_but_not_layers_of_that_name() -> None:
    one = torch.ones(1)
    assert unwrapped({"_orig_mod.a.b": one, "_orig_mod.c": one}).keys() == {"a.b", "c"}
    assert unwrapped({"a.module.b.c": one, "d.e": one}).keys() == {"a.b.c", "d.e"}
    kept = {"conv.module.weight_bar": one, "out.conv1.module.bias": one}
    assert unwrapped(kept).keys() == kept.keys()


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    assert_state(tmp_path / "model.safetensors")


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> type:
    """A class of a package that is not installed."""
    module = ModuleType("pytorch_lightning.callbacks")
    exec("class ModelCheckpoint:\n    def __init__(self, *more): self.more = more", vars(module))
    vars(module)["ModelCheckpoint"].__module__ = module.__name__
    for name in ("pytorch_lightning", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    checkpoint: type = vars(module)["ModelCheckpoint"]
    return checkpoint


def test_the_objects_of_a_trainer_need_not_be_known(
    tmp_path: Path, lightning: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    kept = {"callbacks": {lightning: lightning("best", 1)}, "state_dict": STATE}
    torch.save(kept, path)
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        monkeypatch.delitem(sys.modules, name)
    assert_state(path)
    assert "pytorch_lightning" not in sys.modules


@pytest.fixture
def config_package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of config containers that is not installed: one like a dict, one of its own."""
    module = ModuleType("omegaconf")
    source = """
class DictConfig:
    def __init__(self, content): self._content = content
class CfgDict(dict):
    pass
"""
    exec(source, vars(module))
    for name in ("DictConfig", "CfgDict"):
        vars(module)[name].__module__ = "omegaconf"
    monkeypatch.setitem(sys.modules, "omegaconf", module)
    return module


@pytest.mark.parametrize("new", [True, False])
def test_containers_of_settings_are_inert_in_both_formats(
    tmp_path: Path, config_package: ModuleType, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    table = config_package.CfgDict(lr=1)
    table.parent = table
    kept = {
        "args": Namespace(lr=1, seen=[Path("a")]),
        "config": config_package.DictConfig({"type": Any, "int": int, "list": list}),
        "counts": defaultdict(list, a=[1]),
        "table": table,
        "model": STATE,
    }
    torch.save(kept, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
    monkeypatch.delitem(sys.modules, "omegaconf")
    assert_state(tmp_path / "m.pt")
    assert "omegaconf" not in sys.modules


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(value: float) -> None:
    linear = torch.nn.Linear(2, 2)
    model: Any = linear
    check_finite(model, [])
    linear.weight.data[0, 0] = value
    with pytest.raises(UserError, match=r"a/b\.pt: 'weight' would hold values that are no numbers"):
        check_finite(model, [Path("a/b.pt")])


@pytest.mark.parametrize("new", [True, False])
def test_code_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(
        {"state_dict": STATE, "x": Payload()},
        tmp_path / "model.ckpt",
        _use_new_zipfile_serialization=new,
    )
    with pytest.raises(UserError, match=r"it holds builtins\.eval, which could run code"):
        read_state(tmp_path / "model.ckpt")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"not a file of torch", b"PK\x03\x04 cut off"])
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.\w+: damaged"):
        read_state(path)


def test_an_archive_of_several_disks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 1, 0, 2)
    path.write_bytes(bytes(64) + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", *[0] * 7))
    with pytest.raises(UserError, match=r"model.pt: damaged, or not a PyTorch file"):
        read_state(path)


def test_of_what_torch_says_the_first_sentence_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UserError, match=r"^[^:]*model\.ckpt: [^.]*\.$"):
        read_state(path)


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"model\.ckpt: damaged"):
        read_state(path)


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {"state_dict": {"a": "text"}}])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "model.ckpt")
    with pytest.raises(UserError, match="not a state dict"):
        read_state(tmp_path / "model.ckpt")


@pytest.mark.parametrize("sums", [True, False])
def test_a_part_that_is_not_what_was_written_is_refused_where_there_are_sums(
    tmp_path: Path, sums: bool
) -> None:
    path, before = tmp_path / "model.pt", torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(sums)
    try:
        torch.save(STATE, path)
    finally:
        torch.serialization.set_crc32_options(before)
    assert_state(path)
    values = STATE["a.weight"].numpy().tobytes()
    whole = path.read_bytes()
    assert whole.count(values) == 1
    path.write_bytes(whole.replace(values, bytes(len(values))))
    if sums:
        with pytest.raises(UserError, match=r"model\.pt: damaged: '.*/data/0' in it is not what"):
            read_state(path)


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        (torch.ones(2, 2).to_sparse(), "sparse"),
        (torch.ones(2, dtype=torch.complex64), "complex"),
        (torch.ones(2, device="meta"), "meta"),
    ],
)
def test_tensors_that_are_no_plain_numbers_are_refused_by_kind(
    tmp_path: Path, tensor: torch.Tensor, kind: str
) -> None:
    torch.save({**STATE, "c": tensor}, tmp_path / "model.pt")
    with pytest.raises(UserError, match=f"'c' is a {kind}.* tensor, which is not read"):
        read_state(tmp_path / "model.pt")


@pytest.mark.parametrize("new", [True, False])
def test_what_is_refused_is_named(
    tmp_path: Path, new: bool, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "model.pt"
    torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=new)
    with pytest.raises(UserError, match=r"it holds torch\.nn\.modules\.linear\.Linear"):
        read_state(path)
    torch.save(STATE, path, pickle_protocol=4, _use_new_zipfile_serialization=new)
    with pytest.raises(UserError, match="a pickle of protocol 4 or 5"):
        read_state(path)
    assert not recwarn.list


def test_a_program_of_torch_is_no_damaged_file(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "model.pt")
    with zipfile.ZipFile(tmp_path / "model.pt", "a") as archive:
        archive.writestr("archive/constants.pkl", b"")
    with pytest.raises(UserError, match=r"a program \(TorchScript\)"):
        read_state(tmp_path / "model.pt")


def test_a_folder_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a folder"):
        read_state(tmp_path)
