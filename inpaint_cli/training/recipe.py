"""What a run is: model, preset, data, seed, stages and config; from choices, to and from TOML.

Precedence: dataclass defaults < preset < file (`--config`) < `--set`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from inpaint_cli import masks, models, zoo
from inpaint_cli.configuration import (
    from_dict,
    override,
    parse_settings,
    to_dict,
    to_toml,
)
from inpaint_cli.errors import ResourceError, UserError, unknown_name
from inpaint_cli.family import Config, Family, Training
from inpaint_cli.files import check_utf8
from inpaint_cli.randomness import tag_of
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import config_file
from inpaint_cli.training.presets import choose_preset, named_after
from inpaint_cli.training.takeover import ORIGIN, origin_of, settings_of
from inpaint_cli.weights import OWN_PRESET

if TYPE_CHECKING:
    from torch import nn

    from inpaint_cli.data import ImageSet
    from inpaint_cli.models.perceptual import PerceptualDistance

NO_DISTANCE = "none"
"""The `perceptual` of a run whose losses use no perceptual distance."""


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
    places: tuple[str, ...] = ()
    """Where `data` lie, whatever the current folder; empty = as typed. Not part of config.toml."""
    split_map: str = ""
    """Which folders and arrays of the data are which split, where their names do not tell."""
    distance: str = ""
    """`perceptual` with its file, whatever the current folder; empty = as typed. Likewise."""
    from_weights: str = ""
    """The weight file that a new run stands on, whatever the current folder; "" = none."""
    from_weights_sha256: str = ""

    @property
    def family(self) -> Family:
        """The family that is trained."""
        return models.get(self.model)

    def training(self, stage: str) -> Training:
        """Return how `stage` is trained."""
        return self.config.training.get(stage, Training())

    def build(self) -> nn.Module:
        """Return the model with the random weights of the seed, the same on every device."""
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(tag_of(f"weights {self.seed}") >> 1)
            return cast("nn.Module", self.family.build(self.config))

    def load_images(
        self,
        download: bool,
        reporter: Reporter,
        check_leaks: bool = False,
        for_plan: bool = False,
    ) -> tuple[ImageSet, ImageSet]:
        """Return training and held-out images; the first process prepares the cache.

        for_plan: of a large set, count them only.
        """
        from inpaint_cli import data, ranks

        if self.config.size == 0:
            raise UserError(
                "this model takes any size; name the one to train at, as size=N.", setting="set"
            )

        def load(split: data.Split) -> ImageSet:
            return data.load_images(
                self.places or self.data,
                size=self.config.size,
                channels=self.config.channels,
                levels=self.config.levels,
                split=split,
                download=download,
                split_map=self.split_map,
                labels=self.config.label_names,
                check_leaks=check_leaks and split == "train" and ranks.is_first(),
                for_plan=for_plan,
                reporter=reporter if ranks.is_first() else Reporter(quiet=True),
            )

        train, held_out = ranks.first_before_the_others(lambda: (load("train"), load("validation")))
        self._check_classes(train)
        return train, held_out

    def _check_classes(self, images: ImageSet) -> None:
        """Raise UserError where the data have more classes than the model tells apart."""
        most = self.config.class_count
        if most is not None and (images.labels is None or images.labels.ndim == 1):
            there = len(images.classes)
            if there > most:
                raise UserError(
                    f"{images.name} has {there} classes, and this {self.model} tells {most} apart. "
                    f"Say how many: classes={there}.",
                    setting="data",
                )

    def load_distance(self) -> PerceptualDistance | None:
        """Return the perceptual distance of the losses, if one was chosen.

        ResourceError where its weights are not here.
        """
        from inpaint_cli.zoo.perceptual import load_perceptual
        from inpaint_cli.zoo.weight_files import MissingWeights

        if self.perceptual == NO_DISTANCE:
            return None
        try:
            return load_perceptual(self.distance or self.perceptual)
        except MissingWeights as error:
            raise ResourceError(str(error)) from error

    def to_toml(self) -> str:
        """Return the complete config.toml; `from_file` is its inverse."""
        head = {
            "format": config_file.FORMAT,
            "model": self.model,
            "preset": self.preset,
            "data": list(self.data),
            "seed": self.seed,
            "stages": list(self.stages),
        }
        for name in ("split_map", *ORIGIN):
            if value := getattr(self, name):
                head[name] = value
        if self.config.takes_perceptual:
            head["perceptual"] = self.perceptual
        return to_toml({**head, "config": to_dict(self.config)})


@dataclass(frozen=True)
class RecipeChoices:
    """What a user asked for, from which a recipe is made; None or empty = left open."""

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
    split_map: str | None = None

    def recipe(self) -> Recipe:
        """Return the recipe that these choices make. UserError where they do not make one."""
        file = self._file()
        family = _family(self.model or file.get("model"))
        data = tuple(self.data) or tuple(file.get("data", ()))
        if not data:
            raise UserError(
                "say what to train on: a folder of images, a zip file or a named data set.",
                setting="data",
            )
        for source in data:
            check_utf8(source, setting="data")
        stages = (self.stage,) if self.stage else tuple(file.get("stages", family.stage_names))
        _check_stages(stages, family)
        split_map = self.split_map if self.split_map is not None else file.get("split_map", "")
        preset, config = self._preset(family, data, split_map, file)
        config = _override(config, parse_settings(tuple(self.settings)), family, stages)
        seed = self.seed if self.seed is not None else file.get("seed", 0)
        perceptual = self.perceptual or file.get("perceptual", NO_DISTANCE)
        if perceptual != NO_DISTANCE and not config.takes_perceptual:
            text = f"with these settings {family.name} trains without a perceptual distance."
            raise UserError(text, setting="perceptual")
        _check_whole(config)
        _check_stage_settings(config, stages)
        origin = origin_of(self.weights) if self.weights else {n: file.get(n, "") for n in ORIGIN}
        return Recipe(
            family.name, preset, data, seed, stages, config, perceptual, (), split_map, **origin
        )

    def _preset(
        self, family: Family, data: Sequence[str], split_map: str, file: Mapping[str, Any]
    ) -> tuple[str, Config]:
        """Return the name of the preset, and its config with what the file changes of it."""
        preset = (
            self.preset
            or file.get("preset")
            or choose_preset(family, data, self.download, split_map)
        )
        is_whole = preset == OWN_PRESET and "config" in file  # all of it stands there
        if preset not in family.presets and not is_whole:
            subject = f"{family.name} has no preset"
            raise unknown_name(subject, preset, family.presets, setting="preset")
        where = str(self.weights or self.config)
        if is_whole:
            return preset, _complete(family, _whole(family, file["config"], where))
        config = _complete(family, family.presets[preset])
        if "config" in file:
            config = _merge(config, file["config"], where)
        return preset, config

    def looks_at_the_data(self) -> bool:
        """Return whether the preset follows from an image, which may take a while to find."""
        file = self._file()
        family = _family(self.model or file.get("model"))
        data = tuple(self.data) or tuple(file.get("data", ()))
        named = self.preset or file.get("preset") or named_after(family, data)
        return bool(data) and not named and len(family.presets) > 1

    def _file(self) -> dict[str, Any]:
        """Return the settings of the config file, or those of the weight file."""
        if self.weights is None:
            return config_file.read(self.config) if self.config else {}
        for setting, value in (("config", self.config), ("preset", self.preset)):
            if value:
                raise UserError("the weights bring their own; change it with set.", setting=setting)
        file = settings_of(self.weights, self.stage)
        if self.model not in (None, file["model"]):
            raise UserError(
                f"{self.weights} is of '{file['model']}', not '{self.model}'.", setting="model"
            )
        return file


def from_file(path: Path) -> Recipe:
    """Read the config.toml of a run. UserError names the file, from which everything comes."""
    try:
        recipe = RecipeChoices(config=path).recipe()
        return replace(recipe, config=_as_written(recipe.config, config_file.read(path)))
    except UserError as error:
        if not error.setting:
            raise
        field = "" if error.setting == "set" else f"{error.setting}: "
        raise UserError(f"{path}: {field}{error.text}") from error


def _as_written(config: Config, file: Mapping[str, Any]) -> Config:
    """Return the config of a run's file, with the defaults of settings that came after it.

    Their default is what was done before; the preset may say otherwise by now.
    """
    written = file.get("config", {})
    later = [f for f in fields(config) if f.name not in written and f.default is not MISSING]
    defaults: dict[str, Any] = {f.name: f.default for f in later}
    return replace(config, **defaults)


def _complete(family: Family, config: Config) -> Config:
    """Return `config` with a Training for every stage, its values in the types of their fields."""
    training = {name: config.training.get(name, Training()) for name in family.stage_names}
    return from_dict(type(config), to_dict(replace(config, training=training)))


def _whole(family: Family, settings: Mapping[str, Any], where: str) -> Config:
    """Return the config of a model that has no preset. UserError where it does not say enough."""
    kind = type(next(iter(family.presets.values())))
    needed = [f.name for f in fields(kind) if f.default is f.default_factory is MISSING]
    missing = [name for name in needed if name not in settings]
    if missing:
        raise UserError(
            f"{where}: config: {missing[0]} is missing, and '{OWN_PRESET}' is no preset that says "
            f"it. Name one of {', '.join(family.presets)}, or say {', '.join(missing)}.",
            setting="preset",
        )
    return from_dict(kind, settings, f"{where}: config")


def _merge(config: Config, changes: Mapping[str, Any], where: str) -> Config:
    data = to_dict(config)
    stages = changes.get("training", {})
    for stage, settings in stages.items():
        if stage not in data["training"]:
            raise unknown_name(f"{where}: config.training: no stage", stage, data["training"])
        data["training"][stage].update(_with_length(settings))
    data.update({name: value for name, value in changes.items() if name != "training"})
    return from_dict(type(config), data, f"{where}: config")


def _override(
    config: Config, settings: Mapping[str, str], family: Family, stages: Sequence[str]
) -> Config:
    """Apply settings: STAGE.NAME goes to that stage, a name of `Training` to every one trained."""
    names = {each.replace("-", "_"): each for each in family.stage_names}
    settings_by_stage: dict[str, dict[str, str]] = {}
    for name, value in settings.items():
        stage, dot, field = name.rpartition(".")
        if dot and stage not in names:
            raise unknown_name("no stage", stage, names, setting="set")
        for each in (names[stage],) if dot else stages:
            settings_by_stage.setdefault(each, {})[field] = value
    return override(config, {each: _with_length(s) for each, s in settings_by_stage.items()})


def _with_length(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings of a stage in which epochs count, if they say nothing of steps.

    Otherwise the steps of the preset would go before them.
    """
    return {"steps": 0, **settings} if "epochs" in settings else settings


