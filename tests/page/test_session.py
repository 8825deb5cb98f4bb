"""A session at the page, without a browser: open a photo, mask it, draw rounds."""

import errno
import io
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import apply_grow, write_mask
from inpaint_cli.page import drawing
from inpaint_cli.page import session as module
from inpaint_cli.page.opened import safe_name
from inpaint_cli.page.order import RoundOrder
from inpaint_cli.page.session import Busy, Session, SessionSettings
from inpaint_cli.photos.overview import MAP_TOP
from inpaint_cli.pictures.picture import of_array
from inpaint_cli.reporting import Reporter
from tests.page.served import Served, hole_in, packed, photo_at, serving, session_in, wait_for
from tests.pretend_model import PretendModel, pretend

__all__ = ["pretend"]


@pytest.fixture
def served(tmp_path: Path, pretend: PretendModel) -> Iterator[Served]:
    """A server with an open photo and a hole, whose model is a quick stand-in."""
    session = session_in(tmp_path)
    session.open(photo_at(tmp_path / "photo.png"))
    session.put_mask(packed(hole_in()))
    with serving(session) as page:
        yield page


def pixels_of(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


# Photo


def test_an_empty_session_says_what_there_is_to_choose(tmp_path: Path) -> None:
    state = session_in(tmp_path).state()
    assert state["photo"] is None
    assert state["rounds"] == []
    names = [model["name"] for model in state["models"]]
    assert names[0] == "latent-codes-photos64"
    assert {"telea", "patches", "pcnn-mnist"} <= set(names)
    assert not [name for name in names if name.startswith("classifier")]
    options = {o["name"] for m in state["models"] for o in m["options"]}
    assert {"steps", "bound", "stratify"} <= options
    assert "condition" not in options
    (digits,) = [model for model in state["models"] if model["name"] == "pcnn-mnist"]
    assert digits["grey"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_shown_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = photo_at(tmp_path / "p.png", 6, 9, exif=exif)
    session = session_in(tmp_path)
    session.open(path)
    assert session.opened().size == ((6, 9) if orientation < 5 else (9, 6))
    content, kind = session.shown()
    assert kind == "image/png"
    assert pixels_of(content).shape[:2] == session.opened().size
    assert np.array_equal(pixels_of(content), session.opened().picture.samples)


@pytest.mark.parametrize("size", [(1, 1), (3, 20000), (20000, 3)])
def test_photos_of_odd_sizes_are_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    session = session_in(tmp_path)
    session.open(photo_at(tmp_path / "p.png", *size))
    assert pixels_of(session.shown()[0]).shape == (*size, 3)


def test_a_large_photo_is_shown_as_a_fine_jpeg(tmp_path: Path) -> None:
    session = session_in(tmp_path)
    session.open(photo_at(tmp_path / "p.png", 1001, 1000))
    content, kind = session.shown()
    assert kind == "image/jpeg"
    difference = pixels_of(content).astype(int) - session.opened().picture.samples
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize(
    ("name", "size", "mode"),
    [("p.png", (40, 60), "RGB"), ("p.jpg", (1001, 1000), "RGB"), ("p.tif", (40, 60), "CMYK")],
)
def test_a_photo_is_shown_in_its_own_colours(
    served: Served, tmp_path: Path, name: str, size: tuple[int, int], mode: str
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = Image.open(photo_at(tmp_path / "plain.png", *size)).convert(mode)
    photo.save(tmp_path / name, icc_profile=profile)
    served.ask("POST", "/api/photo", (tmp_path / name).read_bytes(), {"X-Name": name})
    served.ask("PUT", "/api/mask", packed(hole_in(*size)))
    number, _ = served.round(n=2)
    pictures = ["photo", f"rounds/{number}/0/preview.png", f"rounds/{number}/0/patch.png"]
    for path in pictures:
        shown = Image.open(io.BytesIO(served.ask("GET", f"/api/{path}").body))
        # Inks have become sRGB already.
        assert shown.info.get("icc_profile") == (profile if mode == "RGB" else None), path


def test_an_upload_is_named_as_the_user_names_it(served: Served) -> None:
    bad = served.ask("POST", "/api/photo", b"no picture", {"X-Name": "M%C3%BCller%20x.png"})
    assert bad.status == 422
    assert bad.error.startswith("Müller x.png: ")
    file = io.BytesIO()
    Image.new("RGB", (5, 4)).save(file, format="PNG")
    name = {"X-Name": "%3Cimg%20onerror%3Dx%3E.png"}
    state = served.ask("POST", "/api/photo", file.getvalue(), name).json
    assert state["photo"]["name"] == "<img onerror=x>.png"
    assert (state["photo"]["width"], state["photo"]["height"]) == (5, 4)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat.JPG", "cat.JPG"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.png", "cat.png"),
        ("-rf.png", "_rf.png"),
        (".hidden", "photo.hidden"),
        ("", "photo"),
        ("a" * 300 + ".png", "a" * 80 + ".png"),
        ("a\x00b\n.png", "a_b_.png"),
        ("übung.png", "_bung.png"),
    ],
)
def test_the_name_of_an_upload_becomes_a_plain_one(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    "name",
    [
        *("CON.png", "x/nul", "completions.json", "Completions.JSON"),
        *("completions.part.jsonl", "completions .json", "a.b/completions.j-son"),
    ],
)
def test_names_that_mean_something_else_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="no name for a photo"):
        safe_name(name)


