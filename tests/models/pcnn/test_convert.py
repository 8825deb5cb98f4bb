"""The authors' files: everything fits by name and shape, or a sentence says what does not."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor

from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.models.pcnn.convert import convert, our_mask, read_config, their_names
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from inpaint_cli.weights import load_weights
from tests.hostile_files import Payload
from tests.models.pcnn.golden_folders import folders, tensors


@pytest.fixture(params=folders(), ids=lambda path: path.name)
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder as the authors leave it: config.json and a non-zip model.pt."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    shutil.copy(request.param / "config.json", folder)
    save(folder, tensors(request.param, "model"))
    return folder


def save(folder: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, folder / "model.pt", _use_new_zipfile_serialization=False)


def state_of(folder: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(folder / "model.pt", weights_only=True)
    return state


def test_a_folder_and_its_model_pt_give_the_same_model(theirs: Path) -> None:
    first, second = convert([theirs]), convert([theirs / "model.pt"])
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_older_files_without_batch_counts_are_read(theirs: Path) -> None:
    state = {k: v for k, v in state_of(theirs).items() if not k.endswith("num_batches_tracked")}
    save(theirs, state)
    assert not convert([theirs]).training


@pytest.mark.parametrize("head", ["model.", "ema.", "net.inner."])
def test_what_a_trainer_puts_before_the_names_is_left_out(theirs: Path, head: str) -> None:
    whole, state = convert([theirs]).state_dict(), state_of(theirs)
    save(theirs, {f"{head}{name}": tensor for name, tensor in state.items()})
    converted = convert([theirs]).state_dict()
    assert all(torch.equal(converted[name], tensor) for name, tensor in whole.items())
    save(theirs, {f"{start}{n}": t for n, t in state.items() for start in (head, "average.")})
    with pytest.raises(UserError, match=r"several networks, which begin with 'average\.', '"):
        convert([theirs])


def test_a_missing_tensor_is_named(theirs: Path) -> None:
    state = state_of(theirs)
    del state["prior_net.gated_stacks.1.vertical_conv.weight"]
    save(theirs, state)
    with pytest.raises(
        UserError, match=r"'prior_net\.gated_stacks\.1\.vertical_conv\.weight' is m"
    ):
        convert([theirs])


def test_a_misshapen_tensor_is_named_with_both_shapes(theirs: Path) -> None:
    config = json.loads((theirs / "config.json").read_text())
    (theirs / "config.json").write_text(json.dumps({**config, "num_filters_prior": 24}))
    with pytest.raises(UserError, match=r"is \d+x.*asks for 48x"):
        convert([theirs])


def test_a_surplus_tensor_is_named(theirs: Path) -> None:
    save(theirs, {**state_of(theirs), "optimizer.step": torch.zeros(1)})
    with pytest.raises(UserError, match=r"no place, 'optimizer\.step' first"):
        convert([theirs])


def test_a_wrong_mask_is_refused(theirs: Path) -> None:
    state = state_of(theirs)
    name = next(k for k in state if k.endswith("vertical_conv.mask"))
    save(theirs, {**state, name: 1 - state[name]})
    with pytest.raises(UserError, match="not the mask"):
        convert([theirs])


@pytest.mark.parametrize("change", ["flat", "one number", "empty", "elsewhere", "other layer"])
def test_a_mask_that_is_none_has_no_place(theirs: Path, change: str) -> None:
    state = state_of(theirs)
    name = next(k for k in state if "input_to_stacks.horizontal_conv." in k and "mask" in k)
    mask = state[name]
    wrong = {
        "flat": {name: mask.flatten()},
        "one number": {name: torch.tensor(1.0)},
        "empty": {name: mask[:0]},
        "elsewhere": {name.replace("input_to_stacks", "gated_stacks.99"): mask},
        "other layer": {"prior_net.input_to_stacks.vertical_to_horizontal.mask": mask},
    }
    save(theirs, {**state, **wrong[change]})
    with pytest.raises(UserError, match=r"1 tensors have no place, '.*\.mask' first"):
        convert([theirs])


def test_of_weights_that_are_joined_the_one_that_is_missing_is_named(theirs: Path) -> None:
    state = state_of(theirs)
    name = next(k for k in state if "stacks.0.horizontal_conv." in k and k.endswith("weight"))
    del state[name]
    save(theirs, state)
    with pytest.raises(UserError, match=rf"'{name}' is missing, shape \d+x"):
        convert([theirs])


@pytest.mark.parametrize("kind", [torch.int8, torch.int64, torch.bool])
def test_integers_are_refused(theirs: Path, kind: torch.dtype) -> None:
    state = state_of(theirs)
    name = "prior_net.gated_stacks.1.vertical_conv.weight"
    save(theirs, {**state, name: (50 * state[name]).to(kind)})
    with pytest.raises(UserError, match=rf"'{name}' is .* of {str(kind)[6:]}; .* of float"):
        convert([theirs])


def test_an_unconstrained_model_is_refused(theirs: Path) -> None:
    state = {
        k.removeprefix("prior_net."): v for k, v in state_of(theirs).items() if "prior_net" in k
    }
    save(theirs, state)
    with pytest.raises(UserError, match="unconstrained"):
        convert([theirs])


def test_a_pickle_that_would_run_code_is_refused_and_does_not(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(theirs)
    torch.save({"x": Payload()}, theirs / "model.pt")
    with pytest.raises(UserError, match="could run code"):
        convert([theirs])
    assert not (theirs / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"not a file of torch", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_refused(theirs: Path, content: bytes) -> None:
    (theirs / "model.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.pt: "):
        convert([theirs])


def test_of_two_files_none_is_taken_in_silence(theirs: Path) -> None:
    shutil.copy(theirs / "model.pt", theirs / "older.pt")
    with pytest.raises(UserError, match="one file of weights, got 2"):
        convert([theirs / "older.pt", theirs / "model.pt"])
    convert([theirs, theirs / "older.pt"])


def test_of_the_files_of_several_epochs_none_is_taken_in_silence(theirs: Path) -> None:
    (theirs / "model.pt").rename(theirs / "model9.pt")
    last = convert([theirs])
    shutil.copy(theirs / "model9.pt", theirs / "model10.pt")
    with pytest.raises(UserError, match=r"2 files model\*\.pt in it; name the one you want"):
        convert([theirs])
    named = convert([theirs, theirs / "model9.pt"])
    for name, tensor in named.state_dict().items():
        assert torch.equal(tensor, last.state_dict()[name]), name


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json: no such file"):
        convert([tmp_path])


COLOUR = {
    "dataset": "celeba",
    "resize": 8,
    "num_colors": 32,
    "depth": 3,
    "num_filters_prior": 6,
    "num_filters_cond": 6,
    "filter_size": 3,
    "batch_size": 64,
    "epochs": 80,
    "lr": 4e-4,
}


def in_their_names(model: PixelConstrainedCNN) -> dict[str, Tensor]:
    """Return the state dict that the authors' RGB class would save, its masks included."""
    theirs: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        names = their_names(name, rgb=True)
        parts = tensor.chunk(len(names)) if len(names) > 1 else [tensor]
        theirs |= dict(zip(names, parts, strict=True))
    masked = [n for n in theirs if ".conv_" in n and n.endswith(".weight")]
    return theirs | {
        (mask := f"{name.removesuffix('.weight')}.mask"): our_mask(mask, theirs[name], model)
        for name in masked
    }


