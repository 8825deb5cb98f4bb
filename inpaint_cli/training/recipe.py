"""What a run is: model, preset, data, seed, stages and config; from options, to and from TOML.

Precedence: dataclass defaults < preset < file (`--config`) < `--set`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inpaint_cli import models
from inpaint_cli.configuration import (
    from_dict,
    override,
    parse_settings,
    read_toml,
    to_dict,
    to_toml,
)
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.family import Config, Family, Training
from inpaint_cli.training.presets import choose_preset
from inpaint_cli.training.takeover import settings_of
from inpaint_cli.weights import OWN_PRESET

FORMAT = 1
KEYS = ("format", "model", "preset", "data", "seed", "stages", "perceptual", "config")
NO_DISTANCE = "none"
"""`--perceptual` of a run whose losses use no perceptual distance."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result of a run, apart from the machine."""

    model: str
    """Name of the family."""
    preset: str
    data: tuple[str, ...]
    seed: int
    stages: tuple[str, ...]
    """What is trained, in order."""
    config: Config
    perceptual: str = NO_DISTANCE
    """The perceptual distance of the losses: "lpips", a zoo classifier, a file, or "none"."""

    @property
    def family(self) -> Family:
        """Gives the family that is trained."""
        return models.get(self.model)

    def training(self, stage: str) -> Training:
        """Gives how `stage` is trained."""
        return self.config.training.get(stage, Training())

    def to_toml(self) -> str:
        """Gives the complete config.toml; `from_file` is its inverse."""
        head = {
            "format": FORMAT,
            "model": self.model,
            "preset": self.preset,
            "data": list(self.data),
            "seed": self.seed,
            "stages": list(self.stages),
        }
        if self.family.perceptual:
            head["perceptual"] = self.perceptual
        return to_toml({**head, "config": _without_none(to_dict(self.config))})


@dataclass(frozen=True)
class Choices:
    """What was asked for on the command line; None or empty = not said."""

    model: str | None = None
    data: Sequence[str] = ()
    preset: str | None = None
    stage: str | None = None
    config: Path | None = None
    settings: Sequence[str] = ()
    seed: int | None = None
    download: bool = False
    perceptual: str | None = None
    weights: Path | None = None
    """A weight file whose finished stages the run stands on."""

    def recipe(self) -> Recipe:
        """Gives the recipe that these choices make. UserError where they do not make one."""
        file = self._file()
        family = _family(self.model or file.get("model"))
        data = tuple(self.data) or tuple(file.get("data", ()))
        if not data:
            raise UserError(
                "--data: say what to train on: a folder of images, a zip file or a named data set."
            )
        stages = (self.stage,) if self.stage else tuple(file.get("stages", family.stage_names))
        for stage in stages:
            if stage not in family.stage_names:
                raise unknown_name(
                    f"--stage: {family.name} has no stage", stage, family.stage_names
                )
        preset = self.preset or file.get("preset") or choose_preset(family, data, self.download)
        own = preset == OWN_PRESET and "config" in file  # all of it stands there
        if preset not in family.presets and not own:
            raise unknown_name(f"--preset: {family.name} has no preset", preset, family.presets)
        base = next(iter(family.presets)) if own else preset
        config = _complete(family, family.presets[base])
        if "config" in file:
            config = _merge(config, file["config"], str(self.weights or self.config))
        config = _override(config, parse_settings(tuple(self.settings)), family, stages)
        seed = self.seed if self.seed is not None else int(file.get("seed", 0))
        perceptual = self.perceptual or file.get("perceptual", NO_DISTANCE)
        if perceptual != NO_DISTANCE and not family.perceptual:
            raise UserError(f"--perceptual: {family.name} trains without a perceptual distance.")
        _check_whole(config)
        return Recipe(family.name, preset, data, seed, stages, config, perceptual)

    def _file(self) -> dict[str, Any]:
        """Gives what --config says, or the header of --from-weights."""
        if self.weights is None:
            return _read(self.config) if self.config else {}
        for option, value in (("--config", self.config), ("--preset", self.preset)):
            if value:
                raise UserError(f"{option}: --from-weights brings its own. Change it with --set.")
        file = settings_of(self.weights, self.stage)
        if self.model not in (None, file["model"]):
            raise UserError(f"--model: {self.weights} is of '{file['model']}', not '{self.model}'.")
        return file


def from_file(path: Path) -> Recipe:
    """Reads a config.toml."""
    return Choices(config=path).recipe()


def _read(path: Path) -> dict[str, Any]:
    file = read_toml(path)
    for name in file:
        if name not in KEYS:
            raise unknown_name(f"{path}: no setting", name, KEYS)
    if file.get("format", FORMAT) != FORMAT:
        raise UserError(f"{path}: format {file['format']} is of another version of inpaint.")
    for name in ("data", "stages"):
        value = file.get(name, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise UserError(f"{path}: {name} must be a list of strings.")
    return file


def _complete(family: Family, config: Config) -> Config:
    """Gives `config` with a Training for every stage, its values in the types of their fields."""
    training = {name: config.training.get(name, Training()) for name in family.stage_names}
    return from_dict(type(config), to_dict(replace(config, training=training)))


def _merge(config: Config, changes: Mapping[str, Any], where: str) -> Config:
    data = to_dict(config)
    stages = changes.get("training", {})
    for stage, settings in stages.items():
        if stage not in data["training"]:
            raise unknown_name(f"{where}: config.training: no stage", stage, data["training"])
        data["training"][stage].update(settings)
    data.update({name: value for name, value in changes.items() if name != "training"})
    return from_dict(type(config), data, f"{where}: config")


def _override(
    config: Config, settings: Mapping[str, str], family: Family, stages: Sequence[str]
) -> Config:
    """Applies `--set`: STAGE.NAME goes to that stage, a name of `Training` to every one trained."""
    for name, value in settings.items():
        stage, dot, own = name.rpartition(".")
        if not dot:
            for each in stages:
                config = override(config, {name: value}, each)
            continue
        names = {known.replace("-", "_"): known for known in family.stage_names}
        if stage not in names:
            raise unknown_name("--set: no stage", stage, names)
        config = override(config, {own: value}, names[stage])
    return config


def _check_whole(config: Config) -> None:
    # What ships is packed without the parts that only training needs (`Model.for_completion`).
    if getattr(config, "completion_only", False):
        raise UserError(
            "completion_only: such a model lacks what training needs, as those that ship do. "
            "Train a new one, or go on with a run of your own."
        )


def _family(name: str | None) -> Family:
    if name and name not in models.FAMILIES:
        raise unknown_name("--model: no family", name, models.trainable())
    family = models.get(name) if name else None
    if family and family.stage_names:
        return family
    known = ", ".join(models.trainable())
    if family:
        raise UserError(f"--model: '{family.name}' is not trained. Trained are {known}.")
    raise UserError(f"--model: say what to train, one of {known}.")


def _without_none(data: Any) -> Any:
    """Gives `data` with "none" for None, which TOML lacks; `from_dict` reads it back."""
    if isinstance(data, dict):
        return {name: _without_none(value) for name, value in data.items()}
    return "none" if data is None else data
