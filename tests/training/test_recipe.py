"""Where settings come from, and that a saved config repeats them."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli import models
from inpaint_cli.errors import UserError
from inpaint_cli.training.presets import StoredSize, smallest_that_takes
from inpaint_cli.training.recipe import RecipeChoices, from_file
from tests.training import fake_family


def choices(*settings: str, config: Path | None = None, model: str = "fake-two") -> RecipeChoices:
    return RecipeChoices(model, ["noise"], "small", settings=settings, config=config)


def test_a_saved_recipe_reads_back_as_itself(tmp_path: Path) -> None:
    recipe = choices("filters=8", "note=a \"quoted\" 'word'", "polish.betas=0.5,0.9").recipe()
    path = tmp_path / "config.toml"
    path.write_text(recipe.to_toml())
    assert from_file(path) == recipe


def test_the_order_is_preset_then_file_then_set(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[config]\nfilters = 6\ndropout = 0.3\n[config.training.paint]\nlr = 0.5\n")
    recipe = choices("dropout=0.4", config=path).recipe()
    config = recipe.config
    assert isinstance(config, fake_family.FakeConfig)
    assert (config.size, config.filters, config.dropout) == (8, 6, 0.4)
    assert recipe.training("paint").lr == 0.5
    assert recipe.training("paint").batch_size == fake_family.TRAINING.batch_size


def test_a_training_setting_goes_to_every_stage_or_to_the_one_named() -> None:
    recipe = choices("lr=0.25", "polish.steps=3").recipe()
    assert [recipe.training(name).lr for name in ("paint", "polish")] == [0.25, 0.25]
    assert [recipe.training(name).steps for name in ("paint", "polish")] == [12, 3]


def test_epochs_that_are_asked_for_count_though_the_preset_has_steps(tmp_path: Path) -> None:
    def length(*settings: str, config: Path | None = None) -> tuple[int, float]:
        training = choices(*settings, config=config).recipe().training("paint")
        return training.steps, training.epochs

    path = tmp_path / "mine.toml"
    path.write_text("[config.training.paint]\nepochs = 7\n")
    assert fake_family.TRAINING.steps
    assert length("epochs=3") == length("paint.epochs=3", config=path) == (0, 3)
    assert length(config=path) == (0, 7)
    assert length("epochs=3", "steps=5") == (5, 3)


@given(st.sampled_from(["batch_size", "filters", "warmup_steps", "steps", "size"]))
def test_every_field_can_be_set(name: str) -> None:
    recipe = choices(f"{name}=16").recipe()
    where = recipe.config if hasattr(recipe.config, name) else recipe.training("paint")
    assert getattr(where, name) == 16


def test_settings_that_fit_together_alone_may_come_in_any_order() -> None:
    together = ("accumulate=3", "batch_size=6")
    rgb = ("channels=3", "filters=30", "head=1020", "cond_filters=30")
    for order in (1, -1):
        assert choices(*together[::order]).recipe().training("paint").accumulate == 3
        recipe = RecipeChoices("pcnn", ["noise"], "digits", settings=rgb[::order]).recipe()
        assert recipe.config.channels == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("filterz=3", "no setting called 'filterz'. Did you mean 'filters'"),
        ("filters=x", "filters: must be a whole number"),
        ("epochs=0", "epochs: 0, and steps too, so nothing of 'paint' would be trained"),
        ("filters", "expected NAME=VALUE"),
        ("point.lr=1", "no stage called 'point'. Did you mean 'paint'"),
        ("batch_size=5", ""),
        ("accumulate=3", "accumulate: 3 does not divide batch_size 4"),
        ("schedule=cosin", "must be one of constant, cosine, linear"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(setting: str, message: str) -> None:
    if not message:
        choices(setting).recipe()
        return
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        choices(setting).recipe()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filters = 3", "no setting called 'filters'"),
        ("[config]\nfilterz = 3", "config: no setting called 'filterz'"),
        ("[config.training.pant]\nlr = 3", "no stage called 'pant'. Did you mean 'paint'"),
        ("data = 'x'", "data must be a list of strings"),
        ("format = 9", "another version"),
        ("format = 'a'", "format must be a whole number"),
        ("seed = 'a'", "seed must be a whole number"),
        ("seed = true", "seed must be a whole number"),
        ("seed = -1", "seed must be a whole number"),
        ("model = ['x']", "model must be a name"),
        ("preset = 1", "preset must be a name"),
        ("preset = {}", "preset must be a name"),
        ("stages = [1]", "stages must be a list of strings"),
        ("perceptual = 3", "perceptual must be a name"),
        ("config = 3", "config must be a table"),
        ("[config]\ntraining = 1", "config must be a table, and its training too"),
        ("[config.training]\npaint = 1", "config.training.paint must be a table"),
        ("a = = b", "not a TOML file"),
    ],
)
def test_a_config_file_that_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        choices(config=path).recipe()


def test_a_config_of_no_preset_says_all_settings_or_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    head = "model = 'fake'\npreset = 'own'\ndata = ['x']\n[config]\nsize = 8\n"
    path.write_text(head)
    with pytest.raises(UserError, match=r"channels is missing, .* or say channels, levels\."):
        RecipeChoices(config=path).recipe()
    path.write_text(f"{head}channels = 1\nlevels = 2\n")
    recipe = RecipeChoices(config=path).recipe()
    assert (recipe.preset, recipe.config.levels) == ("own", 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (RecipeChoices(data=["x"]), "model: say what to train"),
        (RecipeChoices("pcnn-digits", data=["x"]), "is a trained model. Name its family"),
        (RecipeChoices("no/such.safetensors", data=["x"]), "is a trained model. Name its family"),
        (RecipeChoices("fake"), "data: say what to train on"),
        (RecipeChoices("fakes", ["x"]), "Did you mean 'fake"),
        (RecipeChoices("telea", ["x"]), "'telea' is not trained"),
        (RecipeChoices("fake", ["x"], "smal"), "Did you mean 'small'"),
        (RecipeChoices("fake", ["x"], "small", "pain"), "Did you mean 'paint'"),
    ],
)
def test_what_is_missing_or_unknown_is_named(given: RecipeChoices, message: str) -> None:
    with pytest.raises(UserError, match=message):
        given.recipe()


@pytest.mark.parametrize("family", ["latent-codes", "picme"])
def test_what_lacks_the_parts_for_training_is_not_trained(family: str) -> None:
    settings = ["completion_only=true"]
    with pytest.raises(UserError, match="lacks what training needs"):
        RecipeChoices(family, ["digits"], "digits", settings=settings).recipe()


def test_a_preset_named_after_the_data_is_taken() -> None:
    assert RecipeChoices("fake", ["some/Large.zip"]).recipe().preset == "large"


@pytest.mark.parametrize(
    ("look", "preset"),
    [
        (StoredSize(8, 1), "small"),
        (StoredSize(16, 3), "large"),
        (StoredSize(12, 3), "large"),
        (StoredSize(9, 1), "small"),
    ],
)
def test_else_the_smallest_that_takes_the_images(look: StoredSize, preset: str) -> None:
    assert smallest_that_takes(fake_family.FAMILIES["fake"], look) == preset


def test_no_preset_is_chosen_that_enlarges_images_by_more_than_half() -> None:
    ipa = models.get("ipa")
    chosen = [smallest_that_takes(ipa, StoredSize(side, 3)) for side in (40, 48, 128, 200, 3000)]
    assert chosen == ["cpu32", "cpu64", "cpu32", "ffhq256", "cpu32"]


def test_a_split_map_is_kept_in_the_config_file(tmp_path: Path) -> None:
    recipe = replace(choices(), split_map="extra=ignore").recipe()
    path = tmp_path / "config.toml"
    path.write_text(recipe.to_toml())
    assert from_file(path) == recipe
    assert RecipeChoices(config=path, split_map="").recipe().split_map == ""
    path.write_text(recipe.to_toml().replace('"extra=ignore"', "3"))
    with pytest.raises(UserError, match="split_map must be a text"):
        from_file(path)


@pytest.mark.parametrize("stages", ["[]", '["paint", "paint"]'])
def test_stages_are_named_once_each_and_never_none(stages: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    text = RecipeChoices("fake", ["noise"], "small").recipe().to_toml()
    path.write_text(text.replace('stages = ["paint"]', f"stages = {stages}"))
    with pytest.raises(UserError, match=r"config\.toml: stage: the stages are .*each once"):
        from_file(path)


def test_a_config_that_says_no_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    with pytest.raises(UserError, match=r"config\.toml: model: say what to train"):
        from_file(path)


def test_a_config_saved_on_windows_is_read(tmp_path: Path) -> None:
    path, recipe = tmp_path / "config.toml", RecipeChoices("fake", ["noise"], "small").recipe()
    path.write_text(recipe.to_toml(), encoding="utf-8-sig")
    assert from_file(path) == recipe


def test_a_run_begun_before_a_setting_has_its_default_not_the_preset_s(tmp_path: Path) -> None:
    recipe = RecipeChoices("latent-codes", ["noise"], "tiny32").recipe()
    assert recipe.config == replace(recipe.config, norm_groups=8)  # type: ignore[call-arg]
    path = tmp_path / "config.toml"
    path.write_text(recipe.to_toml().replace("norm_groups = 8\n", ""))
    assert from_file(path).config == replace(recipe.config, norm_groups=32)  # type: ignore[call-arg]
