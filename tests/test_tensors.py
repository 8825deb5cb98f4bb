"""A flipped bit in any file of ours is noticed; files of before, without a digest, are read."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inpaint_cli import load_model, tensors, zoo
from inpaint_cli.errors import UserError
from inpaint_cli.files import make_folder
from inpaint_cli.locking import Shared
from inpaint_cli.metrics.measuring import WorkFolder
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import checkpoints
from inpaint_cli.training.checkpoints import Checkpoint, Progress
from inpaint_cli.weights import load_weights


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Flips one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def saved(path: Path) -> Path:
    values = {"b": torch.arange(12.0).reshape(3, 4), "a": torch.ones(5, dtype=torch.int64)}
    tensors.save(path, values, {"z": "ä", "format": "1", "a": "x" * 50})
    return path


def test_the_same_content_is_the_same_bytes_and_is_read_back(tmp_path: Path) -> None:
    contents = {saved(tmp_path / f"{number}.safetensors").read_bytes() for number in range(5)}
    assert len(contents) == 1
    path = tmp_path / "0.safetensors"
    tensors.check(path)
    assert load_file(path)["b"].tolist() == torch.arange(12.0).reshape(3, 4).tolist()
    with safe_open(path, framework="pt") as handle:
        assert handle.metadata()["z"] == "ä"


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors")
    whole, draw = path.read_bytes(), random.Random(0)
    keys = [
        range(start, start + len(name))
        for name in (tensors.DIGEST, "__metadata__")
        for start in [whole.index(name.encode())]
    ]
    for _ in range(300):
        path.write_bytes(whole)
        place = draw.randrange(len(whole))
        # Neither the padding of the header says anything, nor the place of the digest in it.
        if whole[place] == ord(" ") or any(place in key for key in keys):
            continue
        flip(path, place, draw.randrange(8))
        with pytest.raises(UserError):
            tensors.check(path)


def test_a_file_without_a_digest_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    save_file({"a": torch.zeros(3)}, path, metadata={"format": "1"})
    tensors.check(path)
    save_file({"a": torch.zeros(3)}, path)
    tensors.check(path)


def test_a_header_without_end_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(tensors.Damaged, match="longer than there can be"):
        tensors.check(path)


def checkpoint(folder: Path, step: int) -> Path:
    return checkpoints.save(
        folder, Checkpoint(Progress("paint", step), {"model/a": torch.full((64,), float(step))})
    )


def test_a_checkpoint_with_a_flipped_bit_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(tmp_path, 1)
    newest = checkpoint(tmp_path, 2)
    flip(newest, newest.stat().st_size - 100)
    expected = {"model/a": torch.zeros(64)}
    taken = checkpoints.load_newest(tmp_path, "paint", expected, [], Reporter())
    assert taken is not None
    assert taken.progress.step == 1
    stderr = capsys.readouterr().err
    assert f"{newest}: damaged" in stderr
    assert "the checkpoint before it is taken" in stderr


def shard(folder: Path) -> tuple[WorkFolder, Path]:
    work = WorkFolder(folder, [range(2)], True, Shared(folder, make_folder))
    work.save(0, {"c.mae": torch.tensor([0.25, 0.5], dtype=torch.float64)})
    return work, work.path(0)


@pytest.mark.parametrize(
    "harm", [lambda path: flip(path, -1), lambda path: path.write_bytes(path.read_bytes()[:-3])]
)
def test_a_damaged_shard_of_a_score_is_named(harm: Callable[[Path], None], tmp_path: Path) -> None:
    work, path = shard(tmp_path)
    assert work.load().figures["mae"].tolist() == [0.25, 0.5]
    harm(path)
    with pytest.raises(UserError, match=r"shard-000000\.safetensors: damaged\. Remove it"):
        work.load()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a model that ships, in a zoo of its own."""
    for path in zoo.FOLDER.glob("pcnn-digits.*"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    return tmp_path / "pcnn-digits.safetensors"


def test_a_model_that_ships_is_compared_with_its_card(shipped: Path) -> None:
    assert load_model("pcnn-digits").weights_sha256 == zoo.whole(shipped)
    flip(shipped, shipped.stat().st_size - 1000)
    load_weights(shipped)  # it has no digest of its own, and is no less a network
    with pytest.raises(UserError, match=r"pcnn-digits\.safetensors: damaged: its SHA-256 is"):
        load_model("pcnn-digits")
