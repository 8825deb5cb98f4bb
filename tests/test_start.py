"""The start: no torch where none is needed, little memory, mistakes told before a model loads."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import own_process

BOX = ("--box", "20,20,30,30")
WITHOUT = {
    "telea": [*BOX, "--model", "telea"],
    "navier-stokes": [*BOX, "--model", "navier-stokes"],
    "a preview": [*BOX, "--preview"],
    "no hole": [],
    "half a box": ["--box", "1,1"],
    "a box outside": ["--box", "900,900,5,5"],
    "a mask that is not there": ["--mask", "nowhere.png"],
    "no transparency": ["--mask-alpha"],
    "an unknown model": [*BOX, "--model", "tela"],
    "an unknown option": [*BOX, "--modle", "telea"],
    "several of one kind": [*BOX, "--model", "telea", "-n", "3"],
    "a temperature of none": [*BOX, "--model", "telea", "--temperature", "2"],
    "an option of others": [*BOX, "--model", "telea", "--top-k", "3"],
    "a likelihood of none": [*BOX, "--rank", "log-prob"],
    "several in one file": [*BOX, "-o", "one.png", "-n", "2"],
}
"""What needs neither torch nor a compiler -> what is typed after the photo."""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize("case", WITHOUT)
def test_what_needs_no_network_loads_no_torch(case: str, photo: Path, top: Path) -> None:
    words = WITHOUT[case]
    place = [] if "-o" in words else ["-o", photo.parent / "o"]
    ended = own_process.run("complete", photo, *words, *place, top=top)
    assert ended.exit_code == (0 if case in list(WITHOUT)[:3] else 2)
    assert not {"torch", "numba"} & set(ended.libraries)
    assert ended.seconds < 1.5  # two thirds of it would be torch alone
    assert ended.peak_bytes < 120e6


def test_the_list_of_models_loads_no_library(top: Path) -> None:
    ended = own_process.run("models", top=top)
    assert (ended.exit_code, ended.libraries) == (0, [])


def test_patches_load_no_torch(photo: Path, top: Path) -> None:
    words = ["--model", "patches", "-n", "2", "-o", photo.parent / "o"]
    ended = own_process.run("complete", photo, *BOX, *words, top=top)
    assert ended.exit_code == 0
    assert not {"torch", "scipy.linalg"} & set(ended.libraries)
    assert ended.peak_bytes < 400e6  # machine code may have to be made first


def test_a_network_that_has_nothing_to_draw_is_not_loaded(photo: Path, top: Path) -> None:
    thin = ("--box", "20,20,60,3")
    ended = own_process.run("complete", photo, *thin, "-n", "1", "-o", photo.parent / "o", top=top)
    assert (ended.exit_code, "torch" in ended.libraries) == (0, False)
    assert ended.stderr.startswith("loading latent-codes-photos64 ...\n")


def test_results_in_the_way_are_told_of_before_the_network_is_loaded(
    photo: Path, top: Path
) -> None:
    foreign = photo.parent / "o" / "a-0.png"
    foreign.parent.mkdir()
    foreign.write_bytes(photo.read_bytes())
    ended = own_process.run("complete", photo, *BOX, "-n", "1", "-o", foreign.parent, top=top)
    assert (ended.exit_code, "torch" in ended.libraries) == (2, False)
    assert "a-0.png" in ended.stderr


def test_weights_that_are_broken_end_a_batch_at_once(photo: Path, top: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from inpaint_cli.weights import read_header

    shipped = top / "inpaint_cli" / "zoo" / "pcnn-digits.safetensors"
    weights, broken = load_file(shipped), photo.parent / "broken.safetensors"
    first = next(name for name, values in weights.items() if values.is_floating_point())
    weights[first].view(-1)[0] = torch.nan
    save_file(weights, broken, metadata=read_header(shipped))
    Image.new("L", (8, 8), 90).save(photo)
    Image.new("L", (8, 8), 80).save(photo.parent / "b.png")
    words = ["--box", "2,2,3,3", "--model", broken, "-n", "1", "-o", photo.parent / "o"]
    ended = own_process.run("complete", photo, photo.parent / "b.png", *words, top=top)
    assert ended.exit_code == 2
    assert ended.stderr.count("no numbers") == 1


def test_a_dry_run_loads_no_more_than_it_needs(
    tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path))  # where no digits were read before
    words = ["--model", "pcnn", "--data", "digits", "--preset", "digits", "--device", "cpu"]
    ended = own_process.run("train", *words, "--dry-run", top=top)
    assert ended.exit_code == 0, ended.stderr
    assert set(ended.libraries) <= {"torch", "numpy", "cv2"}
    assert ended.peak_bytes < 400e6
    assert "parameters: total 132,192" in ended.stdout


AT_FIRST_LINE = """
import sys, time
import inpaint_cli.reporting as reporting
say = reporting._say


def at_first_line(text):
    reporting._say = say
    loaded = ["torch"] if "torch" in sys.modules else []
    print("first:", loaded, time.process_time() < 1.5, text, file=sys.stderr)
    raise KeyboardInterrupt


reporting._say = at_first_line
"""
FIRST_LINES = {
    "complete": (["PHOTO", *BOX, "--model", "pcnn-photos32"], "loading pcnn-photos32 ..."),
    "train": (["--model", "pcnn", "--data", "digits"], "loading pcnn ..."),
    "train --resume": (["--resume"], "loading the newest run ..."),
    "train --from-weights": (
        ["--from-weights", "pcnn-digits", "--stage", "pixels", "--data", "digits"],
        "loading pcnn-digits ...",
    ),
    "score": (["--model", "telea", "--model", "pcnn-digits"], "loading telea, pcnn-digits ..."),
    "calibrate": (["--model", "pcnn-digits", "--data", "digits"], "loading pcnn-digits ..."),
    "design": (["--data", "mnist", "--model", "a", "--classifier", "b"], "loading a, b ..."),
    "ood": (["PHOTO", "--model", "ipa-cifar32"], "loading ipa-cifar32 ..."),
    "convert": (["--from", "pcnn", "masks", "-o", "x.safetensors"], "loading masks ..."),
}
"""Commands that load something -> what is typed, and what is said at once."""


@pytest.mark.parametrize("case", FIRST_LINES)
def test_what_is_loaded_is_said_before_torch_is(case: str, photo: Path, top: Path) -> None:
    words, line = FIRST_LINES[case]
    typed = [str(photo) if word == "PHOTO" else word for word in words]
    ended = own_process.run(case.split()[0], *typed, top=top, before=AT_FIRST_LINE)
    assert f"first: [] True {line}" in ended.stderr


def test_an_interruption_while_it_starts_is_one_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import inpaint_cli
    from inpaint_cli.__main__ import run

    class Interrupting:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "inpaint_cli.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "inpaint_cli.cli", raising=False)
    monkeypatch.delattr(inpaint_cli, "cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        run()
    assert (end.value.code, capsys.readouterr().err) == (130, "interrupted\n")
