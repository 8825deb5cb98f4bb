"""`inpaint design`: photos with their files, data sets with their table, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import inpaint_cli
from inpaint_cli.cli import main
from inpaint_cli.data import load_images
from inpaint_cli.errors import UserError
from inpaint_cli.files import write_text
from inpaint_cli.posterior import auroc, design_run, design_table
from inpaint_cli.posterior.classifying import load_judge
from inpaint_cli.posterior.design_printing import cell_of
from inpaint_cli.posterior.design_run import EarlierLooks
from inpaint_cli.weights import CLASSES, class_names_of
from tests.masked_classifiers import saved
from tests.pretend_model import PretendModel, pretend

__all__ = ["pretend"]
FEW: dict[str, Any] = {"steps": 2, "n": 3, "grid": 4}


def typed(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["design", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("design")


@pytest.fixture(scope="module")
def classifier(folder: Path) -> str:
    return saved(folder)


@pytest.fixture(scope="module")
def photo(folder: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 64, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    return folder / "photo.png"


@pytest.fixture(scope="module")
def digits_classifier(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("digits"), 8, 1, classes=10)


def words(classifier: str, *more: object) -> tuple[object, ...]:
    return ("--model", "pcnn-digits", "--classifier", classifier, "-n", 3, "--steps", 2, *more)


@pytest.mark.usefixtures("pretend")
def test_a_photo_becomes_a_picture_arrays_and_a_record(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    code, out, err = typed(photo, *words(classifier), "--grid", 4, "-o", tmp_path)
    assert (code, out.split()) == (
        0,
        [str(tmp_path / n) for n in ("photo-design.png", "photo-design.npz", "design.json")],
    )
    assert "40x40 square in the middle of 64x40" in err
    with np.load(tmp_path / "photo-design.npz") as arrays:
        eig, ig, corners = arrays["eig"], arrays["ig"], arrays["corners"]
    assert (eig.shape, ig.shape, corners.shape) == ((2, 4, 4), (2, 3, 4, 4), (2, 2))
    np.testing.assert_allclose(ig.mean(axis=1), eig, rtol=0, atol=1e-12)
    assert np.isnan(eig[1]).sum() == 1  # what the first look showed
    record = json.loads((tmp_path / "design.json").read_text(encoding="utf-8"))
    (item,) = record["photos"]
    assert (record["n"], record["patch"], item["square"]) == (3, 4, [12, 0, 40, 40])
    for step, corner, gain in zip(item["steps"], corners, eig, strict=True):
        assert step["corner"] == corner.tolist()
        assert step["eig"] == pytest.approx(np.nanmax(gain), abs=1e-5)
        # The model's 16 pixels are 40 of the photo's, from its column 12 on.
        assert step["patch_in_photo"] == [12 + corner[1] * 2.5, corner[0] * 2.5, 10, 10]
        assert sum(step["probabilities"]) == pytest.approx(1)
    assert item["steps"][1]["entropy_before"] == item["steps"][0]["entropy_after"]


@pytest.mark.usefixtures("pretend")
def test_python_gives_what_the_command_writes(photo: Path, classifier: str, tmp_path: Path) -> None:
    first = inpaint_cli.design(photo, model="pcnn-digits", classifier=classifier, **FEW)
    again = inpaint_cli.design(
        np.asarray(Image.open(photo)), model="pcnn-digits", classifier=classifier, **FEW
    )
    np.testing.assert_array_equal(first.eig, again.eig)
    assert first.probabilities.shape == (3, 3)
    assert Image.open(first.save(tmp_path, "made")[0]).width > 600
    # Half the patches were seen in the photo: the picture is not the model's alone.
    assert (first.patch(first.steps[0]).height, first.name) == (10, "photo.png")


@pytest.mark.usefixtures("pretend")
def test_a_photo_of_more_than_8_bits_is_looked_at_as_it_shows(
    classifier: str, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16), dtype=np.uint8)
    pixels[0, :2] = 0, 255
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    Image.fromarray(pixels.astype(np.uint16) * 16).save(tmp_path / "deep.png")
    Image.fromarray(pixels.astype(np.float32) * 9).save(tmp_path / "floats.tif")
    plain, deep, floats = (
        inpaint_cli.design(tmp_path / name, model="pcnn-digits", classifier=classifier, **FEW)
        for name in ("plain.png", "deep.png", "floats.tif")
    )
    assert (plain.image.int() - deep.image.int()).abs().max() <= 1
    assert (plain.image.int() - floats.image.int()).abs().max() <= 1
    assert "the model sees 0 to 4095" in deep.photo.notes[0]


@pytest.mark.usefixtures("pretend")
def test_a_start_is_a_kind_or_a_mask_of_the_photo(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    hidden = np.full((40, 64), 255, np.uint8)
    hidden[:, :32] = 0  # the left half of the square is known
    Image.fromarray(hidden).save(tmp_path / "mask.png")
    for start in ("hide-right", tmp_path / "mask.png"):
        design = inpaint_cli.design(
            photo, model="pcnn-digits", classifier=classifier, start=str(start), **FEW
        )
        np.testing.assert_array_equal(
            design.steps[0].seen_before.all(axis=0), [True] * 8 + [False] * 8
        )
        assert np.isnan(design.eig[0][:, :2]).all()


def test_a_data_set_becomes_a_table_of_paired_differences(digits_classifier: str) -> None:
    document = inpaint_cli.design_table(
        "digits",
        model="pcnn-digits",
        classifier=digits_classifier,
        estimator=("eig", "random", "uncond"),
        limit=6,
        **FEW,
    )
    figures = {(e["figure"], e["looks"], e["estimator"]): e for e in document["figures"]}
    assert len(figures) == 2 * 4 * 3
    assert document["training_images"] == 3
    for name in ("eig", "random", "uncond"):
        for looks in (0, "whole"):  # what all ways share
            assert figures["nll", looks, name]["value"] == figures["nll", looks, "eig"]["value"]
    difference = figures["nll", 2, "random"]["difference"]
    assert difference["value"] == pytest.approx(
        figures["nll", 2, "random"]["value"] - figures["nll", 2, "eig"]["value"]
    )
    low, high = difference["ci95"]
    assert (low + high) / 2 == pytest.approx(difference["value"])
    assert figures["nll", 2, "eig"]["difference"] is None


def test_a_table_is_printed_as_text_json_csv_and_markdown(digits_classifier: str) -> None:
    def printed(*more: str) -> str:
        code, out, _ = typed(
            *words(digits_classifier, "--data", "digits", "--limit", 3, "--grid", 3),
            *("--estimator", "random", "--estimator", "uncond", *more),
        )
        assert code == 0
        return out

    document = json.loads(printed("--json"))
    assert document["schema"] == "inpaint.design/1"
    rows = list(csv.DictReader(io.StringIO(printed("--csv"))))
    assert [row["estimator"] for row in rows[:2]] == ["random", "random"]
    assert len(rows) == len(document["figures"]) == 2 * 4 * 2
    assert float(rows[1]["value"]) == document["figures"][1]["value"]
    text, markdown = printed(), printed("--markdown")
    for line in ("uncond - random", "1 look ", "2 looks", "whole", "looks of 2x2 at 3x3 places"):
        assert line in text
        assert line in markdown


def test_two_classes_have_an_auroc(tmp_path: Path) -> None:
    p = np.random.default_rng(0).dirichlet([1, 1], size=20)
    labels = np.arange(20) % 2
    figures = {figure.name: figure for figure in design_table.figures_of(p, labels)}
    assert set(figures) == {"accuracy", "nll", "auroc"}
    value, se = figures["auroc"].minus(figures["auroc"]).estimate()
    assert (value, se) == (0, None)
    p[0] = [1, 0]
    wrong = design_table.figures_of(p, np.ones(20, np.int64))
    assert {figure.name for figure in wrong} == {"accuracy", "nll"}
    assert np.isfinite(wrong[1].estimate()[0])


def test_starts_of_a_mixture_have_ranges(
    digits_classifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, plain = list[Any](), design_table.figures_of

    def noted(p: Any, labels: Any, strata: Any = None) -> Any:
        seen.append(strata)
        return plain(p, labels, strata)

    monkeypatch.setattr(design_table, "figures_of", noted)
    for start in ("freeform-scaled@mixture", "nothing"):
        given = {"classifier": digits_classifier, "estimator": "random", "limit": 5, "start": start}
        inpaint_cli.design_table("digits", model="pcnn-digits", **FEW | given)
    assert sorted(seen[0]) == [0, 1, 2, 3, 4]
    assert seen[-1] is None


def test_once_all_is_seen_further_looks_change_nothing(digits_classifier: str) -> None:
    document = inpaint_cli.design_table(
        "digits",
        model="pcnn-digits",
        classifier=digits_classifier,
        estimator="random",
        limit=2,
        **FEW | {"grid": 2, "patch": "50%", "steps": 6},
    )
    values = [e["value"] for e in document["figures"] if e["figure"] == "nll"]
    assert values[4] == values[5] == values[6] == pytest.approx(values[7], abs=1e-6)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model": "telea"}, "model: telea is deterministic"),
        ({"steps": 0}, "steps: must be at least 1"),
        ({"n": 1}, "n: must be at least 2"),
        ({"n": "many"}, "n: must be a whole number"),
        ({"patch": 16}, "patch: 16 pixels"),
        ({"grid": 1}, "grid: must be at least 2"),
        ({"grid": 14}, "grid: 14 along.*At most 13"),
        ({"estimator": "eigg"}, "estimator: no estimator called 'eigg'. Did you mean 'eig'"),
        ({"estimator": ("eig", "epe")}, "estimator: one image"),
        ({"estimator": "uncond"}, "data: uncond stands on training images"),
        ({"start": "everything"}, "start: it shows every place already"),
        ({"start": "nothign"}, "start: nothign: no such file.*Did you mean 'nothing'"),
        ({"stepps": 3}, "no option called 'stepps'. Did you mean 'steps'"),
        ({"classifier": "classifier-mnist"}, "classifier: .*trained on whole pictures.*train"),
        ({"classifier": "pcnn-digits"}, "classifier: .*family 'pcnn'"),
        ({"classifier": "nowhere/x"}, "classifier: .*no such file"),
    ],
)
def test_bad_requests_are_answered_before_the_first_completion(
    given: dict[str, Any],
    sentence: str,
    photo: Path,
    classifier: str,
    pretend: PretendModel,
) -> None:
    chosen = {"model": "pcnn-digits", "classifier": classifier, **FEW, **given}
    with pytest.raises(UserError, match=sentence):
        inpaint_cli.design(photo, **chosen)
    assert pretend.batches == []


def test_a_classifier_of_another_size_is_refused(photo: Path, classifier: str) -> None:
    with pytest.raises(UserError, match=r"classifier: .*16x16 RGB, and pcnn-digits for 8x8 grey"):
        inpaint_cli.design(photo, model="pcnn-digits", classifier=classifier)


def test_a_place_that_cannot_be_written_is_told_first(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, _, err = typed(photo, *words(classifier), "-o", tmp_path / "file" / "out")
    assert (code, "is a file, not a folder" in err, "loading" in err) == (1, True, False)


def test_folders_in_a_folder_are_looked_at_where_that_is_asked(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.png").write_bytes(photo.read_bytes())
    more = (*words(classifier), "-o", tmp_path / "out")
    code, _, err = typed(tmp_path / "a", *more)
    assert (code, "--recursive adds the folders in it" in err) == (2, True)
    code, _, err = typed("--data", "digits", "-r", *words(classifier))
    assert (code, "--recursive: belongs to photos" in err) == (2, True)


@pytest.mark.usefixtures("pretend")
def test_files_of_a_folder_in_a_folder_lie_in_one(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.png").write_bytes(photo.read_bytes())
    assert typed(tmp_path / "a", "-r", *words(classifier), "-o", tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / "b" / "x-design.png").is_file()


def test_data_without_classes_or_with_too_many_are_refused(
    photo: Path, digits_classifier: str, tmp_path: Path
) -> None:
    few, plain = saved(tmp_path, 8, 1, classes=3), tmp_path / "plain"
    for split in ("train", "test"):
        for number in range(3):
            (plain / split).mkdir(parents=True, exist_ok=True)
            (plain / split / f"{number}.png").write_bytes(photo.read_bytes())
    for data, network, sentence in (
        (plain, digits_classifier, "data: .*has no classes to tell"),
        ("digits", few, "classifier: digits has 10 classes, and .* tells 3 apart"),
    ):
        with pytest.raises(UserError, match=sentence):
            inpaint_cli.design_table(
                data, model="pcnn-digits", classifier=network, estimator="random", images=2
            )


def of_classes(folder: Path, *names: str) -> Path:
    """Return a data set with two pictures of each class in each split."""
    for split in ("train", "test"):
        for name in names:
            (folder / split / name).mkdir(parents=True)
            for number in range(2):
                Image.new("L", (8, 8), 9 * number + len(name)).save(
                    folder / split / name / f"{number}.png"
                )
    return folder


def classes_of(data: Path, classifier: str) -> list[int]:
    """Return which outputs of a classifier the classes of data are."""
    judge = load_judge(classifier, "cpu")
    images = load_images((str(data),), size=8, channels=1, levels=256, split="test")
    return list(design_table.labels_of(images, range(len(images)), judge))


def test_classes_are_told_by_name(tmp_path: Path) -> None:
    some = of_classes(tmp_path / "some", "cat", "owl")
    assert classes_of(some, saved(tmp_path, 8, 1, ("owl", "bat", "cat"))) == [2, 2, 0, 0]
    with pytest.raises(UserError, match=r"classifier: some has .* 'cat', and .* owl, bat, dog"):
        classes_of(some, saved(tmp_path, 8, 1, ("owl", "bat", "dog")))


def test_a_sheet_names_what_the_classifier_tells_apart(tmp_path: Path) -> None:
    named = load_judge(saved(tmp_path, 8, 1, ("owl", "bat", "cat")), "cpu")
    assert [named.answer(number) for number in range(3)] == ["owl", "bat", "cat"]
    assert load_judge(saved(tmp_path, 8, 1), "cpu").answer(2) == "class 2"


def test_what_folders_are_can_be_said(tmp_path: Path, digits_classifier: str) -> None:
    data = of_classes(tmp_path / "some", *"0123456789")
    (data / "test").rename(data / "held")
    more = ("--data", data, "--estimator", "random", "--grid", 4, "--json")
    code, out, _ = typed(*words(digits_classifier, *more), "--split-map", "held=test")
    assert (code, json.loads(out)["n_images"]) == (0, 20)


def test_classes_without_names_have_to_be_as_many(tmp_path: Path) -> None:
    some = of_classes(tmp_path / "some", "cat", "owl")
    assert classes_of(some, saved(tmp_path, 8, 1, classes=2)) == [0, 0, 1, 1]
    with pytest.raises(UserError, match=r"has 2 classes, and .* tells 3 apart and does not say"):
        classes_of(some, saved(tmp_path, 8, 1, classes=3))


@pytest.mark.parametrize("names", ["1", '["a", 1]', "{", '{"a": 1}'])
def test_names_that_are_none_are_refused(tmp_path: Path, names: str) -> None:
    with pytest.raises(UserError, match="class_names: "):
        class_names_of({CLASSES: names}, tmp_path)


def test_options_of_the_other_kind_are_refused(photo: Path, classifier: str) -> None:
    for more, sentence in (
        ((photo, "--limit", 5), "--limit: belongs to data sets"),
        ((photo, "--csv"), "--csv: belongs to data sets"),
        (("--data", "digits", "-o", "x"), "--output: belongs to photos"),
        (("--data", "digits", "--csv", "--json"), "give one of them"),
        ((), "give a PHOTO, or --data"),
    ):
        code, _, err = typed(*words(classifier, *more))
        assert (code, sentence in err) == (2, True)


@pytest.mark.usefixtures("pretend")
def test_one_bad_photo_does_not_stop_the_others(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    code, _, err = typed(tmp_path / "bad.png", photo, *words(classifier), "-o", tmp_path / "out")
    assert code == 3
    assert "failed:" in err
    assert (tmp_path / "out" / "photo-design.png").is_file()


@pytest.mark.usefixtures("pretend")
def test_a_photo_is_never_written_over(photo: Path, classifier: str, tmp_path: Path) -> None:
    for name in ("a.png", "a-design.png"):
        (tmp_path / name).write_bytes(photo.read_bytes())
    code, _, err = typed(
        tmp_path / "a.png", tmp_path / "a-design.png", *words(classifier), "-o", tmp_path
    )
    assert (code, "is a photo itself" in err) == (2, True)
    assert (tmp_path / "a-design.png").read_bytes() == photo.read_bytes()


@pytest.mark.usefixtures("pretend")
def test_a_file_that_no_earlier_run_wrote_is_kept(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    drawing = tmp_path / f"{photo.stem}-design.png"
    drawing.write_bytes(b"a plan of the kitchen")
    code, _, err = typed(photo, *words(classifier), "-o", tmp_path)
    assert (code, "design.json knows nothing of it" in err) == (2, True)
    drawing.unlink()
    assert typed(photo, *words(classifier), "-o", tmp_path)[0] == 0
    drawing.write_bytes(b"a plan of the kitchen")
    code, _, err = typed(photo, *words(classifier), "-o", tmp_path)
    assert (code, "was changed since it was written" in err) == (2, True)
    assert drawing.read_bytes() == b"a plan of the kitchen"
    assert drawing.read_bytes() == b"a plan of the kitchen"
    drawing.unlink()
    for _ in range(2):  # its own files are replaced
        assert typed(photo, *words(classifier), "-o", tmp_path)[0] == 0


@pytest.mark.usefixtures("pretend")
def test_a_record_of_somebody_else_is_not_replaced(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    (tmp_path / "design.json").write_text("mine", encoding="utf-8")
    code, _, err = typed(photo, *words(classifier), "--grid", 4, "-o", tmp_path)
    assert (code, "no record of 'inpaint design'" in err) == (2, True)
    assert (tmp_path / "design.json").read_text(encoding="utf-8") == "mine"
    (tmp_path / "design.json").unlink()
    for _ in range(2):  # its own is replaced
        assert typed(photo, *words(classifier), "--grid", 4, "-o", tmp_path)[0] == 0


def record_in(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "design.json").read_text(encoding="utf-8")))


@pytest.mark.usefixtures("pretend")
def test_a_later_run_keeps_what_is_known_of_other_photos(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(photo.read_bytes())
        shown = typed(
            tmp_path / name, *words(classifier), "--grid", 4, "-o", tmp_path / "out", "--json"
        )
        assert [item["photo"] for item in json.loads(shown[1])["photos"]] == [name]
    both = record_in(tmp_path / "out")
    assert [item["photo"] for item in both["photos"]] == ["a.png", "b.png"]
    more = (*words(classifier), "--grid", 5, "-o", tmp_path / "out")
    code, _, err = typed(tmp_path / "b.png", *more)
    assert (code, "holds looks at a.png, of other settings (grid)" in err) == (2, True)
    assert record_in(tmp_path / "out") == both
    assert typed(tmp_path / "a.png", tmp_path / "b.png", *more)[0] == 0
    assert [len(item["steps"]) for item in record_in(tmp_path / "out")["photos"]] == [2, 2]
    assert record_in(tmp_path / "out")["grid"] == 5


@pytest.mark.usefixtures("pretend")
def test_a_start_of_other_content_is_another_setting(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    mask, hidden = tmp_path / "mask.png", np.full((40, 64), 255, np.uint8)
    more = (*words(classifier), "--grid", 4, "-o", tmp_path / "out", "--start", mask)
    for name, columns in (("a.png", 16), ("b.png", 32)):
        hidden[:, :columns] = 0
        Image.fromarray(hidden).save(mask)
        (tmp_path / name).write_bytes(photo.read_bytes())
        code, _, err = typed(tmp_path / name, *more)
    assert (code, "of other settings (start_sha256)" in err) == (2, True)


@pytest.mark.usefixtures("pretend")
def test_looks_at_another_photo_of_the_same_name_are_kept(
    photo: Path, classifier: str, tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(photo.read_bytes())
    more = (*words(classifier), "-o", tmp_path / "out")
    assert typed(tmp_path / "a" / "x.png", *more)[0] == 0
    first = record_in(tmp_path / "out")
    code, _, err = typed(tmp_path / "b" / "x.png", *more)
    assert (code, f"holds looks at {tmp_path / 'a' / 'x.png'}" in err) == (2, True)
    assert record_in(tmp_path / "out") == first


@pytest.mark.parametrize("grid", [4, 5])
@pytest.mark.parametrize("writes", range(1, 4))
@pytest.mark.usefixtures("pretend")
def test_a_killed_run_can_be_given_again(
    photo: Path,
    classifier: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writes: int,
    grid: int,
) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(photo.read_bytes())
    again = (tmp_path / "a.png", tmp_path / "b.png", *words(classifier), "-o", tmp_path / "out")
    if grid == 5:  # over results of other settings
        assert typed(*again, "--grid", 4)[0] == 0
    left = iter(range(writes))

    def killed(path: Path, text: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write_text(path, text)

    with monkeypatch.context() as patched:
        patched.setattr(design_run, "write_text", killed)
        assert typed(*again, "--grid", grid)[0] == 130
    assert typed(*again, "--grid", grid)[0] == 0
    record = record_in(tmp_path / "out")
    assert ([item["photo"] for item in record["photos"]], record["grid"]) == (
        ["a.png", "b.png"],
        grid,
    )
    assert "begun" not in record


@pytest.mark.parametrize(
    "photos",
    [
        "1",
        "[1]",
        '[{"photo": 1}]',
        '[{"photo": "a", "stem": 1}]',
        '[], "begun": 1',
        '[], "begun": {"a": 1}',
    ],
)
def test_a_record_without_photos_is_none_of_ours(tmp_path: Path, photos: str) -> None:
    record = f'{{"schema": "inpaint.design-photos/1", "photos": {photos}}}'
    (tmp_path / "design.json").write_text(record, encoding="utf-8")
    with pytest.raises(UserError, match="no record of 'inpaint design'"):
        EarlierLooks.of(tmp_path / "design.json")


def told(values: list[float]) -> dict[str, Any]:
    pair = (design_table.Figure("nll", "lower", np.array(v)) for v in (values, [0.0] * len(values)))
    return design_table.difference(*pair)


def test_intervals_of_few_pictures_are_student_s_and_cover_as_they_say() -> None:
    rng = np.random.default_rng(0)
    ends = [told(list(row))["ci95"] for row in rng.normal(0, 1, (2000, 4))]
    held = [low <= 0 <= high for low, high in ends]
    assert 0.935 < np.mean(held) < 0.965


def test_no_error_of_nought_is_printed_and_none_proves_a_difference() -> None:
    alike = told([0.5, 0.5])
    assert alike["ci95"] is None
    assert cell_of("nll", alike) == "0.500"
    assert cell_of("accuracy", {"value": 0.9, "se": 0.0002}) == "90.0 ± 0.02"
    apart = auroc.placements(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert cell_of("auroc", {"value": apart.area, "se": apart.se}) == "1.000"