# Mask


@given(st.integers(1, 17), st.integers(1, 17), st.randoms(use_true_random=False))
def test_a_mask_comes_back_as_it_went(height: int, width: int, random: Any) -> None:
    from inpaint_cli.page.opened import OpenedPhoto
    from inpaint_cli.pictures.picture import of_array

    bits = np.array([[random.random() < 0.5 for _ in range(width)] for _ in range(height)])
    session = Session(SessionSettings(Path("nowhere"), "telea"), [], Reporter(quiet=True))
    picture = of_array(np.zeros((height, width, 3), np.uint8))
    session.photo = OpenedPhoto("p", Path("p"), Path("p"), picture)
    session.put_mask(np.packbits(bits).tobytes())
    assert session.visible is not None
    assert np.array_equal(~session.visible, bits)
    assert session.packed() == np.packbits(bits).tobytes()


@pytest.mark.parametrize("length", [0, 299, 301])
def test_a_mask_of_another_size_is_refused(served: Served, length: int) -> None:
    answer = served.ask("PUT", "/api/mask", bytes(length))
    assert (answer.status, answer.error) == (422, f"expected 300 bytes, got {length}.")


def test_growing_is_what_the_command_does(served: Served) -> None:
    answer = served.ask("POST", "/api/mask/grow", {"px": 3})
    assert answer.body == packed(apply_grow(hole_in(), 3))
    for odd in (-1, 1.5, "3", None, True, 10**9):
        assert served.ask("POST", "/api/mask/grow", {"px": odd}).status == 422


def test_a_mask_file_is_read_and_its_errors_name_it(served: Served, tmp_path: Path) -> None:
    other = hole_in()[::-1]
    write_mask(tmp_path / "m.png", other)
    content, name = (tmp_path / "m.png").read_bytes(), {"X-Name": "m.png"}
    assert served.ask("POST", "/api/mask/file", content, name).body == packed(other)
    inverted = served.ask("POST", "/api/mask/file?invert=1", content, name)
    assert inverted.body == packed(~other)
    write_mask(tmp_path / "s.png", hole_in(20, 30))
    small = (tmp_path / "s.png").read_bytes()
    refused = served.ask("POST", "/api/mask/file", small, {"X-Name": "s.png"})
    assert refused.status == 422
    assert refused.error.startswith("s.png: the mask has 30x20 pixels, the photo 60x40")
    assert "--" not in refused.error
    scaled = served.ask("POST", "/api/mask/file?resize=1", small, {"X-Name": "s.png"})
    assert len(scaled.body) == 300


def test_a_mask_is_drawn_and_downloaded(served: Served) -> None:
    drawn = served.ask("POST", "/api/mask/draw", {"kind": "freeform", "seed": 1, "model": "telea"})
    assert drawn.status == 200
    file = served.ask("GET", "/api/mask.png")
    assert file.headers["x-name"] == "photo-mask.png"
    assert packed(pixels_of(file.body) < 128) == drawn.body
    for odd in ({"kind": "x", "model": "telea"}, {"kind": 1}, {"kind": "freeform", "model": None}):
        assert served.ask("POST", "/api/mask/draw", odd).status == 422


