"""Ways to say what shall go: painted copies, colours, polygons, sets, a larger canvas; previews."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from inpaint_cli.cli import main
from tests.resources import PeakMemory

Array = npt.NDArray[np.uint8]
MAGENTA = (255, 0, 255)


def photo_values() -> Array:
    ramp = np.add.outer(np.arange(60), np.arange(80))[..., None]
    noise = np.random.default_rng(0).integers(0, 30, (60, 80, 3))
    return (ramp + noise).astype(np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(photo_values()).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def complete(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["complete", *map(str, arguments), "--model", "telea"])


def test_a_mask_that_is_not_there_is_answered_with_the_nearest_name(photo: Path) -> None:
    told = complete(photo, "--mask", photo.with_name("aa.png")).stderr
    assert f"no such file or folder. Did you mean '{photo}'?" in told


def changed(photo: Path, name: str = "a") -> npt.NDArray[np.bool_]:
    with Image.open(photo.parent / "o" / f"{name}-0.png") as image:
        return np.asarray((np.asarray(image) != photo_values()).any(axis=2))


def painted(photo: Path, name: str) -> Path:
    values = photo_values()
    values[20:40, 30:50] = MAGENTA
    Image.fromarray(values).save(photo.parent / name, quality=60)
    return photo.parent / name


@pytest.mark.parametrize("name", ["p.png", "p.jpg"])
def test_a_painted_copy_hides_what_was_painted_and_little_else(photo: Path, name: str) -> None:
    done = complete(photo, "--mask-painted", painted(photo, name), "-o", photo.parent / "o")
    assert done.exit_code == 0
    hidden = changed(photo)
    assert hidden[20:40, 30:50].mean() > 0.99
    assert not hidden[:14].any()
    assert hidden.sum() < 900


def test_a_copy_that_was_not_painted_is_refused(photo: Path) -> None:
    done = complete(photo, "--mask-painted", photo, "-o", photo.parent / "o")
    assert "Paint over a copy" in done.stderr


def test_a_colour_of_the_photo_is_the_hole(photo: Path) -> None:
    copy = painted(photo, "p.png")
    assert complete(copy, "--mask-colour", "#FF00FF", "-o", photo.parent / "o").exit_code == 0
    hole = changed(photo, "p")
    assert not hole[:20].any()
    assert "no pixel has the colour 00ff00" in complete(copy, "--mask-colour", "00ff00").stderr
    assert "six hexadecimal digits" in complete(copy, "--mask-colour", "red").stderr


def test_a_polygon_is_filled_in(photo: Path) -> None:
    done = complete(photo, "--polygon", "10,10,40,10,10,40", "-o", photo.parent / "o")
    assert done.exit_code == 0
    hidden = changed(photo)
    assert hidden[10:24, 10:24].mean() > 0.99
    assert not hidden[42:].any()
    assert not hidden[30:, 30:].any()
    assert "at least three corners" in complete(photo, "--polygon", "1,2,3,4").stderr


def test_the_canvas_grows_and_the_photo_stays_in_it(photo: Path) -> None:
    done = complete(photo, "--extend", "left=10,bottom=50%", "-o", photo.parent / "o")
    assert done.exit_code == 0
    with Image.open(photo.parent / "o" / "a-0.png") as image:
        values = np.asarray(image)
    assert values.shape == (90, 90, 3)
    np.testing.assert_array_equal(values[:60, 10:], photo_values())
    assert values[60:].mean() > 20
    (item,) = json.loads((photo.parent / "o" / "completions.json").read_text())["items"]
    assert item["hole"]["extend"] == {"left": 10, "top": 0, "right": 0, "bottom": 30}
    assert "adds no pixel" in complete(photo, "--extend", "left=0").stderr
    for odd in ("up=3", "left=1000000", "left=3,left=4"):
        told = complete(photo, "--extend", odd).stderr
        assert "write each side once, with up to 999999 pixels" in told
    with PeakMemory() as peak:
        assert (
            "more than 400 megapixels" in complete(photo, "--extend", "left=99999,top=99999").stderr
        )
    assert peak.bytes < 30 << 20


def test_a_hole_shrinks_and_one_that_vanishes_is_told(photo: Path) -> None:
    box = ("--box", "20,20,20,20", "-o", photo.parent / "o")
    assert complete(photo, *box, "--shrink", 5).exit_code == 0
    rows = np.flatnonzero(changed(photo).any(axis=1))
    assert (rows.min(), rows.max()) == (25, 34)
    assert "--shrink: leaves no pixel" in complete(photo, *box, "--shrink", 40).stderr


def test_a_copy_of_another_photo_is_told_of(photo: Path) -> None:
    other = photo.with_name("b.png")
    Image.fromarray(255 - photo_values()).save(other)
    hole = ("--mask-painted", other, "--preview", "-o", photo.parent / "o")
    told = f"{other}: nearly all of it differs from {photo}. Is it a copy of this photo?"
    assert told in complete(photo, *hole).stderr
    hole = ("--mask-painted", painted(photo, "p.png"), "--preview", "-o", photo.parent / "o")
    assert "Is it a copy" not in complete(photo, *hole).stderr


def test_of_several_labels_one_is_chosen(photo: Path) -> None:
    labels = np.zeros((60, 80), np.uint8)
    labels[5:10], labels[30:35] = 1, 2
    Image.fromarray(labels).save(photo.parent / "m.png")
    mask = ("--mask", photo.parent / "m.png", "-o", photo.parent / "o")
    assert "its values are 0, 1 and 2" in complete(photo, *mask).stderr
    assert complete(photo, *mask, "--mask-values", "2").exit_code == 0
    assert set(np.flatnonzero(changed(photo).any(axis=1))) <= set(range(30, 35))
    assert "it has 0, 1, 2" in complete(photo, *mask, "--mask-values", "7").stderr


def test_a_set_of_masks_gives_each_photo_its_own(photo: Path) -> None:
    from inpaint_cli.masks.sets import draw_set, write_set

    masks = draw_set("freeform", 60, 80, 2, seed=1)
    write_set(masks, photo.parent / "set.npz")
    other = painted(photo, "p.png")
    done = complete(photo, other, "--mask", photo.parent / "set.npz", "-o", photo.parent / "o")
    assert done.exit_code == 0
    assert not (changed(photo) & masks[0]).any()
    with Image.open(photo.parent / "o" / "p-0.png") as image, Image.open(other) as source:
        differs = (np.asarray(image) != np.asarray(source)).any(axis=2)
    assert differs.any()
    assert not (differs & masks[1]).any()


def test_a_mask_of_a_set_without_a_hole_is_told_as_one(photo: Path) -> None:
    from inpaint_cli.masks.sets import draw_set, write_set

    sets = (draw_set("holes", 60, 80, 1, seed=seed) for seed in range(100))
    write_set(next(one for one in sets if one[0].all()), photo.parent / "set.npz")
    done = complete(photo, "--mask", photo.parent / "set.npz", "-o", photo.parent / "o")
    assert done.exit_code == 2
    assert "set.npz: nothing to fill: no pixel is white." in done.stderr


@pytest.mark.parametrize(
    "option", [("--mask-alpha",), ("--mask-values", "1"), ("--mask-colour", "ff00ff")]
)
def test_of_a_set_of_masks_nothing_is_asked_that_it_does_not_hold(
    photo: Path, option: tuple[str, ...]
) -> None:
    (photo.parent / "set.npz").touch()  # it is not read
    result = complete(photo, "--mask", photo.parent / "set.npz", *option)
    assert result.exit_code == 2
    assert f"{option[0]}: a set of masks holds what is hidden and nothing else" in result.stderr


def test_a_preview_shows_the_hole_and_asks_no_model(photo: Path) -> None:
    script = (
        "import sys; from inpaint_cli.cli import main\n"
        "try: main(sys.argv[1:])\nfinally: assert 'torch' not in sys.modules"
    )
    words = ["complete", photo, "--box", "10,10,20,20", "--preview", "-o", photo.parent / "o"]
    subprocess.run([sys.executable, "-c", script, *map(str, words)], check=True)
    assert [file.name for file in (photo.parent / "o").iterdir()] == ["a-preview.png"]
    with Image.open(photo.parent / "o" / "a-preview.png") as image:
        values = np.asarray(image)
    differs = (values != photo_values()).any(axis=2)
    assert differs[10:30, 10:30].all()
    assert differs.sum() == 400


def test_a_preview_replaces_earlier_ones_only(photo: Path) -> None:
    words = (photo, "--box", "10,10,20,20", "--preview", "-o", photo.parent / "o")
    assert complete(*words).exit_code == complete(*words).exit_code == 0
    Image.fromarray(photo_values()).save(photo.parent / "o" / "a-preview.png")
    assert "exists and is no preview" in complete(*words).stderr


def test_a_record_tells_which_mask_of_a_set_was_taken(photo: Path) -> None:
    from inpaint_cli.masks.sets import draw_set, write_set

    write_set(draw_set("freeform", 60, 80, 3, seed=1), photo.parent / "set.npz")
    names = {name: painted(photo, f"{name}.png") for name in "bc"}
    words = ("--mask", photo.parent / "set.npz", "-o", photo.parent / "o", "--skip-existing")
    assert complete(photo, names["c"], *words).exit_code == 0
    record = json.loads((photo.parent / "o" / "completions.json").read_text())
    assert [item["hole"]["number"] for item in record["items"]] == [0, 1]
    later = complete(photo, names["b"], names["c"], *words)
    assert "a.png: its results exist, skipped" in later.stderr
    assert "c.png: its results exist" not in later.stderr


def test_a_blurred_edge_of_the_colour_is_told(photo: Path) -> None:
    words = (painted(photo, "p.jpg"), "--mask-colour", "ff00ff", "-o", photo.parent / "o")
    told = "has a blurred edge, which stays visible. Enlarge the hole by --grow"
    assert told in complete(*words).stderr
    assert told not in complete(*words, "--grow", 3).stderr
    exact = (painted(photo, "e.png"), "--mask-colour", "ff00ff", "-o", photo.parent / "o")
    assert told not in complete(*exact).stderr


def test_a_bad_photo_does_not_stop_the_previews_of_others(photo: Path) -> None:
    (photo.parent / "b.png").write_bytes(b"no picture")
    painted(photo, "c.png")
    words = ("--box", "10,10,20,20", "--preview", "-o", photo.parent / "o")
    done = complete(photo.parent, *words)
    assert done.exit_code == 3
    assert [Path(line).name for line in done.stdout.split()] == ["a-preview.png", "c-preview.png"]
    assert "failed: " in done.stderr
    assert "b.png: not an image" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preview", "--json"), "--json: previews have no record to print."),
        (("--resize-mask",), "--resize-mask: there is no mask to scale."),
        (("--exec-timeout", "3"), "--exec-timeout: belongs to --model exec:CMD."),
    ],
)
def test_what_would_have_no_effect_is_refused(
    photo: Path, words: tuple[str, ...], message: str
) -> None:
    done = complete(photo, "--box", "10,10,20,20", "-o", photo.parent / "o", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (photo.parent / "o").exists()


def test_a_preview_replaces_no_input(photo: Path) -> None:
    other = painted(photo, "a-preview.png")
    before = other.read_bytes()
    words = ("--box", "10,10,20,20", "--preview", "--overwrite", "-o", photo.parent)
    done = complete(photo, other, *words)
    assert done.exit_code == 3
    assert "is an input, which is never replaced" in done.stderr
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value"),
    [("--mask", "centre"), ("--mask-colour", "ff00ff"), ("--extend", "left=5")],
)
def test_a_hole_that_is_given_twice_is_refused(photo: Path, option: str, value: str) -> None:
    done = complete(photo, option, value, option, value)
    assert done.exit_code == 2
    assert f"{option}: given 2 times" in done.stderr
