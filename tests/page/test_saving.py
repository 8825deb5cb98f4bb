"""Save writes what `inpaint complete` writes, and nothing before."""

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from inpaint_cli.cli import main
from inpaint_cli.page.order import RoundOrder
from inpaint_cli.page.saving import mask_file
from inpaint_cli.page.session import SessionSettings
from inpaint_cli.photos.request import CompletionRequest
from tests.page.browsing import folder
from tests.page.served import Served, hole_in, packed, photo_at, serving, session_in
from tests.pretend_model import pretend

__all__ = ["folder", "pretend"]

OUT = Path("out")


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    session = session_in(Path())
    session.open(photo_at(Path("photo.png")))
    session.put_mask(packed(hole_in()))
    with serving(session) as page:
        yield page


def files_in(place: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(place.iterdir()) if p.is_file()}


def repeated(command: str) -> dict[str, bytes]:
    """Runs a command that the page showed, with an empty folder in place of the first results."""
    before = OUT.rename("first")
    words = shlex.split(command)[1:]
    mask = Path(words[words.index("--mask") + 1])
    OUT.mkdir(parents=True)
    mask.write_bytes((before / mask.name).read_bytes())
    photo = Path(words[1])
    if not photo.exists():
        photo.write_bytes((before / photo.name).read_bytes())
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return files_in(OUT)


def sixteen_bits(path: Path) -> None:
    Image.fromarray((np.arange(2400).reshape(40, 60) * 27).astype(np.uint16)).save(path)


def with_alpha(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 4), np.uint8)
    Image.fromarray(pixels).save(path)


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo_at(path, 60, 40, exif=exif, quality=95)


KINDS: dict[str, Callable[[Path], object]] = {
    "photo.png": photo_at,
    "sixteen.tiff": sixteen_bits,
    "alpha.png": with_alpha,
    "turned.jpg": turned,
}


@pytest.mark.parametrize("name", KINDS)
def test_a_save_is_the_files_of_the_command_byte_for_byte(name: str, folder: Path) -> None:
    path = Path(name)
    KINDS[name](path)
    session = session_in(Path())
    session.open(path)
    session.put_mask(packed(hole_in()))
    with serving(session) as page:
        number, events = page.round(n=3, seed=7)
        assert events[-1]["event"] == "done", events[-1]
        assert not OUT.exists()
        saved = page.ask("POST", f"/api/rounds/{number}/save", {}).json
    ours = files_in(OUT)
    stem = path.stem
    assert f"{stem}-s7-sheet.png" in ours
    assert len([file for file in ours if file.startswith(f"{stem}-s7-")]) == 4
    assert repeated(saved["command"]) == ours


def test_nothing_is_written_before_save(served: Served, folder: Path) -> None:
    number, _ = served.round(n=2)
    for path in ("1/patch.png", "1/file", "0/preview.png", "uncertainty.png"):
        assert served.ask("GET", f"/api/rounds/{number}/{path}").status == 200
    served.ask("GET", "/api/mask.png")
    assert [p.name for p in folder.iterdir()] == ["photo.png"]


def test_the_mask_is_saved_and_named_by_its_content(served: Served) -> None:
    number, _ = served.round(n=1)
    saved = served.ask("POST", f"/api/rounds/{number}/save", {}).json
    mask = Path(saved["mask"])
    assert mask == mask_file(OUT, "photo", hole_in())
    with Image.open(mask) as image:
        assert np.array_equal(np.asarray(image) == 255, ~hole_in())
    assert mask_file(OUT, "photo", hole_in()) != mask_file(OUT, "photo", ~hole_in())


def test_a_mask_is_never_taken_for_a_result(served: Served) -> None:
    number, _ = served.round(n=1)
    saved = served.ask("POST", f"/api/rounds/{number}/save", {}).json
    for seed in ("0", "1"):
        words = [*shlex.split(saved["command"])[1:], "--seed", seed]
        assert CliRunner().invoke(main, words).exit_code == 0
    assert Path(saved["mask"]).is_file()


