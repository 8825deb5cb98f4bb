"""Programs and objects of others among what is scored."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import inpaint_cli
from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.models.external import ExternalTool
from tests import programs
from tests.metrics.score_kit import contestant, target

FEW = ("--size", 16, "--limit", 6, "-k", 2, "--metrics", "mae,crps")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def test_a_program_stands_in_one_table_with_models_and_what_it_took_is_told(
    tmp_path: Path,
) -> None:
    command = programs.command(tmp_path, programs.CHANGING)
    result = run("--model", "telea", "--model", f"grey={command}", *FEW, "--json")
    assert result.exit_code == 0, result.output
    telea, grey = json.loads(result.stdout)
    assert grey["model"]["name"] == "grey"
    assert grey["model"]["checkpoint"] == command.removeprefix("exec:")
    assert grey["timing"]["runs"] == 12
    assert grey["timing"]["seconds_per_completion"] > 0
    assert grey["protocol"]["completions"]["visible_changed"] > 0.5
    assert "visible_changed" not in telea["protocol"]["completions"]
    assert "grey: 12 runs of" in result.stderr
    assert "of the visible samples, now put back" in result.stderr


@pytest.mark.parametrize(("body", "told"), [("pixels[hole] = 7", True), (None, False)])
def test_completions_that_are_all_the_same_are_told_of(
    tmp_path: Path, body: str | None, told: bool
) -> None:
    saved = programs.SEEDED if body is None else f"{body}; Image.fromarray(pixels).save(out)"
    result = run("--model", programs.command(tmp_path, saved), *FEW)
    assert result.exit_code == 0, result.output
    assert ("all completions of each picture are the same" in result.stderr) == told


def test_completions_of_a_program_keep_visible_pixels(tmp_path: Path) -> None:
    tool = ExternalTool(programs.command(tmp_path, programs.CHANGING))
    case = target(count=1, who=contestant("tool", tool)).case(0)
    assert case.visible is not None
    assert (case.completions[:, :, case.visible] == case.truth[:, case.visible]).all()
    assert case.spent["changed"] > 0.5


def test_a_program_that_fails_for_some_images_gets_no_figures_and_others_get_theirs(
    tmp_path: Path,
) -> None:
    body = f"count = {str(tmp_path / 'count')!r}\nopen(count, 'a').write('x')\n"
    body += "if os.path.getsize(count) > 8: sys.exit('tired')\n" + programs.SEEDED
    command = programs.command(tmp_path, body)
    result = run("--model", "telea", "--model", command, *FEW)
    assert result.exit_code == 3
    assert result.stderr.count("exec:tool.py ended with code 1: tired") == 2
    assert "2 of 6 images failed" in result.stderr
    assert "refused" in result.stdout


def test_a_program_that_always_fails_is_given_up_soon(tmp_path: Path) -> None:
    body = f"open({str(tmp_path / 'count')!r}, 'a').write('x'); sys.exit('never')"
    result = run("--model", programs.command(tmp_path, body), *FEW)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("error: failed for the first 3 images: ")
    assert (tmp_path / "count").read_text() == "xxx"


def test_a_program_that_always_fails_takes_no_other_model_down(tmp_path: Path) -> None:
    command = programs.command(tmp_path, "sys.exit('never')")
    names = "psnr,ssim,mae,crps,energy,coverage,rank-histogram"
    result = run("--model", command, "--model", "telea", *FEW, "--metrics", names, "--json")
    assert result.exit_code == 3
    assert "refused: failed for the first 3 images: " in result.stderr
    assert "images failed" not in result.stderr
    ours, telea = json.loads(result.stdout)
    assert ours["failed"]
    assert (ours["metrics"], len(telea["metrics"]) > 0) == ([], True)
    assert [entry["name"] for entry in ours["refused"]] == names.split(",")


def test_a_method_that_sees_nothing_takes_no_other_model_down() -> None:
    masks = ("--masks", "patches:n=0", "--masks", "patches:n=1")
    models = ("--model", "telea", "--model", "pcnn-digits")
    result = run(*models, "--data", "digits", *masks, "--limit", "2", "--metrics", "mae", "--json")
    assert result.exit_code == 3
    assert "telea (patches:n=0): refused: nothing is visible" in result.stderr
    documents = json.loads(result.stdout)
    assert [bool(document["metrics"]) for document in documents].count(False) == 1


def test_a_limit_beyond_the_split_is_told_of() -> None:
    telea = ("--model", "telea", "--data", "digits", "--metrics", "mae", "-k", "1")
    assert "no more than 106 pictures in this split" in run(*telea, "--limit", "107").stderr
    assert "no more than" not in run(*telea, "--limit", "106").stderr


class Even:
    """Fills everything with a value of chance, visible pixels too."""

    def complete(self, image: torch.Tensor, visible: torch.Tensor, noise: Any) -> torch.Tensor:
        drawn: torch.Tensor = noise.uniform(*image.shape[1:]) * 255
        return drawn.to(torch.uint8)


def test_any_object_that_completes_is_scored_and_its_visible_pixels_are_put_back() -> None:
    few: dict[str, Any] = {"metrics": "mae", "limit": 6, "k": 2, "size": 16}
    ours, even = inpaint_cli.score(["telea", Even()], **few)
    assert even["model"]["name"] == "Even"
    assert even["metrics"][0]["value"] > ours["metrics"][0]["value"]
    (again,) = inpaint_cli.score(Even(), **few)
    assert again["metrics"] != even["metrics"]  # which were compared with telea
    assert again["metrics"][0]["value"] == even["metrics"][0]["value"]


class Warm(Even):
    """The same with a temperature."""

    def complete(
        self, image: torch.Tensor, visible: torch.Tensor, noise: Any, temperature: float = 1
    ) -> torch.Tensor:
        """Return grey completions, as bright as it is warm."""
        return torch.full((len(noise), *image.shape[1:]), int(100 * temperature), dtype=torch.uint8)


def test_a_temperature_is_for_objects_that_take_one() -> None:
    given: dict[str, Any] = {"metrics": "mae", "limit": 2, "k": 2, "size": 16, "temperature": 0.5}
    warm, even = inpaint_cli.score([Warm(), Even()], **given)
    assert warm["model"]["sampler"]["temperature"] == 0.5
    assert even["model"]["sampler"]["temperature"] is None
    with pytest.raises(UserError, match="temperature"):
        inpaint_cli.score(Even(), **given)


class Copy(Even):
    """Returns what it is shown."""

    def complete(self, image: torch.Tensor, visible: torch.Tensor, noise: Any) -> torch.Tensor:
        return image.expand(len(noise), -1, -1, -1)


def test_an_object_is_not_shown_what_is_hidden() -> None:
    """Else a method that begins from what lies in the hole would be scored as a perfect one."""
    (report,) = inpaint_cli.score(Copy(), metrics="mae", limit=5, k=1, size=16)
    assert report["metrics"][0]["value"] > 0.05


class Wrong(Even):
    name = "wrong"

    def complete(self, image: torch.Tensor, visible: torch.Tensor, noise: Any) -> torch.Tensor:
        return image.double()


class Nothing(Even):
    def complete(self, image: torch.Tensor, visible: torch.Tensor, noise: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        (Wrong(), r"uint8 \[2, 3, 16, 16\] is needed"),
        (object(), "no method complete"),
        (Nothing(), r"gave NoneType; uint8 \[2, 3, 16, 16\] is needed"),
        (Even, "Even is a class. Give an object"),
    ],
)
def test_an_object_that_gives_no_completions_is_refused_in_words(
    odd: object, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        inpaint_cli.score(odd, metrics="mae", limit=2, k=2, size=16)
