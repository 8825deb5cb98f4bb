"""Completing a photo and writing its results are two steps; failures keep their places apart."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.masks.files import parse_box
from inpaint_cli.photos.batch import BatchJob, BatchRun
from inpaint_cli.photos.holes import HoleSource
from inpaint_cli.photos.pairing import PhotoTask
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.photos.results import ResultNames
from inpaint_cli.photos.spread import Spread
from inpaint_cli.pictures.reading import read
from inpaint_cli.reporting import Reporter
from tests.pretend_model import loaded


def run_of(folder: Path, *names: str) -> BatchRun:
    hole = HoleSource(boxes=(parse_box("2,2,5,5"),))
    model = loaded().model
    job = BatchJob(model, "pretend", None, CompletionRequest(n=2), hole, folder / "o")
    tasks = [PhotoTask(folder / name, Path(Path(name).stem)) for name in names]
    return BatchRun(job, tasks, Reporter(quiet=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    return tmp_path


def test_a_photo_is_completed_without_a_file_and_written_by_its_own_step(folder: Path) -> None:
    run = run_of(folder, "a.png")
    photo = read(folder / "a.png")
    completed = run.complete(run.tasks[0], photo)
    assert not (folder / "o").exists()
    names = ResultNames.of(folder / "a.png", Path("a"), ".png", 2)
    hole = run.job.hole.fields(None, (40, 30), 0)
    item = run.writer.write(names, hole, completed, lambda units=1, text="": None)
    run.writer.finish()
    assert [line["file"] for line in item["completions"]] == names.completions
    assert {file.name for file in (folder / "o").iterdir()} == {*names.all, "completions.json"}
    with Image.open(folder / "o" / "a-1.png") as image:
        np.testing.assert_array_equal(np.asarray(image), completed.samples(1))


def test_a_single_photos_failure_names_it_once(folder: Path) -> None:
    Image.new("L", (1, 1)).save(folder / "tiny.png")
    with pytest.raises(UserError) as caught:
        run_of(folder, "tiny.png").all(several=False)
    assert caught.value.places == (str(folder / "tiny.png"),)
    with pytest.raises(UserError) as caught:
        run_of(folder, "none.png").all(several=False)
    assert str(caught.value).startswith(f"{folder / 'none.png'}: no such file.")


def test_one_of_several_failures_is_kept_and_the_others_are_done(folder: Path) -> None:
    run = run_of(folder, "none.png", "a.png")
    (item,) = run.all(several=True)
    assert item["image"] == str(folder / "a.png")
    (failure,) = run.failed
    assert isinstance(failure.error, UserError)
    assert failure.error.on_command_line(beside=failure.photo).startswith("no such file.")


def test_a_memory_that_runs_out_is_told_in_one_sentence_whoever_tells_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unmapped(*all: object) -> None:
        try:
            raise OSError("libllvmlite.so: failed to map segment from shared object")
        except OSError:
            raise OSError("Could not find/load shared object file")  # noqa: B904

    monkeypatch.setattr("inpaint_cli.photos.batch.complete_photo", unmapped)
    with pytest.raises(ResourceError, match=r"a\.png: out of memory"):
        run_of(folder, "a.png").all(several=False)
    monkeypatch.setattr("inpaint_cli.photos.batch.complete_photo", lambda *all: 1 // 0)
    with pytest.raises(ZeroDivisionError) as caught:
        run_of(folder, "a.png").all(several=False)
    assert caught.value.__cause__ is None  # and not itself


def test_what_was_interrupted_after_its_last_completion_is_not_skipped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again() -> BatchRun:
        run = run_of(folder, "a.png")
        return BatchRun(replace(run.job, skip_existing=True, sheet=False), run.tasks, run.reporter)

    def stop(self: Spread) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Spread, "sentence", stop)
        with pytest.raises(KeyboardInterrupt):
            again().all(several=False)
    (kept,) = json.loads((folder / "o" / "completions.json").read_text())["items"]
    assert (len(kept["completions"]), kept["interrupted"]) == (2, True)
    (item,) = again().all(several=False)
    assert "interrupted" not in item
    assert not again().all(several=False)  # now it is skipped
