"""The registry of families: one line each, imported on demand."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from inpaint_cli.errors import unknown_name
from inpaint_cli.family import Family

FAMILIES = {
    "pcnn": "inpaint_cli.models.pcnn",
    "latent-codes": "inpaint_cli.models.latent_codes",
    "ipa": "inpaint_cli.models.ipa",
    "ipa-r": "inpaint_cli.models.ipa",
    "aipo": "inpaint_cli.models.ipa",
    "aipo-r": "inpaint_cli.models.ipa",
    "picme": "inpaint_cli.models.picme",
    "patches": "inpaint_cli.models.patches",
    "telea": "inpaint_cli.models.classical",
    "navier-stokes": "inpaint_cli.models.classical",
    "classifier": "inpaint_cli.models.classifier",
}
"""Name of the family -> module whose `FAMILIES` holds the Family of that name."""


def get(name: str) -> Family:
    """Return the family called `name`, without importing torch. UserError if there is none."""
    if name not in FAMILIES:
        raise unknown_name("no family", name, FAMILIES, setting="model")
    return cast(Family, import_module(FAMILIES[name]).FAMILIES[name])


def trainable() -> list[str]:
    """Return the names of the families that are trained."""
    return [name for name in FAMILIES if get(name).stage_names]


def layouts() -> dict[str, str]:
    """Return the foreign file layouts: name -> family."""
    return {layout: name for name in FAMILIES for layout in get(name).layouts}