# Rounds


def test_previews_come_in_order_and_before_all_is_drawn(
    served: Served, pretend: PretendModel
) -> None:
    _, events = served.round(n=6)
    assert events[0] == {"event": "loading", "model": "latent-codes-photos64"}
    kinds = [event["event"] for event in events]
    assert kinds.index("previewed") < len(kinds) - 1 - kinds[::-1].index("drawn")
    assert [e["index"] for e in events if e["event"] == "previewed"] == list(range(6))
    assert [e["done"] for e in events if e["event"] == "drawn"] == [1, 2, 4, 6]
    assert kinds[-1] == "done"
    assert all(e["log_prob"] is not None for e in events if e["event"] == "previewed")


def test_patches_show_the_completion_in_the_hole_and_nothing_elsewhere(served: Served) -> None:
    number, _ = served.round(n=2)
    done = served.page.session.rounds[number]
    assert done.completed is not None
    patch = pixels_of(served.ask("GET", f"/api/rounds/{number}/1/patch.png").body)
    hidden = ~hole_in()[10:, 15:]
    assert np.array_equal(patch[..., 3] == 255, hidden)
    assert np.array_equal(patch[..., :3], done.completed.samples(1)[10:, 15:])
    preview = served.ask("GET", f"/api/rounds/{number}/1/preview.png")
    assert max(pixels_of(preview.body).shape) <= 512


def test_where_completions_differ_is_coloured_in_the_hole_only(served: Served) -> None:
    number, _ = served.round(n=3)
    colours = pixels_of(served.ask("GET", f"/api/rounds/{number}/uncertainty.png").body)
    done = served.page.session.rounds[number].completed
    assert done is not None
    samples = np.stack([done.samples(i)[10:, 15:] for i in range(3)]).astype(float)
    deviation = np.sqrt(samples.var(axis=0, ddof=1).mean(axis=2))
    hidden = ~hole_in()[10:, 15:]
    assert np.array_equal(colours[..., 3] > 0, hidden)
    from inpaint_cli.photos.overview import coloured

    expected = coloured(deviation / MAP_TOP)[hidden].astype(int)
    assert np.abs(colours[..., :3][hidden] - expected).max() <= 2


