"""Bounds of settings: every number has them, and every way to give one is held to them."""

import dataclasses
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from inpaint_cli import models
from inpaint_cli.bounds import bounds_of
from inpaint_cli.configuration import from_dict, to_dict
from inpaint_cli.errors import UserError
from inpaint_cli.family import Training
from inpaint_cli.training.recipe import RecipeChoices

CONFIGS = {type(next(iter(models.get(name).presets.values()))) for name in models.FAMILIES}
CHECKED = {"channels", "shift", "alpha"}
"""Settings whose few values, or a bound that another setting gives, are checked by the config."""
BAD = [
    ("betas", "2,3", r"betas: must lie in \[0, 1\), got 2"),
    ("eps", "-1", r"eps: must lie in \(0, 1\], got -1"),
    ("validate_images", "0", r"validate_images: must lie in 1\.\.10000000, got 0"),
    ("lr", "0", r"lr: must lie in \(0, 1000\], got 0"),
    ("filters", "1e30", r"filters: must lie in 1\.\.16384, got 1e\+30"),
    ("depth", "1e30", r"depth: must lie in 2\.\.256, got 1e\+30"),
    ("alpha", "-1", r"alpha: must lie in \[0, 1000000\], got -1"),
    ("beta", "-0.5", r"beta: must lie in \[0, 1000000\], got -0\.5"),
    ("head", "-1", r"head: must lie in 1\.\.65536, got -1"),
    ("kernel", "4", r"kernel: must be odd and lie in 3\.\.63, got 4"),
    ("size", "1e9", r"size: must lie in 0\.\.16384, got 1000000000"),
    ("masks", "nonsense", r"masks: no mask kind called 'nonsense'"),
    ("masks", "freeform@2-300", r"masks: freeform@2-300: a range needs"),
]


def is_number(hint: Any) -> bool:
    return hint in (int, float) or bool({int, float} & {*get_args(hint)})


@pytest.mark.parametrize("cls", [*CONFIGS, Training], ids=lambda cls: str(cls.__name__))
def test_every_number_among_the_settings_has_bounds(cls: Any) -> None:
    plain = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls) if is_number(plain[field.name])]
    assert names
    assert {*names} - {*bounds_of(cls)} <= CHECKED


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_set_is_held_to_the_bounds(name: str, value: str, message: str) -> None:
    choices = RecipeChoices("pcnn", ("digits",), "digits", settings=(f"{name}={value}",))
    with pytest.raises(UserError, match=message) as error:
        choices.recipe()
    assert error.value.on_command_line().startswith("--set: ")


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_a_config_file_is_held_to_them_too(
    name: str, value: str, message: str, tmp_path: Path
) -> None:
    in_stage = name in {field.name for field in dataclasses.fields(Training)}
    table = "config.training.pixels" if in_stage else "config"
    written = f"[{value}]" if name == "betas" else f'"{value}"' if name == "masks" else value
    file = tmp_path / "config.toml"
    text = f'model = "pcnn"\ndata = ["digits"]\npreset = "digits"\n[{table}]\n{name} = {written}\n'
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        RecipeChoices(config=file).recipe()


def test_so_is_the_header_of_a_weight_file() -> None:
    preset = models.get("pcnn").presets["digits"]
    with pytest.raises(UserError, match=r"w\.safetensors: depth: must lie in 2\.\.256, got 60000"):
        from_dict(type(preset), {**to_dict(preset), "depth": 60000}, "w.safetensors")


def test_a_number_of_any_length_is_refused_in_a_short_sentence() -> None:
    with pytest.raises(UserError, match=r"^log_every: must lie in 1\.\..{,60}$"):
        Training(log_every=10**400)
