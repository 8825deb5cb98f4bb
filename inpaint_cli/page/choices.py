"""The models that the page offers, as plain data; told from cards and headers, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inpaint_cli import models, zoo
from inpaint_cli.errors import UserError
from inpaint_cli.family import Family
from inpaint_cli.page.order import choice_of
from inpaint_cli.weights import read_config, read_header


@dataclass(frozen=True)
class ModelChoice:
    """One model to choose."""

    name: str
    family: Family
    summary: str
    size: int
    """Side of its pictures; 0 = any."""
    channels: int

    def facts(self) -> dict[str, Any]:
        """Return what the page needs to offer it.

        Options that make the photo a drawing are not offered: they take no mask.
        """
        options = [option for option in self.family.options if option.of_drawing is None]
        return {
            "name": self.name,
            "summary": self.summary,
            "size": self.size,
            "grey": self.channels == 1,
            "stochastic": self.family.stochastic,
            "texture": self.family.texture_only,
            "options": [choice_of(option) for option in options],
        }


def choices(first: str) -> list[ModelChoice]:
    """Return the models that ship and the methods without weights; `first` if it is another one.

    UserError where there is no model `first`, or one that completes nothing.
    """
    shipped = [entry for entry in zoo.entries() if entry.weights.is_file()]
    offered = [_of_file(entry.name, entry.card["summary"]) for entry in shipped]
    free = [name for name in models.usable() if not models.get(name).stage_names]
    offered += [_of_family(name) for name in free]
    offered = [choice for choice in offered if choice.family.completes]
    offered.sort(key=lambda choice: choice.name != zoo.DEFAULT)
    if first not in {choice.name for choice in offered}:
        offered.insert(0, _completing(_of_file(first, first)))
    return offered


def _completing(choice: ModelChoice) -> ModelChoice:
    if choice.family.completes:
        return choice
    raise UserError(
        f"{choice.name} is of the family '{choice.family.name}', which completes nothing. 'inpaint "
        "models' lists those that do.",
        setting="model",
    )


def _of_family(name: str) -> ModelChoice:
    family = models.get(name)
    config = next(iter(family.presets.values()))
    return ModelChoice(name, family, family.summary, config.size, config.channels)


def _of_file(name: str, summary: str) -> ModelChoice:
    source = zoo.find(name, for_completion=True)
    if isinstance(source, str):
        return _of_family(source)
    header = read_header(source)
    config = read_config(header, source)
    return ModelChoice(name, models.get(header["family"]), summary, config.size, config.channels)
