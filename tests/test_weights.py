"""Weight files: round trips, and refusal of whatever is damaged, foreign or tampered with."""

import errno
import json
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from inpaint_cli import zoo
from inpaint_cli.configuration import to_dict
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.loaded_model import load_model
from inpaint_cli.weights import hash_of, load_weights, preset_of, read_header, save_weights
from tests.tiny_family import TinyFamily, TinyModel, register


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> TinyFamily:
    return register(monkeypatch)


@pytest.fixture
def saved(family: TinyFamily, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    model = family.build(family.presets["small"])
    save_weights(path, model, family="tiny", preset="small", extra={"stage": "all"})
    return path


def resave(path: Path, header: Mapping[str, str], **tensors: torch.Tensor) -> None:
    """Writes `path` again with some header entries and tensors replaced."""
    state, kept = load_file(path), read_header(path)
    save_file({**state, **tensors}, path, metadata={**kept, **header})


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_weights_come_back_bit_for_bit(saved: Path, family: TinyFamily) -> None:
    torch.manual_seed(0)
    before, model = family.build(family.presets["small"]), load_weights(saved)
    assert isinstance(model, TinyModel)
    assert isinstance(before, TinyModel)
    assert torch.equal(model.layer.weight, before.layer.weight)
    assert model.config == before.config
    assert not model.training
    assert read_header(saved)["stage"] == "all"


def test_loading_leaves_the_global_generator_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    load_weights(saved)
    assert torch.equal(torch.get_rng_state(), before)


def test_half_precision_is_stored_and_read_as_float32(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_weights(path, load_weights(saved), family="tiny", preset="small", dtype=torch.bfloat16)
    assert load_file(path)["layer.weight"].dtype == torch.bfloat16
    assert load_file(path)["steps"].dtype == torch.int64
    model = load_weights(path)
    assert isinstance(model, TinyModel)
    assert model.layer.weight.dtype == torch.float32


def test_weights_are_as_readable_as_other_files(saved: Path) -> None:
    other = saved.with_name("other")
    other.touch()
    assert saved.stat().st_mode == other.stat().st_mode


def test_the_same_weights_are_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    model, extra = load_weights(saved), {"a": "ä", "stage": "all", "z": "", "more": "x"}
    contents = set()
    for number in range(6):
        path = tmp_path / f"{number}.safetensors"
        save_weights(path, model, family="tiny", preset="small", extra=extra)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert read_header(path)["a"] == "ä"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 64, b"text " * 100])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    assert "not a weight file of inpaint" in refusal(path)


def test_a_pickle_is_refused_unread_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(1)}, path)
    assert "inpaint convert" in refusal(path)


def test_a_safetensors_file_of_others_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    assert "inpaint convert" in refusal(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999))
def test_a_truncated_file_is_refused(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    part = saved.with_name("part.safetensors")
    part.write_bytes(content[: int(len(content) * share)])
    refusal(part)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.data())
def test_a_byte_changed_in_the_header_loads_or_is_refused(saved: Path, data: Any) -> None:
    content = bytearray(saved.read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    place = data.draw(st.integers(0, 7 + length))
    content[place] = data.draw(st.integers(0, 255))
    other = saved.with_name("other.safetensors")
    other.write_bytes(content)
    try:
        model = load_weights(other)
    except UserError as error:
        assert str(other) in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(model, TinyModel)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 10**9}, "width = 1000000000"),
        ({"width": 10**30}, "width = "),
        ({"size": 10**12}, "size: must lie in 0..16384"),
        ({"width": 5}, "do not fit its own config"),
        ({"width": -5}, "describes no network"),
        ({"width": 0}, "do not fit its own config"),
        ({"levels": 1}, "levels: must lie in 2..256"),
        ({"widht": 4}, "Did you mean 'width'?"),
        ({"training": {"all": {"lr": "x"}}}, "must be a number"),
    ],
    ids=str,
)
def test_a_tampered_config_is_refused_before_anything_is_built(
    saved: Path, changes: Mapping[str, Any], words: str
) -> None:
    config = {**json.loads(read_header(saved)["config"]), **changes}
    resave(saved, {"config": json.dumps(config)})
    assert words in refusal(saved)


@pytest.mark.parametrize("config", ["", "3", "[]", "{", "[" * 100_000, "null", '{"size": NaN}'])
def test_a_config_that_is_no_table_is_refused(saved: Path, config: str) -> None:
    resave(saved, {"config": config})
    refusal(saved)


@pytest.mark.parametrize("name", ["telea", "nobody", "../pcnn"])
def test_a_family_without_networks_is_refused(saved: Path, name: str) -> None:
    resave(saved, {"family": name})
    assert f"a model of '{name}'" in refusal(saved)


def test_a_later_format_is_refused(saved: Path) -> None:
    resave(saved, {"format": "2"})
    assert "a model of another version of inpaint" in refusal(saved)


def test_a_family_that_is_not_known_is_told_with_its_file(saved: Path) -> None:
    resave(saved, {"family": "nobody"})
    with pytest.raises(UserError, match=rf"{saved}: a model of 'nobody'"):
        load_model(str(saved))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(saved: Path, value: float) -> None:
    resave(saved, {}, **{"layer.bias": torch.full((4,), value)})
    assert "layer.bias holds values that are no numbers" in refusal(saved)


def test_a_tensor_too_many_is_named(saved: Path) -> None:
    resave(saved, {}, extra=torch.zeros(1))
    assert "extra first" in refusal(saved)


def test_a_disk_that_cannot_be_written_is_said_so(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    model = load_weights(saved)
    monkeypatch.setattr("inpaint_cli.tensors.write_tensors", full)
    with pytest.raises(ResourceError, match="no space left"):
        save_weights(tmp_path / "new.safetensors", model, family="tiny", preset="small")
    assert not (tmp_path / "new.safetensors").exists()


def test_a_preset_is_recognised_by_its_network_alone(family: TinyFamily) -> None:
    small = family.presets["small"]
    assert preset_of(family, type(small)(**{**to_dict(small), "training": {}})) == "small"
    assert preset_of(family, type(small)(**{**to_dict(small), "levels": 9})) == "own"


def test_the_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    # The first test vector of FIPS 180-4.
    assert hash_of(tmp_path / "x").startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c")


def test_a_flipped_bit_in_the_values_is_refused(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    assert "the content has changed since it was written" in refusal(saved)


def test_a_config_of_5000_digits_is_refused_by_name(saved: Path) -> None:
    config = read_header(saved)["config"].replace('"width": 4', f'"width": {"9" * 5000}')
    assert "9" * 5000 in config
    resave(saved, {"config": config})
    assert "width is a number of more than 4300 digits" in refusal(saved)


def test_a_depth_that_its_file_cannot_hold_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deep.safetensors"
    shipped = zoo.FOLDER / "pcnn-digits.safetensors"
    header = read_header(shipped)
    config = {**json.loads(header["config"]), "depth": 250}
    save_file(load_file(shipped), path, metadata={**header, "config": json.dumps(config)})
    load_weights(shipped)  # what torch loads at its first use of "meta" takes seconds
    begun = time.perf_counter()
    assert "asks for a network of more than" in refusal(path)
    assert time.perf_counter() - begun < 2
