"""What a dry run tells, and that it leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest

from inpaint_cli import zoo
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.training.plan import RunReport
from inpaint_cli.training.recipe import RecipeChoices
from inpaint_cli.training.run import Machine, train

CPU, QUIET = Machine("cpu"), Reporter(quiet=True)


def planned(tmp_path: Path, *settings: str) -> RunReport:
    choices = RecipeChoices("fake-two", ["noise"], "small", settings=("accumulate=2", *settings))
    result = train(
        choices, Machine("cpu"), Reporter(quiet=True), runs=tmp_path / "runs", dry_run=True
    )
    assert result is not None
    return result


def test_a_dry_run_shows_stages_batches_and_parameters_and_writes_nothing(tmp_path: Path) -> None:
    result = planned(tmp_path)
    # 2 -> 4 and 4 -> 1 channels, 3x3, with biases, and a normalisation; the critic 1 -> 2 -> 1.
    assert result.facts["parameters"] == {"total": 160, "painter": 121, "critic": 39}
    assert "stage 'polish': 12 steps, batches of 4 = 2 images x 2 accumulated parts" in result.text
    assert not (tmp_path / "runs").exists()


def test_memory_counts_what_a_stage_trains_and_keeps(tmp_path: Path) -> None:
    paint, polish = (
        planned(tmp_path).facts["stages"][name]["memory_bytes"] for name in ("paint", "polish")
    )
    assert paint["gradients"] == 4 * 160
    assert polish["gradients"] == 4 * 39
    assert polish["optimiser"] == 8 * 39
    assert paint["average"] == paint["weights"] > 0
    assert paint["activations"] > polish["activations"] > 0
    assert planned(tmp_path, "ema_decay=0").facts["stages"]["paint"]["memory_bytes"]["average"] == 0


def test_activations_grow_with_the_images_at_once(tmp_path: Path) -> None:
    small, large = (
        planned(tmp_path, f"batch_size={n}").facts["stages"]["paint"]["memory_bytes"]
        for n in (4, 16)
    )
    assert large["activations"] == 4 * small["activations"]


def test_a_plan_refuses_what_a_new_run_would_refuse(tmp_path: Path) -> None:
    alone = RecipeChoices("fake-two", ["noise"], "small", "polish")
    with pytest.raises(UserError, match="'polish' stands on 'paint'"):
        train(alone, CPU, QUIET, runs=tmp_path, dry_run=True)
    first = RecipeChoices("fake-two", ["noise"], "small", "paint", settings=("steps=2",))
    trained = train(first, CPU, QUIET, runs=tmp_path)
    assert trained is not None
    reshaped = RecipeChoices(
        data=["noise"], settings=("filters=6",), weights=Path(trained.facts["weights"])
    )
    with pytest.raises(UserError, match="change the shape of 'painter"):
        train(reshaped, CPU, QUIET, runs=tmp_path, dry_run=True)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        ("latent-codes", {"perceptual": "gone.pth"}, "gone.pth"),
        ("picme", {"settings": ["adversary=projected"]}, "^adversary: projected needs the trunk"),
    ],
)
def test_a_plan_refuses_a_perceptual_distance_as_the_run_would(
    tmp_path: Path, model: str, given: dict[str, Any], message: str
) -> None:
    choices = RecipeChoices(model, ["noise"], "digits", **given)
    with pytest.raises((UserError, ResourceError), match=message):
        train(choices, CPU, QUIET, runs=tmp_path, dry_run=True)


def test_the_plan_of_a_run_that_goes_on_is_of_what_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = RecipeChoices("fake-two", ["noise"], "small", "paint", settings=("steps=2",))
    trained = train(choices, CPU, QUIET, runs=tmp_path)
    assert trained is not None
    run = Path(trained.facts["run"])

    def plan_of(choices: RecipeChoices, **options: Any) -> list[str]:
        planned = train(
            choices, CPU, Reporter(), runs=tmp_path, resume=str(run), dry_run=True, **options
        )
        assert planned is not None
        return list(planned.facts["stages"])

    assert plan_of(RecipeChoices()) == []
    told = capsys.readouterr().err
    assert "finished paint; --stage=polish goes on; a new run with --from-weights" in told
    assert plan_of(RecipeChoices(stage="polish")) == ["polish"]
    config = run / "config.toml"
    config.write_text(config.read_text().replace("lr = 0.01", "lr = 0.5", 1))
    assert plan_of(RecipeChoices()) == []  # a sitting would train nothing, so nothing is refused
    with pytest.raises(UserError, match=r"is not as it was: paint.lr was 0.01 and is 0.5 now"):
        plan_of(RecipeChoices(stage="polish"))
    assert plan_of(RecipeChoices(stage="polish"), accept_changes=True) == ["polish"]
    (run / "model.safetensors").write_bytes(b"damaged")
    assert plan_of(RecipeChoices(), accept_changes=True) == ["paint"]


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("stage", "settings", "told"),
    [
        ("partial-encoder", (), "stands on a trained VAE"),
        ("partial-encoder", ("vae=gone.safetensors",), "vae: gone.safetensors: no such file"),
        (None, ("vae=gone.safetensors",), "vae: gone.safetensors: no such file"),
        ("partial-encoder", ("vae={pcnn}",), "a model of 'pcnn', not a VD-VAE"),
        ("partial-encoder", ("vae={ipa}",), "are of different VAEs: size 28 and 8"),
    ],
)
def test_a_vae_that_is_not_there_is_told_before_the_data_are_read(
    stage: str | None, settings: tuple[str, ...], told: str, dry_run: bool, tmp_path: Path
) -> None:
    files = {"pcnn": zoo.find("pcnn-digits"), "ipa": zoo.find("ipa-mnist")}
    given = tuple(setting.format(**files) for setting in settings)
    choices = RecipeChoices("ipa", [str(tmp_path / "none")], "digits", stage=stage, settings=given)
    with pytest.raises(UserError, match=told):
        train(choices, CPU, QUIET, runs=tmp_path / "runs", dry_run=dry_run)
    assert not (tmp_path / "runs").exists()


def test_stages_that_have_their_vae_are_planned(tmp_path: Path) -> None:
    vae = zoo.find("ipa-mnist")
    for stage, settings in (("partial-encoder", (f"vae={vae}",)), ("vae", ())):
        choices = RecipeChoices("ipa", ["digits"], "mnist", stage=stage, settings=settings)
        assert train(choices, CPU, QUIET, runs=tmp_path / "runs", dry_run=True)
