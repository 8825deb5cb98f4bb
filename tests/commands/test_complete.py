"""`inpaint complete`: promises to its users, through the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from inpaint_cli.cli import main
from inpaint_cli.errors import ResourceError
from tests import own_process
from tests.pretend_model import PretendModel, pretend

__all__ = ["pretend"]

pytestmark = pytest.mark.usefixtures("pretend")


def complete(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["complete", *map(str, arguments)])


def pixels(path: Path) -> npt.NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def draw_photo(path: Path, height: int = 60, width: int = 80, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def draw_hole(path: Path, height: int = 60, width: int = 80) -> npt.NDArray[np.bool_]:
    """Write a mask with a box, white = fill in; return bool [H, W], True = visible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hole = np.zeros((height, width), np.uint8)
    hole[height // 4 : height // 2, width // 3 : width // 2 + 1] = 255
    Image.fromarray(hole).save(path)
    return np.asarray(hole == 0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    draw_hole(tmp_path / "m.png")
    return draw_photo(tmp_path / "ä b.png")


def results_of(photo: Path, folder: str, *arguments: object) -> dict[str, bytes]:
    place = photo.parent / folder
    result = complete(photo, "--mask", photo.parent / "m.png", "-o", place, *arguments)
    assert result.exit_code == 0, result.output
    return {file.name: file.read_bytes() for file in place.iterdir()}


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


NO_HOLE: dict[str, Any] = {
    "mask": None,
    "kind": None,
    "seed": None,
    "boxes": [],
    "invert": False,
    "alpha": False,
    "grow": 0,
    "resize": False,
    "everything": False,
}


def test_the_record_describes_each_completion(photo: Path) -> None:
    result = complete(
        photo,
        "--mask",
        photo.parent / "m.png",
        "-n",
        2,
        "--seed",
        9,
        "--json",
        "-o",
        photo.parent / "o",
    )
    document = json.loads(result.stdout)
    assert (document.pop("failed"), document.pop("skipped")) == ([], [])
    assert document == json.loads((photo.parent / "o" / "completions.json").read_text())
    (item,) = document["items"]
    assert document["schema"] == 2
    assert (item["image"], item["model"]) == (str(photo), "pretend")
    assert item["hole"] == {**NO_HOLE, "mask": str(photo.parent / "m.png")}
    assert item["hole_fraction"] == pytest.approx(15 * 15 / (60 * 80))
    for index, line in enumerate(item["completions"]):
        assert (line["file"], line["seed"], line["index"]) == (f"ä b-s9-{index}.png", 9, index)
        per_value = line["log_prob"] / item["hidden_values"]
        assert line["log_prob_per_value"] == pytest.approx(per_value, abs=1e-6)
        assert line["log_prob"] == round(line["log_prob"], 6)


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["a.png", "b.png", "sub/c.png"]):
        draw_photo(tmp_path / "in" / name, seed=number)
    for name in ["a.png", "b_mask001.png", "sub/c_mask.png", "lonely.png"]:
        draw_hole(tmp_path / "masks" / name)
    return tmp_path


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


def test_boxes_are_never_called_inverted(photo: Path) -> None:
    result = complete(photo, "--box", "0,0,80,60", "-n", 1, "-o", photo.parent / "o")
    assert result.exit_code == 0
    assert "inverted" not in result.stderr


def test_a_kind_misspelt_is_said_once(photo: Path) -> None:
    result = complete(photo, "--mask", "freefrom", "-o", photo.parent / "o")
    assert result.stderr.count("called") == 1
    assert "called 'freefrom'. Did you mean 'freeform'?" in result.stderr


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


def test_finished_photos_can_be_skipped(folder: Path, pretend: PretendModel) -> None:
    arguments = [folder / "in", "--box", "0,0,5,5", "-n", 1, "-o", folder / "o"]
    complete(*arguments)
    count = len(pretend.batches)
    (folder / "o" / "b-sheet.png").unlink()
    result = complete(*arguments, "--skip-existing")
    assert result.stdout == f"{folder / 'o' / 'b-sheet.png'}\n"
    assert len(pretend.batches) == count + 1


@pytest.mark.parametrize(
    "change",
    [
        ["--temperature", 0.5],
        ["--box", "9,9,5,5"],
        ["--grow", 2],
        ["--model", "telea", "-n", 1],
        ["--rank", "log-prob", "-n", 3],
    ],
)
def test_results_made_with_other_settings_are_not_skipped(photo: Path, change: list[Any]) -> None:
    arguments = [photo, "--box", "0,0,5,5", "-n", 4, "-o", photo.parent / "o"]
    complete(*arguments)
    assert "skipped" in complete(*arguments, "--skip-existing").stderr
    assert "skipped" in complete(*arguments, "-n", 2, "--skip-existing").stderr
    result = complete(*arguments, *change, "--skip-existing")
    assert result.exit_code == 0, result.output
    assert "made with other settings, done again" in result.stderr
    again = complete(*arguments, *change, "--skip-existing")
    assert "skipped" in again.stderr


def test_each_seed_is_skipped_by_its_own_results_alone(photo: Path) -> None:
    asked = [photo, "--box", "0,0,5,5", "-n", 2, "-o", photo.parent / "o", "--skip-existing"]
    complete(*asked)
    assert ", skipped" not in complete(*asked, "--seed", 3).stderr
    assert ", skipped" in complete(*asked, "--seed", 3).stderr
    assert ", skipped" in complete(*asked).stderr


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


SENTENCES: dict[str, list[Any]] = {
    "m.png": ["--mask", "m.png"],
    "a + b.png, its alpha, inverted + box 1,2,3,4 + box 10%,10%,50%,25.5% + grown by 2": [
        *("--mask", "a + b.png", "--mask-alpha", "--invert-mask", "--grow", 2),
        *("--box", "1,2,3,4", "--box", "10%,10%,50%,25.5%"),
    ],
    "freeform, inverted": ["--mask", "freeform", "--invert-mask"],
    "box 0,0,5,5": ["--box", "0,0,5,5"],
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_record_of_schema_1_is_continued(
    photo: Path, monkeypatch: pytest.MonkeyPatch, sentence: str
) -> None:
    monkeypatch.chdir(photo.parent)
    alpha = np.full((60, 80, 4), 255, np.uint8)
    alpha[:20, :20, 3] = 0
    Image.fromarray(alpha).save("a + b.png")
    asked = [photo, *SENTENCES[sentence], "-n", 2, "-o", "o"]
    assert complete(*asked).exit_code == 0
    record = photo.parent / "o" / "completions.json"
    document = json.loads(record.read_text())
    hole = document["items"][0].pop("hole")
    document["items"][0]["mask"] = sentence
    record.write_text(json.dumps({**document, "schema": 1}))
    assert "skipped" in complete(*asked, "--skip-existing").stderr
    assert complete(*asked).exit_code == 0
    assert json.loads(record.read_text())["items"][0]["hole"] == hole


def test_an_old_hole_that_means_nothing_is_completed_again(photo: Path) -> None:
    results_of(photo, "o", "-n", 1)
    record = photo.parent / "o" / "completions.json"
    document = json.loads(record.read_text())
    del document["items"][0]["hole"]
    document["items"][0]["mask"] = ", inverted"
    record.write_text(json.dumps({**document, "schema": 1}))
    result = complete(
        *(photo, "--mask", photo.parent / "m.png", "-n", 1, "-o", photo.parent / "o"),
        "--skip-existing",
    )
    assert "made with other settings, done again" in result.stderr


def test_a_record_keeps_all_that_makes_the_hole(photo: Path) -> None:
    out = photo.parent / "o"
    asked = ["--mask", "freeform", "--box", "0,0,5,5", "--box", "50%,50%,10%,10%", "--grow", 3]
    result = complete(photo, *asked, "--seed", 7, "-n", 1, "--json", "-o", out)
    (item,) = json.loads(result.stdout)["items"]
    boxes = [[0, 0, 5, 5], [40, 30, 8, 6]]
    wanted = {"kind": "freeform", "seed": 7, "boxes": boxes, "grow": 3}
    assert item["hole"] == {**NO_HOLE, **wanted}


def test_a_record_of_a_later_version_is_refused(photo: Path) -> None:
    (photo.parent / "o").mkdir()
    (photo.parent / "o" / "completions.json").write_text('{"schema": 3, "items": []}')
    result = complete(photo, "--box", "0,0,5,5", "-o", photo.parent / "o")
    assert (result.exit_code, "not a record of this version" in result.stderr) == (2, True)


def test_a_foreign_record_is_refused(photo: Path) -> None:
    (photo.parent / "o").mkdir()
    (photo.parent / "o" / "completions.json").write_text('{"schema": 1, "items": [5]}')
    result = complete(photo, "--box", "0,0,5,5", "-o", photo.parent / "o")
    assert result.exit_code == 2
    assert "not a record" in result.stderr


def test_a_record_cannot_make_us_remove_other_files(photo: Path) -> None:
    precious = photo.parent / "precious-0.png"
    precious.write_bytes(b"precious")
    results_of(photo, "o", "-n", 1)
    record = photo.parent / "o" / "completions.json"
    document = json.loads(record.read_text())
    document["items"][0]["completions"].append({"file": "../precious-0.png"})
    document["items"][0]["completions"].append({"file": "notes.txt"})
    (photo.parent / "o" / "notes.txt").write_text("precious")
    record.write_text(json.dumps(document))
    results_of(photo, "o", "-n", 1)
    assert precious.exists()
    assert (photo.parent / "o" / "notes.txt").exists()


def test_an_output_place_that_is_a_file_is_refused(photo: Path) -> None:
    (photo.parent / "notes").write_text("text")
    result = complete(photo, "--box", "0,0,5,5", "-o", photo.parent / "notes")
    assert result.exit_code == 1
    assert "not a folder" in result.stderr


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
