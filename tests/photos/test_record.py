"""What a folder of results knows of itself: across kills, between runs, against foreign files."""

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.photos import journal
from inpaint_cli.photos.record import NAME, Record

PHOTO = Path("photo.png")


def item(*names: str, image: Path = PHOTO) -> dict[str, object]:
    return {"image": str(image), "completions": [{"file": name} for name in names], "sheet": None}


def place(record: Record, name: str, content: str = "x", photo: Path = PHOTO) -> None:
    with record.placing(record.folder / name, photo) as temporary:
        temporary.write_text(content)


def put(record: Record, *names: str, content: str = "x", photo: Path = PHOTO) -> list[str]:
    with record.alone():
        for name in names:
            place(record, name, content, photo)
        return [path.name for path in record.put(item(*names, image=photo))]


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_two_runs_at_once_keep_the_items_of_both(tmp_path: Path) -> None:
    one, two = Record.of(tmp_path, False), Record.of(tmp_path, False)
    put(one, "a-0.png")
    put(two, "b-0.png", photo=Path("b.png"))
    one.finish()
    put(two, "c-0.png", photo=Path("c.png"))
    put(one, "d-0.png", photo=Path("d.png"))
    two.finish()
    one.finish()
    files = [line["completions"][0]["file"] for line in Record.of(tmp_path, False).items]
    assert files == ["a-0.png", "b-0.png", "c-0.png", "d-0.png"]
    assert left_in(tmp_path) == {*files, NAME}


def test_a_file_is_known_before_it_takes_its_place(tmp_path: Path) -> None:
    record = Record.of(tmp_path, False)
    with record.alone():
        place(record, "a-0.jpg")
    later = Record.of(tmp_path, False)
    assert later.owns("a-0.jpg")
    later.check_photo(["a-0.jpg"], PHOTO, overwrite=False)
    with pytest.raises(UserError, match=r"holds results of photo\.png"):
        later.check_photo(["a-0.jpg"], Path("other.png"), overwrite=False)


def test_what_no_item_names_stays_known_however_many_runs_end_in_between(tmp_path: Path) -> None:
    first = Record.of(tmp_path, False)
    with first.alone():
        place(first, "a-0.jpg")
    put(first, "b-0.png", photo=Path("b.png"))
    first.finish()
    Record.of(tmp_path, False).finish()
    assert journal.NAME in left_in(tmp_path)
    assert Record.of(tmp_path, False).owns("a-0.jpg")


def test_results_of_which_one_file_was_replaced_are_not_done(tmp_path: Path) -> None:
    record = Record.of(tmp_path, False)
    put(record, "a-0.png", "a-1.png", "a-2.png")
    record.finish()
    with record.alone():
        place(record, "a-0.png", "new")
    later = Record.of(tmp_path, False)
    later.finish()
    assert (later.items, later.of_files(["a-1.png"])) == ([], [])
    assert put(later, "a-0.png", content="new") == ["a-1.png", "a-2.png"]
    later.finish()
    assert left_in(tmp_path) == {"a-0.png", NAME}


def test_the_cost_of_a_photo_does_not_grow_with_their_number(tmp_path: Path) -> None:
    record, path = Record.of(tmp_path, False), tmp_path / journal.NAME
    sizes = [0]
    for number in range(1000, 1060):
        put(record, f"{number}-0.png")
        sizes.append(path.stat().st_size)
    assert NAME not in left_in(tmp_path)
    steps = {after - before for before, after in pairwise(sizes[1:])}
    assert len(steps) == 1
    record.finish()
    assert len(json.loads((tmp_path / NAME).read_text())["items"]) == 60


def test_half_a_line_of_a_killed_run_is_passed_over(tmp_path: Path) -> None:
    record = Record.of(tmp_path, False)
    put(record, "a-0.png")
    with (tmp_path / journal.NAME).open("a") as file:
        file.write('{"file": "b-0.p')
    later = Record.of(tmp_path, False)
    put(later, "c-0.png", photo=Path("c.png"))
    assert [len(one.items) for one in (later, Record.of(tmp_path, False))] == [2, 2]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record.of(tmp_path, False)
    put(record, "a-0.png")
    before = (tmp_path / journal.NAME).read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(Exception, match="no space left on the disk"):
            record.journal.append({"item": item("b-0.png")})
    assert (tmp_path / journal.NAME).read_bytes() == before