def _check_whole(config: Config) -> None:
    # What ships is packed without the parts that only training needs (`Model.for_completion`).
    if getattr(config, "completion_only", False):
        raise UserError(
            "completion_only: such a model lacks what training needs, as some that ship do. "
            "Train a new one, or go on with a run of your own."
        )


def _check_stages(stages: Sequence[str], family: Family) -> None:
    """Raise UserError where `stages` are not some of the family's, each once and in their order."""
    for stage in stages:
        if stage not in family.stage_names:
            subject = f"{family.name} has no stage"
            raise unknown_name(subject, stage, family.stage_names, setting="stage")
    if not stages or list(stages) != [name for name in family.stage_names if name in stages]:
        raise UserError(
            f"the stages are {', '.join(stages) or 'none'}; name one or more of "
            f"{', '.join(family.stage_names)}, each once and in this order.",
            setting="stage",
        )


def _check_stage_settings(config: Config, stages: Sequence[str]) -> None:
    for stage in stages:
        training = config.training[stage]
        if not training.steps and not training.epochs:
            text = f"epochs: 0, and steps too, so nothing of '{stage}' would be trained."
            raise UserError(text, setting="set")
        try:
            masks.parse(training.masks)
        except UserError as error:
            raise UserError(f"masks: {error.text}", setting="set") from error


def _family(name: str | None) -> Family:
    if name and name not in models.FAMILIES:
        if _is_model(name):
            raise UserError(
                f"'{name}' is a trained model. Name its family to train a new one, or give it as "
                "the setting from_weights to train it further.",
                setting="model",
            )
        raise unknown_name("no family", name, models.trainable(), setting="model")
    family = models.get(name) if name else None
    if family and family.stage_names:
        return family
    names = ", ".join(models.trainable())
    if family:
        raise UserError(f"'{family.name}' is not trained. Trained are {names}.", setting="model")
    raise UserError(f"say what to train, one of {names}.", setting="model")


def _is_model(name: str) -> bool:
    """Return whether a name is one of a model that ships, a run folder or a weight file."""
    path = Path(name)
    ships = name in {entry.name for entry in zoo.entries()}
    return ships or path.suffix == ".safetensors" or (path / "config.toml").is_file()
