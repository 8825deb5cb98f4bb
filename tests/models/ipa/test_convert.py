"""The authors' files: everything fits by name and shape, or a sentence says what does not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.configuration import to_dict, to_toml
from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa.convert import check, convert, infer
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.presets import PUBLISHED
from tests.golden_files import golden
from tests.models.ipa.small_vaes import random_vae, small_config

LAYOUTS: dict[str, dict[str, list[int]]] = json.loads(
    (golden("vdvae") / "layouts.json").read_text()
)


def theirs(layout: str) -> dict[str, Tensor]:
    """Return the state dict of a small network as the authors keep it."""
    state = random_vae().state_dict()
    if layout == "vdvae":
        return {name: tensor for name, tensor in state.items() if "part_enc" not in name}
    return dict(state)


def written(folder: Path, state: dict[str, Tensor], name: str = "model-ema.th") -> list[Path]:
    """Write a file as the authors do, and the settings beside it."""
    torch.save(state, folder / name, _use_new_zipfile_serialization=False)
    settings = folder / "config.toml"
    settings.write_text(to_toml(to_dict(small_config())))
    return [folder / name, settings]


@pytest.mark.parametrize("layout", ["vdvae", "ipa"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_tensor_finds_its_place_with_and_without_the_wrapper(
    layout: str, prefix: str, tmp_path: Path
) -> None:
    state = theirs(layout)
    files = written(tmp_path, {prefix + name: tensor for name, tensor in state.items()})
    model = convert(layout, files)
    assert not model.training
    assert model.config == small_config()
    converted = model.state_dict()
    assert all(torch.equal(converted[name], tensor) for name, tensor in state.items())


def test_a_vae_alone_gets_the_same_random_partial_encoder_each_time(tmp_path: Path) -> None:
    files = written(tmp_path, theirs("vdvae"))
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = convert("vdvae", files), convert("vdvae", files)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.part_encoder.in_conv.weight.any()


def test_unused_heads_of_an_unconditional_ipa_file_are_left_out(tmp_path: Path) -> None:
    state = {k: v for k, v in theirs("ipa").items() if not k.startswith("part_encoder.")}
    assert isinstance(convert("vdvae", written(tmp_path, state)), CompletingVae)


def test_a_folder_gives_its_averaged_weights(tmp_path: Path) -> None:
    state = theirs("ipa")
    settings = written(tmp_path, state)[1]
    torch.save({name: tensor + 1 for name, tensor in state.items()}, tmp_path / "model.th")
    (tmp_path / "opt.th").write_bytes(b"")
    model = convert("ipa", [tmp_path, settings])
    assert torch.equal(model.decoder.gain, state["decoder.gain"])


@pytest.mark.golden
@pytest.mark.vdvae
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("conditional", [False, True])
def test_full_size_files_are_recognised_by_their_shapes(name: str, conditional: bool) -> None:
    shapes = dict(LAYOUTS[name])
    if conditional:
        shapes |= {k.replace(".enc.", ".part_enc."): v for k, v in shapes.items() if ".enc." in k}
        shapes |= {f"part_{k}": v for k, v in shapes.items() if k.startswith("encoder.")}
        width, channels, *side = shapes["encoder.in_conv.weight"]
        shapes["part_encoder.in_conv.weight"] = [width, channels + 1, *side]
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    path = Path("folder/model-ema.th")
    config = infer(state, path)
    assert config == PUBLISHED[name]
    with torch.device("meta"):
        expected = CompletingVae(config).state_dict()
    check(state, expected, path, conditional)
    assert (set(expected) == set(state)) == conditional


@pytest.mark.golden
@pytest.mark.vdvae
@pytest.mark.parametrize(
    ("named", "preset"),
    [
        ("xray-ipa/model-ema.th", "xray"),
        ("ffhq_256-ipa/model.th", "ffhq256"),
        ("folder/file.th", "ffhq256"),
    ],
)
def test_presets_that_share_their_networks_are_told_apart_by_name(named: str, preset: str) -> None:
    state = {key: torch.empty(shape, device="meta") for key, shape in LAYOUTS["ffhq256"].items()}
    assert infer(state, Path(named)) == PUBLISHED[preset]


def broken(state: dict[str, Tensor], change: str) -> dict[str, Tensor]:
    name = "decoder.dec_blocks.1.prior.c2.weight"
    if change == "missing":
        del state[name]
    elif change == "misshapen":
        state[name] = state[name][:, :1]
    elif change == "surplus":
        state["decoder.dec_blocks.9.prior.c2.weight"] = state[name]
    elif change == "integers":
        state[name] = state[name].to(torch.int8)
    else:
        state[name] = torch.full_like(state[name], float("nan"))
    return state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"'decoder\.dec_blocks\.1\.prior\.c2\.weight' is missing, shape 3x3x3x3"),
        ("misshapen", r"c2\.weight' is 3x1x3x3 of float; the config asks for 3x3x3x3"),
        ("integers", r"c2\.weight' is 3x3x3x3 of int8; the config asks for 3x3x3x3 of float"),
        ("surplus", r"1 tensors have no place, 'decoder\.dec_blocks\.9"),
        ("nan", "no numbers"),
    ],
)
@pytest.mark.parametrize("layout", ["vdvae", "ipa"])
def test_what_does_not_fit_is_named(layout: str, change: str, message: str, tmp_path: Path) -> None:
    files = written(tmp_path, broken(theirs(layout), change))
    with pytest.raises(UserError, match=message):
        convert(layout, files)


@pytest.mark.parametrize(("layout", "other"), [("vdvae", "ipa"), ("ipa", "vdvae")])
def test_a_file_of_the_other_layout_says_so(layout: str, other: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"read it as layout '{other}'"):
        convert(layout, written(tmp_path, theirs(other)))


def test_a_network_of_no_preset_needs_its_settings(tmp_path: Path) -> None:
    weights = written(tmp_path, theirs("ipa"))[0]
    with pytest.raises(UserError, match=r"of no published preset \(width 8, channels 3, zdim 2"):
        convert("ipa", [weights])


def test_settings_may_name_a_preset_and_what_differs(tmp_path: Path) -> None:
    files = written(tmp_path, theirs("ipa"))
    files[1].write_text('preset = "cifar99"\n')
    with pytest.raises(UserError, match="Did you mean 'cifar10'"):
        convert("ipa", files)
    changes: dict[str, Any] = {k: v for k, v in to_dict(small_config()).items() if k != "training"}
    files[1].write_text('preset = "cifar10"\n' + to_toml(changes))
    assert convert("ipa", files).config.zdim == 2


class Payload:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("run",))


def test_a_pickle_that_runs_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"decoder.gain": Payload()}, tmp_path / "model.th")
    with pytest.raises(UserError, match="refused"):
        convert("ipa", [tmp_path / "model.th"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.th", b"nothing", "damaged, or not a PyTorch file|refused"),
        ("model.safetensors", b"nothing", "damaged, or not a safetensors file"),
        ("opt.th", b"", "holds no weights"),
    ],
)
def test_a_file_that_is_none_is_refused(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        convert("ipa", [tmp_path / name])


def test_folders_without_or_with_too_many_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model-ema\.th"):
        convert("ipa", [tmp_path])
    for name in ("a-model-ema.th", "b-model-ema.th"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match="name the one you want"):
        convert("ipa", [tmp_path])
    with pytest.raises(UserError, match="give one file of weights"):
        convert("ipa", [])