def test_the_chosen_one_is_kept_in_the_record_alone(served: Served) -> None:
    number, _ = served.round(n=3)
    served.ask("POST", f"/api/rounds/{number}/save", {})
    plain = files_in(OUT)
    served.ask("POST", f"/api/rounds/{number}/save", {"chosen": 2})
    marked = files_in(OUT)
    (item,) = json.loads(marked.pop("completions.json"))["items"]
    (before,) = json.loads(plain.pop("completions.json"))["items"]
    assert item.pop("chosen") == 2
    assert item == before
    assert marked == plain
    for odd in (3, -1, "0", True):
        assert served.ask("POST", f"/api/rounds/{number}/save", {"chosen": odd}).status == 422


def test_one_completion_is_downloaded_as_the_save_writes_it(served: Served) -> None:
    number, _ = served.round(n=2, seed=3)
    answer = served.ask("GET", f"/api/rounds/{number}/1/file")
    assert answer.headers["x-name"] == "photo-s3-1.png"
    served.ask("POST", f"/api/rounds/{number}/save", {})
    assert answer.body == (OUT / "photo-s3-1.png").read_bytes()


def upload(served: Served, content: bytes, name: str) -> None:
    assert served.ask("POST", "/api/photo", content, {"X-Name": name}).status == 200
    served.ask("PUT", "/api/mask", packed(hole_in()))


def test_an_upload_is_saved_beside_its_results_and_never_over_a_file(served: Served) -> None:
    content = Path("photo.png").read_bytes()
    upload(served, content, "My photo.png")
    OUT.mkdir()
    (OUT / "My photo.png").write_text("mine")
    number, _ = served.round(n=2)
    saved = served.ask("POST", f"/api/rounds/{number}/save", {}).json
    assert (OUT / "My photo.png").read_text() == "mine"
    assert saved["photo"] == "out/My photo-2.png"
    assert (OUT / "My photo-2.png").read_bytes() == content
    ours = files_in(OUT)
    assert json.loads(ours["completions.json"])["items"][0]["image"] == saved["photo"]
    theirs = repeated(saved["command"])
    ours.pop("My photo.png")
    assert theirs == ours


def test_a_completion_is_continued_from_and_saved_with_what_it_stands_on(served: Served) -> None:
    first, _ = served.round(n=4)
    state = served.ask("POST", f"/api/rounds/{first}/continue", {"index": 3}).json
    assert state["photo"]["name"] == "photo-3.png"
    assert not OUT.exists()
    served.ask("PUT", "/api/mask", packed(hole_in()[::-1]))
    second, _ = served.round(n=2)
    saved = served.ask("POST", f"/api/rounds/{second}/save", {"chosen": 1}).json
    names = set(files_in(OUT))
    assert {"photo-0.png", "photo-3.png", "photo-sheet.png"} <= names
    assert {"photo-3-0.png", "photo-3-1.png", "photo-3-sheet.png"} <= names
    items = json.loads((OUT / "completions.json").read_text())["items"]
    assert [(i["image"], i["chosen"]) for i in items] == [
        ("photo.png", 3),
        ("out/photo-3.png", 1),
    ]
    assert saved["command"].startswith("inpaint complete out/photo-3.png --mask out/photo-3-mask-")
    before = files_in(OUT)
    result = CliRunner().invoke(main, shlex.split(saved["command"])[1:])
    assert result.exit_code == 0, result.output
    after = files_in(OUT)
    before.pop("completions.json"), after.pop("completions.json")
    assert after == before


def test_another_round_of_the_same_photo_is_not_replaced_unasked(served: Served) -> None:
    first, _ = served.round(n=2)
    served.ask("POST", f"/api/rounds/{first}/save", {})
    kept = files_in(OUT)
    served.ask("PUT", "/api/mask", packed(hole_in()[::-1]))
    second, _ = served.round(n=2)
    refused = served.ask("POST", f"/api/rounds/{second}/save", {})
    assert refused.status == 409
    assert refused.error == "out: holds another round of this photo with this seed."
    assert refused.json["elsewhere"] == "out/2"
    assert refused.json["replaceable"]
    assert files_in(OUT) == kept
    saved = served.ask("POST", f"/api/rounds/{second}/save", {"elsewhere": True}).json
    assert saved["folder"] == "out/2"
    assert files_in(OUT) == kept
    assert "-o out/2" in saved["command"]
    assert served.ask("POST", f"/api/rounds/{second}/save", {"replace": True}).status == 200
    assert files_in(OUT)["photo-0.png"] != kept["photo-0.png"]


