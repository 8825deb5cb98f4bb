"""`inpaint complete`: promises to its users, through the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests import own_process
from tests.commands.completing import complete, draw_photo, photo, pixels, results_of
from tests.pretend_model import PretendModel, pretend

__all__ = ["photo", "pretend"]
pytestmark = pytest.mark.usefixtures("pretend")


def test_visible_pixels_are_the_inputs_and_completions_differ(photo: Path) -> None:
    results_of(photo, "o", "-n", 3)
    visible = pixels(photo.parent / "m.png") == 0
    completions = [pixels(photo.parent / "o" / f"ä b-{i}.png") for i in range(3)]
    for completion in completions:
        np.testing.assert_array_equal(completion[visible], pixels(photo)[visible])
    assert (completions[0] != completions[1]).any()
    assert (completions[1] != completions[2]).any()


def test_the_same_command_gives_the_same_files_and_fewer_are_the_first(photo: Path) -> None:
    first, second = results_of(photo, "o1", "-n", 4), results_of(photo, "o2", "-n", 4)
    fewer = results_of(photo, "o3", "-n", 2)
    names = [f"ä b-{i}.png" for i in range(4)]
    assert [first[n] for n in names] == [second[n] for n in names]
    assert [first[n] for n in names[:2]] == [fewer[n] for n in names[:2]]


def test_another_seed_gives_other_completions(photo: Path) -> None:
    assert (
        results_of(photo, "o1", "-n", 1)["ä b-0.png"]
        != (results_of(photo, "o2", "-n", 1, "--seed", 1)["ä b-s1-0.png"])
    )


def test_what_lies_under_the_hole_has_no_influence(photo: Path) -> None:
    results_of(photo, "o1", "-n", 2)
    visible = pixels(photo.parent / "m.png") == 0
    Image.fromarray(np.where(visible[..., None], pixels(photo), 7).astype(np.uint8)).save(photo)
    results_of(photo, "o2", "-n", 2)
    for index in range(2):
        first, second = (pixels(photo.parent / o / f"ä b-{index}.png") for o in ("o1", "o2"))
        np.testing.assert_array_equal(first, second)


def test_smaller_batches_after_a_full_memory_change_nothing(
    photo: Path, pretend: PretendModel
) -> None:
    whole = results_of(photo, "o1", "-n", 5)
    pretend.largest_batch = 2
    parts = results_of(photo, "o2", "-n", 5)
    assert pretend.batches == [5, 2, 2, 1]
    assert all(whole[f"ä b-{i}.png"] == parts[f"ä b-{i}.png"] for i in range(5))


def test_no_global_generator_is_touched(photo: Path) -> None:
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index] # noqa: NPY002
    results_of(photo, "o", "-n", 2)
    after = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index] # noqa: NPY002
    assert before == after


def test_stdout_is_the_sheet_and_the_hidden_share_is_on_stderr(photo: Path) -> None:
    result = complete(photo, "--box", "0,0,8,6", "-o", photo.parent / "o")
    assert result.stdout == f"{photo.parent / 'o' / 'ä b-sheet.png'}\n"
    assert "1.0 % hidden" in result.stderr
    assert "seed 0" in result.stderr
    quiet = complete(photo, "--box", "0,0,8,6", "-o", photo.parent / "o", "-q")
    assert quiet.stderr == ""


def test_a_completion_says_how_it_was_made_unless_told_not_to(photo: Path) -> None:
    results_of(photo, "o", "-n", 2, "--seed", 4)
    with Image.open(photo.parent / "o" / "ä b-s4-1.png") as image:
        about = json.loads(image.info["inpaint"])
    assert (about["model"], about["seed"], about["index"]) == ("pretend", 4, 1)
    results_of(photo, "o", "-n", 2, "--no-metadata")
    with Image.open(photo.parent / "o" / "ä b-1.png") as image:
        assert "inpaint" not in image.info


def test_ranked_files_begin_with_the_likeliest_and_keep_their_index(photo: Path) -> None:
    plain = results_of(photo, "o1", "-n", 4)
    ranked = results_of(photo, "o2", "-n", 4, "--rank", "log-prob")
    (item,) = json.loads(ranked["completions.json"])["items"]
    log_probs = [line["log_prob"] for line in item["completions"]]
    assert log_probs == sorted(log_probs, reverse=True)
    for place, line in enumerate(item["completions"]):
        assert plain[f"ä b-{line['index']}.png"] == ranked[f"ä b-{place}.png"]


def test_a_trace_is_written_as_a_moving_picture(photo: Path) -> None:
    files = results_of(photo, "o", "-n", 1, "--trace")
    (item,) = json.loads(files["completions.json"])["items"]
    with Image.open(photo.parent / "o" / item["trace"]) as image:
        assert getattr(image, "n_frames", 1) >= 2


SHAPES = [(1, 2), (3, 200), (200, 3), (15, 17), (33, 31)]


@pytest.mark.parametrize(
    ("shape", "model"),
    [
        ((1, 1), "pretend"),  # nothing would be visible to the others
        *((s, m) for s in SHAPES for m in ("pretend", "telea", "navier-stokes")),
    ],
)
def test_any_size_comes_back_at_its_size(
    tmp_path: Path, shape: tuple[int, int], model: str
) -> None:
    photo = draw_photo(tmp_path / "a.png", *shape)
    result = complete(photo, "--box", "0,0,1,1", "--model", model, "-o", tmp_path / "o")
    assert result.exit_code == 0, result.output
    fill = pixels(tmp_path / "o" / "a-0.png")
    visible = np.ones(shape, bool)
    visible[0, 0] = False
    np.testing.assert_array_equal(fill[visible], pixels(photo)[visible])


def test_transparent_pixels_are_the_hole_and_become_opaque(tmp_path: Path) -> None:
    rgba = np.full((40, 40, 4), 200, np.uint8)
    rgba[10:20, 10:20, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    result = complete(tmp_path / "a.png", "--mask-alpha", "--model", "telea", "-o", tmp_path / "o")
    assert result.exit_code == 0, result.output
    alpha = pixels(tmp_path / "o" / "a-0.png")[..., 3]
    assert (alpha[10:20, 10:20] == 255).all()
    assert (alpha[:10] == 200).all()


def test_alpha_is_kept_when_the_hole_comes_from_elsewhere(tmp_path: Path) -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (40, 40, 4), dtype=np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    complete(tmp_path / "a.png", "--box", "5,5,9,9", "-n", 1, "-o", tmp_path / "o")
    np.testing.assert_array_equal(pixels(tmp_path / "o" / "a-0.png")[..., 3], rgba[..., 3])


def test_a_drawn_mask_depends_on_the_seed(photo: Path) -> None:
    shares = set()
    for seed in range(3):
        result = complete(
            photo,
            "--mask",
            "freeform",
            "--seed",
            seed,
            "-n",
            1,
            "--json",
            "-o",
            photo.parent / f"o{seed}",
        )
        shares.add(json.loads(result.stdout)["items"][0]["hole_fraction"])
    assert len(shares) == 3


MISTAKES = {
    "no hole given": (["{photo}"], "no hole is given"),
    "mask missing": (["{photo}", "--mask", "none.png"], "--mask: none.png: no such file"),
    "kind misspelt": (["{photo}", "--mask", "freefrom"], "freeform"),
    "mask of another size": (["{photo}", "--mask", "{small}"], "10x10"),
    "mask without a hole": (["{photo}", "--mask", "{black}"], "Paint the hole in white"),
    "box outside": (["{photo}", "--box", "500,500,9,9"], "80x60"),
    "photo missing": (["{folder}/none.png", "--box", "0,0,5,5"], "none.png: no such file"),
    "photo misspelt": (["{folder}/smal.png", "--box", "0,0,5,5"], "small.png'?"),
    "photo on the web": (["http://a.b/c.png", "--box", "0,0,5,5"], "URLs are not fetched"),
    "mask on stdin": (["p.png", "--mask", "-"], "standard input gives photos, not masks"),
    "mask on the web": (["{photo}", "--mask", "https://a.b/c.png"], "download the picture first"),
    "photo is text": (["{text}", "--box", "0,0,5,5"], "t.png: not an image"),
    "n of nothing": (["{photo}", "--box", "0,0,5,5", "-n", "0"], "must be at least 1, got 0"),
    "n of telea": (["{photo}", "--box", "0,0,5,5", "--model", "telea", "-n", "2"], "deterministic"),
    "temperature of telea": (
        ["{photo}", "--box", "0,0,5,5", "--model", "telea", "--temperature", "1"],
        "--temperature",
    ),
    "several at temperature 0": (
        ["{photo}", "--box", "0,0,5,5", "--temperature", "0", "-n", "2"],
        "-n: must be 1, got 2: at temperature 0 a model has one completion",
    ),
    "rank of telea": (
        ["{photo}", "--box", "0,0,5,5", "--model", "telea", "--rank", "log-prob"],
        "no likelihood",
    ),
    "trace of telea": (
        ["{photo}", "--box", "0,0,5,5", "--model", "telea", "--trace"],
        "--trace: an option of pcnn",
    ),
    "nothing visible": (
        ["{photo}", "--box", "0,0,80,60", "--model", "telea"],
        "nothing is visible",
    ),
    "folder without photos": (["{empty}", "--box", "0,0,5,5"], "no photos"),
    "inverted box": (["{photo}", "--box", "0,0,5,5", "--invert-mask"], "no mask to invert"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_leaves_nothing(photo: Path, mistake: str) -> None:
    folder = photo.parent
    (folder / "empty").mkdir()
    (folder / "t.png").write_text("text")
    Image.new("L", (10, 10), 255).save(folder / "small.png")
    Image.new("L", (80, 60)).save(folder / "black.png")
    names = {name: folder / f"{name}.png" for name in ("small", "black")}
    names |= {"photo": photo, "folder": folder, "text": folder / "t.png", "empty": folder / "empty"}
    arguments, message = MISTAKES[mistake]
    result = complete(*[a.format(**names) for a in arguments], "-o", folder / "o")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not (folder / "o").exists()


def test_boxes_are_never_called_inverted(photo: Path) -> None:
    result = complete(photo, "--box", "0,0,80,60", "-n", 1, "-o", photo.parent / "o")
    assert result.exit_code == 0
    assert "inverted" not in result.stderr


def test_a_kind_misspelt_is_said_once(photo: Path) -> None:
    result = complete(photo, "--mask", "freefrom", "-o", photo.parent / "o")
    assert result.stderr.count("called") == 1
    assert "called 'freefrom'. Did you mean 'freeform'?" in result.stderr


PRETENDING = """
from inpaint_cli import api
from tests.pretend_model import loaded
api.load_model = lambda *arguments, **more: loaded(32)
"""


@pytest.mark.slow
def test_twelve_megapixels_eight_times_take_less_than_two_gigabytes(
    tmp_path: Path, top: Path
) -> None:
    # 8 photos of 4000 x 3000 are written: half a minute.
    values = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(values).resize((4000, 3000)).save(tmp_path / "a.jpg")
    # Texture for so wide a hole takes more: docs/photo-fill.md.
    arguments = ["complete", tmp_path / "a.jpg", "--box", "25%,25%,50%,50%", "-n", "8"]
    arguments += ["--detail", "none", "-o", tmp_path / "o"]
    ended = own_process.run(*arguments, top=top, before=PRETENDING)
    assert (ended.exit_code, ended.peak_bytes < 2e9) == (0, True)


@pytest.mark.slow
def test_a_wire_across_a_photo_takes_less_than_600_megabytes(tmp_path: Path, top: Path) -> None:
    draw_photo(tmp_path / "a.png", 300, 2000)
    arguments = ["--box", "0,150,2000,3", "-n", "1", "--model", "patches", "-o", tmp_path / "o"]
    ended = own_process.run("complete", tmp_path / "a.png", *arguments, top=top)
    assert (ended.exit_code, ended.peak_bytes < 600e6) == (0, True)
    visible = np.ones((300, 2000), np.bool_)
    visible[150:153] = False
    result, photo = pixels(tmp_path / "o" / "a-0.png"), pixels(tmp_path / "a.png")
    np.testing.assert_array_equal(result[visible], photo[visible])
    assert (result[~visible] != photo[~visible]).any()