class Held(PretendModel):
    """A model that waits to be let on once the first completion is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def complete(self, image: Any, visible: Any, noise: Any, **options: Any) -> Any:
        if len(self.batches) >= 2:  # one for each piece of the hole
            assert self.go.wait(20)
        return super().complete(image, visible, noise, **options)


@pytest.fixture
def held(served: Served, monkeypatch: pytest.MonkeyPatch) -> Held:
    from inpaint_cli import api, models

    model = Held()
    loaded = api.LoadedModel("pretend", models.get("pcnn"), model, torch.device("cpu"), "0" * 64)
    monkeypatch.setattr(api, "load_model", lambda name, device, **more: loaded)
    return model


def start(served: Served, **order: Any) -> Any:
    given = {"model": "latent-codes-photos64", "detail": "none", **order}
    return served.ask("POST", "/api/rounds", given)


def test_while_a_round_runs_nothing_else_begins(served: Served, held: Held) -> None:
    assert start(served, n=4).json == {"round": 1}
    drawn = served.page.session.rounds[1]
    wait_for(lambda: drawn.previews)
    assert served.ask("GET", "/api/rounds/1/0/preview.png").status == 200
    assert served.ask("GET", "/api/rounds/1/3/preview.png").status == 404
    assert start(served, n=4).status == 409
    assert served.ask("POST", "/api/photo", b"x", {"X-Name": "x.png"}).status == 409
    assert served.ask("POST", "/api/rounds/1/save", {}).status == 409
    assert served.ask("GET", "/api/state").json["running"] == 1
    held.go.set()
    wait_for(lambda: drawn.state == "done")


def test_a_cancelled_round_leaves_nothing(served: Served, held: Held) -> None:
    start(served, n=8)
    drawn = served.page.session.rounds[1]
    wait_for(lambda: drawn.previews)
    assert served.ask("DELETE", "/api/rounds/1").status == 200
    held.go.set()
    wait_for(lambda: drawn.state == "cancelled")
    assert sum(held.batches) < 16
    # A page that heard of a preview before it heard of the end is not answered with an error.
    assert served.ask("GET", "/api/rounds/1/0/preview.png").status == 200
    assert served.ask("GET", "/api/rounds/1/0/patch.png").status == 404
    assert served.ask("GET", "/api/state").json["rounds"] == []
    assert start(served, n=1).status == 200


@pytest.mark.parametrize("what", ["0/patch.png", "0/file"])
def test_what_is_asked_for_while_a_round_is_cancelled_is_not_found(
    served: Served, held: Held, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    start(served, n=8)
    session = served.page.session
    wait_for(lambda: session.rounds[1].previews)
    answers = list[Any]()
    asking = threading.Thread(
        target=lambda: answers.append(served.ask("GET", f"/api/rounds/1/{what}"))
    )
    found = threading.Event()
    done = session.done

    def told(*given: Any) -> Any:
        round_ = done(*given)
        found.set()
        return round_

    monkeypatch.setattr(session, "done", told)
    with session.pixels:
        asking.start()
        assert found.wait(20)
        served.ask("DELETE", "/api/rounds/1")
        held.go.set()
        wait_for(lambda: session.rounds[1].state == "cancelled")
    asking.join(20)
    assert (answers[0].status, "is no more" in answers[0].error) == (404, True)


def test_the_state_is_told_while_rounds_are_forgotten(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.round(n=1)
    session, summary = served.page.session, drawing.Round.summary

    def forgotten(drawn: drawing.Round) -> dict[str, Any]:
        session.rounds.clear()
        return summary(drawn)

    monkeypatch.setattr(drawing.Round, "summary", forgotten)
    assert served.ask("GET", "/api/state").status == 200


def test_a_round_that_fails_says_why(served: Served) -> None:
    _, events = served.round(model="telea", n=2)
    assert events[-1]["event"] == "failed"
    assert "deterministic" in events[-1]["message"]


def test_a_round_without_a_hole_is_refused(served: Served) -> None:
    served.ask("PUT", "/api/mask", bytes(300))
    answer = start(served)
    assert (answer.status, "no hole yet" in answer.error) == (422, True)


@pytest.mark.parametrize(
    "order",
    [
        {"n": 0},
        {"n": 65},
        {"n": "3"},
        {"n": 2.5},
        {"seed": -1},
        {"seed": 2**70},
        {"temperature": -1},
        {"temperature": "hot"},
        {"context": -1},
        {"feather": -1},
        {"detail": "much"},
        {"detail": []},
        {"model": "nothing"},
        {"model": ["x"]},
        {"model": "/etc/passwd"},
        {"options": []},
        {"options": {"steps": 0}},
        {"options": {"steps": "x"}},
        {"options": {"stratify": True}},
        {"folder": "/tmp"},
    ],
)
def test_an_order_is_checked_as_the_command_checks_it(served: Served, order: Any) -> None:
    answer = start(served, **order)
    assert answer.status == 422
    assert answer.error
    assert served.page.session.rounds == {}


@pytest.mark.parametrize("path", ["0/preview.png", "0/patch.png", "0/file", "uncertainty.png"])
def test_what_is_not_there_is_not_found(served: Served, path: str) -> None:
    assert served.ask("GET", f"/api/rounds/5/{path}").status == 404
    number, _ = served.round(n=1)
    assert served.ask("GET", f"/api/rounds/{number}/{path.replace('0', '1')}").status == 404


def test_events_can_be_followed_again(served: Served) -> None:
    number, events = served.round(n=3)
    rest = served.ask("GET", f"/api/rounds/{number}/events?from={len(events) - 1}")
    assert rest.body.decode().count("\n") == 1
    assert served.ask("GET", "/api/rounds/9/events").status == 404


def test_the_oldest_rounds_are_forgotten(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_ROUNDS", 2)
    told = [served.round(n=1, seed=seed)[1][-1]["notes"] for seed in range(4)]
    rounds = served.page.session.rounds
    assert list(rounds) == [3, 4]
    assert "round 1 was not saved and is forgotten: 2 are kept" in told[2]
    assert "round 2 was not saved and is forgotten: 2 are kept" in told[3]
    assert rounds.unsaved == 4


def test_what_was_saved_is_forgotten_first(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_ROUNDS", 2)
    served.round(n=1)
    second, _ = served.round(n=1, seed=1)
    assert served.ask("POST", f"/api/rounds/{second}/save", {}).status == 200
    _, events = served.round(n=1, seed=2)
    assert list(served.page.session.rounds) == [1, 3]
    assert not [note for note in events[-1]["notes"] if "forgotten" in note]


def test_a_round_that_has_told_nothing_yet_is_shown(served: Served) -> None:
    session = served.page.session
    assert session.photo is not None
    assert session.visible is not None
    order = RoundOrder("telea", 1)
    session.rounds[7] = drawing.Round(
        7, session.photo, session.visible, order, session.pixels, session.reporter
    )
    assert session.state()["running"] == 7


def test_the_last_page_wins(served: Served) -> None:
    first = served.ask("POST", "/api/page", {}).json["page"]
    assert served.ask("GET", "/api/state", headers={"X-Inpaint-Page": str(first)}).status == 200
    served.ask("POST", "/api/page", {})
    late = served.ask("GET", "/api/state", headers={"X-Inpaint-Page": str(first)})
    assert (late.status, late.error) == (409, "opened in another tab.")


def test_only_so_many_fills_are_kept(monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
    number, _ = served.round(n=3)
    done = served.page.session.rounds[number].completed
    assert done is not None
    assert len(done.kept) == 3
    assert np.shares_memory(done.patch(1)[1], done.kept[1][1])
    done.kept.clear()
    monkeypatch.setattr(drawing, "KEPT_BYTES", 0)
    first, second = done.patch(1)[1], done.patch(1)[1]
    assert not done.kept
    assert np.array_equal(first, second)


def test_quitting_ends_the_server_and_removes_uploads(tmp_path: Path) -> None:
    session = session_in(tmp_path)
    with serving(session) as page:
        file = io.BytesIO()
        Image.new("RGB", (5, 4)).save(file, format="PNG")
        page.ask("POST", "/api/photo", file.getvalue(), {"X-Name": "x.png"})
        scratch = session.scratch()
        assert scratch.stat().st_mode & 0o077 == 0
        assert list(scratch.iterdir())
        page.ask("POST", "/api/quit", {})
        assert page.page.closing
    assert not scratch.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_session_without_a_photo_refuses_what_needs_one(tmp_path: Path) -> None:
    session: Session = session_in(tmp_path)
    for work in (session.shown, session.packed, session.mask_png, lambda: session.start({})):
        with pytest.raises(UserError, match="no photo is open"):
            work()
    assert issubclass(Busy, UserError)


def test_a_name_that_is_no_text_is_answered_and_quoted(
    tmp_path: Path, pretend: PretendModel
) -> None:
    session = session_in(tmp_path)
    session.open(photo_at(tmp_path / os.fsdecode(b"caf\xe9.png")))
    session.put_mask(packed(hole_in()))
    with serving(session) as page:
        number, _ = page.round(n=1)
        (drawn,) = page.ask("GET", "/api/state").json["rounds"]
        assert r"caf\xe9.png'" in drawn["command"]
        words = subprocess.check_output(["bash", "-c", f"printf '%s\n' {drawn['command']}"])
        assert os.fsencode(tmp_path) + b"/caf\xe9.png\n" in words
        for path in (f"/api/rounds/{number}/0/file", "/api/mask.png"):
            assert page.ask("GET", path).headers["x-name"].startswith("caf%EF%BF%BD-")
        saved = page.ask("POST", f"/api/rounds/{number}/save", {})
        assert saved.status == 200
        assert Path(saved.json["files"][0]).is_file()


@pytest.mark.parametrize(
    "order", [{"\ud800": 1}, {"options": {"\ud800": 1}}, {"detail": "\ud800"}, {"model": "\ud800"}]
)
def test_words_that_are_no_text_are_refused_in_a_sentence(served: Served, order: Any) -> None:
    answer = start(served, **order)
    assert answer.status == 422
    assert answer.error


def test_no_round_gets_the_number_of_another(served: Served) -> None:
    failed, events = served.round(model="telea", n=2)
    assert events[-1]["event"] == "failed"
    assert served.round(n=1)[0] != failed


def test_a_mask_of_a_photo_that_another_one_followed_is_refused(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = served.page.session
    seen = {"X-Inpaint-Photo": str(session.state()["photo"]["version"])}
    mask_file = tmp_path / "mask.png"
    write_mask(mask_file, hole_in())
    other = photo_at(tmp_path / "other.png")  # of the same size
    before = session.version()

    def work(*args: Any, **more: Any) -> Any:
        session.open(other)
        return hole_in()

    # Opened while the mask is being made ...
    monkeypatch.setattr(module, "apply_grow", work)
    assert served.ask("POST", "/api/mask/grow", {"px": 1}).status == 409
    monkeypatch.setattr("inpaint_cli.page.opened.read_mask", work)
    assert served.ask("POST", "/api/mask/file", mask_file.read_bytes()).status == 409
    # ... or before it came.
    drawn = {"kind": "centre", "model": "telea"}
    for method, path, body in (
        ("PUT", "/api/mask", packed(hole_in())),
        ("POST", "/api/mask/file", mask_file.read_bytes()),
        ("POST", "/api/mask/grow", {"px": 1}),
        ("POST", "/api/mask/draw", drawn),
        ("POST", "/api/rounds", {"model": "telea"}),
    ):
        late = served.ask(method, path, body, seen)
        assert (late.status, "another photo was opened" in late.error) == (409, True), path
    assert session.visible is not None
    assert session.visible.all()
    assert session.version() == before + 2
    seen = {"X-Inpaint-Photo": str(session.version())}
    assert served.ask("PUT", "/api/mask", packed(hole_in()), seen).status == 200


def test_a_drawn_mask_without_a_hole_takes_nothing_away(served: Served) -> None:
    answer = served.ask("POST", "/api/mask/draw", {"kind": "edge:200", "model": "telea"})
    assert (answer.status, "has no hole" in answer.error) == (422, True)
    assert served.page.session.packed() == packed(hole_in())


def test_a_scratch_folder_that_was_tidied_away_is_made_again(
    served: Served, tmp_path: Path
) -> None:
    content = (tmp_path / "photo.png").read_bytes()
    session = served.page.session
    shutil.rmtree(session.scratch())
    assert served.ask("POST", "/api/photo", content, {"X-Name": "up.png"}).status == 200
    served.ask("PUT", "/api/mask", packed(hole_in()))
    number, _ = served.round(n=1)
    shutil.rmtree(session.scratch())
    mask = served.ask("GET", "/api/mask.png").body
    assert served.ask("POST", "/api/mask/file", mask, {"X-Name": "m.png"}).status == 200
    shown = served.ask("POST", "/api/mask/file", content, {"X-Name": "p.png"})
    assert (shown.status, "p.png: shows the photo itself" in shown.error) == (422, True)
    assert "--" not in shown.error
    gone = served.ask("POST", f"/api/rounds/{number}/save", {})
    assert (gone.status, "Open it again" in gone.error) == (422, True)


def test_what_the_system_refuses_is_a_sentence(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/x")

    monkeypatch.setattr(Path, "write_bytes", full)
    answer = served.ask(
        "POST", "/api/photo", (tmp_path / "photo.png").read_bytes(), {"X-Name": "a.png"}
    )
    assert (answer.status, answer.error) == (500, "/tmp/x: No space left on device.")


def test_a_reload_knows_whether_a_round_is_of_the_mask_that_is_painted(served: Served) -> None:
    served.round(n=1)
    assert served.ask("GET", "/api/state").json["rounds"][0]["painted"]
    served.ask("PUT", "/api/mask", packed(hole_in()[::-1]))
    assert not served.ask("GET", "/api/state").json["rounds"][0]["painted"]


def test_a_photo_of_which_some_samples_are_no_numbers_is_shown() -> None:
    from inpaint_cli.page.opened import OpenedPhoto

    samples = np.linspace(0, 7, 60, dtype=np.float32).reshape(6, 10)
    samples[2, 3] = np.nan
    file, kind = OpenedPhoto.of_picture(of_array(samples)).shown()
    assert kind == "image/png"
    with Image.open(io.BytesIO(file)) as image:
        assert np.asarray(image).max() == 255