def test_a_save_that_is_refused_writes_no_upload(served: Served) -> None:
    upload(served, Path("photo.png").read_bytes(), "mine.png")
    OUT.mkdir()
    (OUT / "mine-0.png").write_text("mine")
    number, _ = served.round(n=1)
    assert served.ask("POST", f"/api/rounds/{number}/save", {}).status == 409
    assert files_in(OUT) == {"mine-0.png": b"mine"}


def test_a_record_that_cannot_be_read_is_put_aside_and_told(served: Served) -> None:
    OUT.mkdir()
    (OUT / "completions.json").write_text("mine")
    number, _ = served.round(n=1)
    saved = served.ask("POST", f"/api/rounds/{number}/save", {}).json
    assert "put aside" in saved["notes"][0]
    assert b"mine" in files_in(OUT).values()


@pytest.mark.parametrize("name", ["photo-0.png", "photo-sheet.png"])
def test_files_of_others_are_not_replaced(served: Served, name: str) -> None:
    OUT.mkdir()
    (OUT / name).write_text("mine")
    number, _ = served.round(n=1)
    refused = served.ask("POST", f"/api/rounds/{number}/save", {"replace": True})
    assert refused.status in (409, 422)
    assert "replace it with --overwrite" in refused.error  # which the page is started with
    assert files_in(OUT) == {name: b"mine"}