@pytest.mark.parametrize("text", ["mine", '{"prompt": "x"}\n'])
def test_a_foreign_file_called_as_the_journal_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / journal.NAME).write_text(text)
    with pytest.raises(UserError, match="not ours"):
        Record.of(tmp_path, False)
    assert (tmp_path / journal.NAME).read_text() == text


def test_a_folder_called_as_a_result_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "a-0.png").mkdir()
    with pytest.raises(UserError, match="not an ordinary file"):
        Record.of(tmp_path, False).check_free(["a-0.png"], set(), overwrite=True)


@pytest.mark.parametrize("name", [NAME, journal.NAME])
def test_a_pipe_in_place_of_a_record_does_not_make_a_run_wait(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=r"not an ordinary file|not a regular file"):
        Record.of(tmp_path, overwrite=True)


def test_a_link_out_of_the_folder_is_never_followed_to_remove_a_file(tmp_path: Path) -> None:
    folder, outside = tmp_path / "o", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "v-0.png").write_text("x")
    record = Record.of(folder, False)
    put(record, "v-0.png", "w-0.png")
    record.finish()
    (folder / "link").symlink_to(outside)
    text = (folder / NAME).read_text().replace('"w-0.png"', '"link/v-0.png"')
    (folder / NAME).write_text(text)
    assert put(Record.of(folder, False), "v-0.png") == []
    assert (outside / "v-0.png").exists()


def test_a_file_of_somebody_else_that_a_record_names_is_neither_removed_nor_replaced(
    tmp_path: Path,
) -> None:
    (tmp_path / "a-1.png").write_text("mine")
    (tmp_path / NAME).write_text(json.dumps({"schema": 2, "items": [item("a-0.png", "a-1.png")]}))
    record = Record.of(tmp_path, False)
    with pytest.raises(UserError, match="no result of an earlier run"):
        record.check_free(["a-1.png"], set(), overwrite=False)
    assert put(record, "a-0.png") == []
    assert (tmp_path / "a-1.png").read_text() == "mine"


def test_a_result_that_was_changed_since_is_not_replaced(tmp_path: Path) -> None:
    record = Record.of(tmp_path, False)
    put(record, "a-0.png")
    record.finish()
    record.check_free(["a-0.png"], set(), overwrite=False)
    (tmp_path / "a-0.png").write_text("retouched")
    with pytest.raises(UserError, match="was changed since"):
        record.check_free(["a-0.png"], set(), overwrite=False)


@pytest.mark.parametrize("text", ['{"schema": 2, "items": [', "", "\udcff", "[" * 100_000])
def test_a_damaged_record_is_put_aside_and_nothing_is_lost(text: str, tmp_path: Path) -> None:
    damaged = text.encode("utf-8", "surrogateescape")
    (tmp_path / NAME).write_bytes(damaged)
    (tmp_path / "b-0.png").write_text("x")
    record = Record.of(tmp_path, False)
    assert record.damaged
    put(record, "a-0.png")
    record.finish()
    assert (tmp_path / "completions.damaged-1.json").read_bytes() == damaged
    assert left_in(tmp_path) >= {"a-0.png", "b-0.png", NAME}
    assert not Record.of(tmp_path, False).damaged


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"schema": 2},
        {"schema": 2, "items": {}},
        {"schema": 2, "items": [{"completions": {"file": "a"}}]},
        {"schema": 2, "items": [{"completions": [{"file": 3}]}]},
        {"schema": 2, "items": [{"completions": [], "sha256": {"a-0.png": 3}}]},
        {"schema": 2, "items": [{"completions": [], "sheet": 5}]},
    ],
)
def test_a_record_of_other_types_is_refused(document: object, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps(document))
    with pytest.raises(UserError, match="not a record of this version"):
        Record.of(tmp_path, False)