def test_their_colour_network_with_a_head_of_1023_is_converted_and_scored(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(COLOUR))
    torch.manual_seed(0)
    model = PixelConstrainedCNN(read_config(tmp_path / "config.json"))
    assert model.config.head == 1023
    save(tmp_path, in_their_names(model))
    weights = str(tmp_path / "ours.safetensors")
    runner = CliRunner()
    done = runner.invoke(main, ["convert", "--from", "pcnn", str(tmp_path), "-o", weights])
    assert done.exit_code == 0, done.output
    converted = load_weights(Path(weights)).state_dict()  # type: ignore[attr-defined]
    for name, tensor in model.state_dict().items():
        assert torch.equal(converted[name], tensor), name
    for index in range(3):
        Image.new("RGB", (8, 8), (80 * index, 9, 200)).save(tmp_path / f"{index}.png")
    options = ["--model", weights, "--data", str(tmp_path), "--limit", "1", "-k", "1"]
    scored = runner.invoke(main, ["score", *options, "--metrics", "mae", "--json"])
    assert scored.exit_code == 0, scored.output
    assert '"mae"' in scored.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": "fast"}, "lr: must be a number"),
        ({"depth": [3]}, "depth: must be a whole number"),
        ({"depth": None}, "missing 'depth'"),
    ],
)
def test_a_setting_of_theirs_that_cannot_be_is_named(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    theirs = {name: value for name, value in {**COLOUR, **change}.items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(theirs))
    with pytest.raises(UserError, match=message):
        read_config(tmp_path / "config.json")