def test_a_full_disk_is_told_and_leaves_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from inpaint_cli.photos import results

    def full(*args: Any, **more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    number, _ = served.round(n=2)
    monkeypatch.setattr(results, "write", full)
    refused = served.ask("POST", f"/api/rounds/{number}/save", {})
    assert refused.status == 500
    assert "No space left" in refused.error
    assert [name for name in files_in(OUT) if "-mask-" not in name] == []


def test_unsaved_rounds_are_counted(served: Served) -> None:
    first, _ = served.round(n=1)
    served.round(n=1, seed=1)
    assert served.page.session.rounds.unsaved == 2
    served.ask("POST", f"/api/rounds/{first}/save", {})
    assert served.page.session.rounds.unsaved == 1


def test_the_command_names_all_that_differs_from_its_defaults() -> None:
    order = RoundOrder(
        "picme-photos64",
        3,
        5,
        0.5,
        0.25,
        2.0,
        "none",
        {"stratify": True, "primitive": 2, "by_primitive": False},
    )
    command = order.command(Path("-a b.png"), Path("m.png"), Path("o"), "cpu")
    assert command == (
        "inpaint complete './-a b.png' --mask m.png -n 3 --seed 5 --model picme-photos64 "
        "--context 0.25 --temperature 0.5 --feather 2.0 --detail none --stratify --primitive 2 "
        "--device cpu -o o"
    )
    plain = RoundOrder("latent-codes-photos64").command(Path("p"), Path("m"), Path("completions"))
    assert plain == "inpaint complete p --mask m -n 8"


def test_an_order_asks_what_the_command_asks() -> None:
    from inpaint_cli import models

    family = models.get("latent-codes")
    assert RoundOrder("latent-codes-photos64", 2).request(family) == CompletionRequest.of_family(
        family, {}, n=2
    )
    assert SessionSettings(OUT, "x").n is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "options"), [("latent-codes-photos64", {}), ("ipa-photos64", {"bound": 8})]
)
def test_models_that_ship_save_what_the_command_writes(
    model: str, options: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    photo = Path("photo.png")
    photo.write_bytes((top / "examples" / "photo.png").read_bytes())
    session = session_in(Path())
    session.open(photo)
    visible = np.ones((300, 451), np.bool_)
    visible[100:160, 200:260] = False
    session.put_mask(packed(visible))
    with serving(session) as page:
        number, events = page.round(model=model, n=6, options=options, detail=None)
        assert events[-1]["event"] == "done", events[-1]
        saved = page.ask("POST", f"/api/rounds/{number}/save", {}).json
    ours = files_in(OUT)
    assert len(ours) == 9
    assert repeated(saved["command"]) == ours


def test_a_mask_that_was_changed_since_is_neither_replaced_nor_taken(served: Served) -> None:
    first, _ = served.round(n=1)
    mask = Path(served.ask("POST", f"/api/rounds/{first}/save", {}).json["mask"])
    Image.new("L", (60, 40), 255).save(mask)
    theirs = mask.read_bytes()
    again = served.ask("POST", f"/api/rounds/{first}/save", {"replace": True}).json
    assert mask.read_bytes() == theirs
    assert again["mask"] == str(mask.with_stem(f"{mask.stem}-2"))
    assert f"--mask {again['mask']} " in again["command"]
    hidden = np.asarray(Image.open(again["mask"])) > 0
    assert (hidden == ~hole_in()).all()
    assert served.ask("POST", f"/api/rounds/{first}/save", {}).json["mask"] == again["mask"]


def test_a_folder_in_place_of_a_mask_is_none(served: Served) -> None:
    place = mask_file(OUT, "photo", hole_in())
    place.mkdir(parents=True)
    number, _ = served.round(n=1)
    saved = served.ask("POST", f"/api/rounds/{number}/save", {}).json
    assert Path(saved["mask"]).is_file()


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_photo_that_is_no_more_what_was_opened_is_told(served: Served, change: str) -> None:
    number, _ = served.round(n=1)
    assert served.ask("POST", f"/api/rounds/{number}/save", {}).json["notes"] == []
    Path("photo.png").unlink()
    if change == "replaced":
        photo_at(Path("photo.png"), 30, 30)
    notes = served.ask("POST", f"/api/rounds/{number}/save", {}).json["notes"]
    assert notes == [
        "warning: photo.png: changed or gone since it was opened; the command needs it as it was"
    ]


@pytest.mark.parametrize("gone", [True, False])
def test_what_a_completion_stands_on_is_there_when_it_is_saved(served: Served, gone: bool) -> None:
    first, _ = served.round(n=1)
    served.ask("POST", f"/api/rounds/{first}/save", {})
    served.ask("POST", f"/api/rounds/{first}/continue", {"index": 0})
    below = (OUT / "photo-0.png").read_bytes()
    served.ask("PUT", "/api/mask", packed(hole_in()[::-1]))
    second, _ = served.round(n=1)
    if gone:
        shutil.rmtree(OUT)
    else:  # another round's by now
        (OUT / "photo-0.png").write_bytes((OUT / "photo-sheet.png").read_bytes())
    saved = served.ask("POST", f"/api/rounds/{second}/save", {})
    if gone:
        assert Path(saved.json["photo"]).read_bytes() == below
    else:
        assert saved.status == 409
        assert "photo-0.png" in saved.error


def test_a_placed_upload_is_an_input_that_no_overwriting_replaces(folder: Path) -> None:
    session = session_in(Path(), overwrite=True)
    first = photo_at(Path("first.png")).read_bytes()
    second = photo_at(Path("second.png"), 44, 60).read_bytes()
    with serving(session) as page:

        def saved(content: bytes, n: int) -> Any:
            upload(page, content, "cat.png")
            session.put_mask(packed(hole_in(*session.opened().size)))
            number, _ = page.round(n=n)
            return page.ask("POST", f"/api/rounds/{number}/save", {})

        assert [saved(content, 1).status for content in (first, second)] == [200, 200]
        assert (OUT / "cat-2.png").read_bytes() == second
        third = saved(first, 3)  # whose last completion would have the name of the second photo
    assert (third.status, "is an input" in third.error) == (409, True)
    assert (OUT / "cat-2.png").read_bytes() == second


def test_what_was_continued_from_can_be_saved_again(served: Served) -> None:
    first, _ = served.round(n=4)
    served.ask("POST", f"/api/rounds/{first}/continue", {"index": 3})
    served.ask("PUT", "/api/mask", packed(hole_in()[::-1]))
    second, _ = served.round(n=2)
    for number in (second, first, second):
        assert served.ask("POST", f"/api/rounds/{number}/save", {}).status == 200


def test_an_upload_replaces_no_link(served: Served) -> None:
    OUT.mkdir()
    (OUT / "up.png").symlink_to("nowhere")
    content = Path("photo.png").read_bytes()
    served.ask("POST", "/api/photo", content, {"X-Name": "up.png"})
    served.ask("PUT", "/api/mask", packed(hole_in()))
    number, _ = served.round(n=1)
    saved = served.ask("POST", f"/api/rounds/{number}/save", {}).json
    assert saved["photo"] == "out/up-2.png"
    assert (OUT / "up.png").is_symlink()


def test_the_command_tells_every_digit() -> None:
    command = RoundOrder("telea", 1, context=0.123456789).command(Path("p"), Path("m"), OUT)
    assert "--context 0.123456789 " in command
