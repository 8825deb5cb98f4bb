"""`inpaint complete`: folders of photos, and what their results may replace."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from inpaint_cli.errors import ResourceError
from tests.commands.completing import complete, draw_photo, folder, photo, results_of
from tests.pretend_model import pretend

__all__ = ["folder", "photo", "pretend"]
pytestmark = pytest.mark.usefixtures("pretend")


def test_folders_are_paired_by_name_and_keep_their_shape(folder: Path) -> None:
    result = complete(folder / "in", "-r", "--mask", folder / "masks", "-n", 1, "-o", folder / "o")
    assert result.exit_code == 0, result.output
    written = {str(p.relative_to(folder / "o")) for p in (folder / "o").rglob("*-0.png")}
    assert written == {"a-0.png", "b-0.png", "sub/c-0.png"}
    assert "lonely.png: no photo for this mask" in result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_a_bad_file_does_not_stop_the_others(folder: Path) -> None:
    (folder / "in" / "a.png").write_text("no picture")
    (folder / "masks" / "b_mask001.png").unlink()
    result = complete(folder / "in", "-r", "--mask", folder / "masks", "-n", 1, "-o", folder / "o")
    assert result.exit_code == 3
    assert result.stdout == f"{folder / 'o' / 'sub' / 'c-sheet.png'}\n"
    tail = result.stderr.splitlines()[-3:]
    assert "a.png: not an image" in tail[0]
    assert "b.png: " in tail[1]
    assert "no mask for it" in tail[1]
    assert "2 of 3 photos failed" in tail[2]


def test_a_photo_in_a_closed_folder_does_not_stop_the_others(
    folder: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, stat = folder.parent / "closed" / "c.png", Path.stat

    def refuse(path: Path, **options: Any) -> Any:
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    hole = ("--box", "1,1,3,3", "--model", "telea")
    done = complete(closed, photo, *hole, "-o", folder.parent / "o")
    assert done.exit_code == 3
    assert f"failed: {closed}: may not be read. Check its permissions." in done.stderr


def test_completions_do_not_depend_on_their_company(folder: Path) -> None:
    complete(folder / "in", "-r", "--mask", folder / "masks", "-n", 1, "-o", folder / "o1")
    alone = ["--mask", folder / "masks" / "b_mask001.png", "-n", 1, "-o", folder / "o2"]
    complete(folder / "in" / "b.png", *alone)
    same = (folder / "o1" / "b-0.png").read_bytes() == (folder / "o2" / "b-0.png").read_bytes()
    assert same


def test_photos_that_differ_by_suffix_keep_it(tmp_path: Path) -> None:
    draw_photo(tmp_path / "in" / "a.png")
    draw_photo(tmp_path / "in" / "a.jpg")
    complete(tmp_path / "in", "--box", "0,0,5,5", "-n", 1, "-o", tmp_path / "o")
    assert (tmp_path / "o" / "a.jpg-0.png").exists()
    assert (tmp_path / "o" / "a.png-0.png").exists()


def test_each_failure_begins_with_its_photo_and_is_in_the_json(folder: Path) -> None:
    draw_photo(folder / "in" / "b.png", 1, 1)
    arguments = [folder / "in", "--box", "1,1,5,5", "-n", 1, "-o", folder / "o", "--json"]
    result = complete(*arguments, "--skip-existing")
    assert result.exit_code == 3
    (failure,) = json.loads(result.stdout)["failed"]
    assert failure["image"] == str(folder / "in" / "b.png")
    assert failure["message"].startswith("--box")
    assert "1,1,5,5 holds no pixel" in failure["message"]
    line = f"warning: failed: {failure['image']}: {failure['message']}"
    assert line in result.stderr.splitlines()
    again = json.loads(complete(*arguments, "--skip-existing").stdout)
    assert again["skipped"] == [str(folder / "in" / "a.png")]
    assert again["items"] == []


def test_results_inside_the_input_folder_are_no_photos_of_the_next_run(tmp_path: Path) -> None:
    draw_photo(tmp_path / "a.png")
    arguments = [tmp_path, "-r", "--box", "0,0,5,5", "-n", 1, "-o", tmp_path / "o"]
    complete(*arguments)
    assert len(complete(*arguments).stdout.splitlines()) == 1


def test_own_results_are_replaced_and_foreign_files_only_on_demand(photo: Path) -> None:
    results_of(photo, "o", "-n", 3)
    assert "ä b-2.png" not in results_of(photo, "o", "-n", 2)  # of the larger run, so ours
    foreign = photo.parent / "o" / "ä b-2.png"
    foreign.write_bytes(b"precious")
    arguments = [photo, "--box", "0,0,5,5", "-n", 3, "-o", photo.parent / "o"]
    refused = complete(*arguments)
    assert refused.exit_code == 2
    assert "with --overwrite" in refused.stderr
    assert foreign.read_bytes() == b"precious"
    assert complete(*arguments, "--overwrite").exit_code == 0


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    draw_photo(tmp_path / "a.png")
    draw_photo(tmp_path / "a-0.png")
    before = (tmp_path / "a-0.png").read_bytes()
    result = complete(
        tmp_path / "a.png",
        tmp_path / "a-0.png",
        "--box",
        "0,0,5,5",
        "-n",
        1,
        "-o",
        tmp_path,
        "--overwrite",
    )
    assert result.exit_code == 3
    assert "never replaced" in result.stderr
    assert (tmp_path / "a-0.png").read_bytes() == before


@pytest.mark.parametrize("more", [[], ["--skip-existing"]])
def test_results_of_another_photo_of_the_same_name_stay(tmp_path: Path, more: list[str]) -> None:
    first, second = draw_photo(tmp_path / "a" / "x.png"), draw_photo(tmp_path / "b" / "x.jpg")
    rest = ["--box", "0,0,5,5", "-n", 1, "-o", tmp_path / "o"]
    complete(first, *rest)
    before = (tmp_path / "o" / "x-0.png").read_bytes()
    refused = complete(second, *rest, "--temperature", 2, *more)
    assert refused.exit_code == 2
    assert f"holds results of {first}. Choose another output folder" in refused.stderr
    assert (tmp_path / "o" / "x-0.png").read_bytes() == before
    assert complete(second, *rest, "--overwrite").exit_code == 0
    assert complete(first, *rest).exit_code == 2


def test_a_failed_write_leaves_no_half_of_a_photo(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inpaint_cli.photos import results
    from inpaint_cli.pictures.writing import write

    def full(path: Path, *rest: Any, **more: Any) -> Any:
        if path.name.endswith("-2.png"):
            raise ResourceError(f"{path}: no space left on the disk.")
        return write(path, *rest, **more)

    monkeypatch.setattr(results, "write", full)
    result = complete(photo, "--box", "0,0,5,5", "-n", 4, "-o", photo.parent / "o")
    assert result.exit_code == 1
    assert list((photo.parent / "o").iterdir()) == []


def test_after_an_interruption_finished_files_stay_and_are_known(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inpaint_cli.photos import results
    from inpaint_cli.pictures.writing import write

    def stopped(path: Path, *rest: Any, **more: Any) -> Any:
        if path.name.endswith("-2.png"):
            raise KeyboardInterrupt
        return write(path, *rest, **more)

    arguments = [photo, "--box", "0,0,5,5", "-n", 4, "-o", photo.parent / "o"]
    with monkeypatch.context() as patch:
        patch.setattr(results, "write", stopped)
        stopped_run = complete(*arguments)
    assert stopped_run.exit_code == 130
    assert f"interrupted; 2 of 4 completions are in {photo.parent / 'o'}" in stopped_run.stderr
    left = {file.name for file in (photo.parent / "o").iterdir()}
    assert left == {"ä b-0.png", "ä b-1.png", "completions.json"}
    assert complete(*arguments).exit_code == 0


def test_an_output_place_that_is_a_file_is_refused(photo: Path) -> None:
    (photo.parent / "notes").write_text("text")
    result = complete(photo, "--box", "0,0,5,5", "-o", photo.parent / "notes")
    assert result.exit_code == 1
    assert "not a folder" in result.stderr
