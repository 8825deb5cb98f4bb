"""The registry of families: one line each, imported on demand."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import cast

from inpaint_cli.declarations import Option
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.family import Family
from inpaint_cli.models import installed

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
"""Name of the family -> module whose `FAMILIES` holds the Family of that name; those of installed
packages follow, which take no name that is taken."""
OURS = tuple(FAMILIES)
TAKEN = tuple(name for name in installed.announced() if name in OURS)
"""Names of installed families that cannot be had, since families here have them."""
for _name, _point in installed.announced().items():
    FAMILIES.setdefault(_name, _point.value)


def get(name: str) -> Family:
    """Return the family called `name`, without importing torch. UserError if there is none."""
    if name not in FAMILIES:
        raise unknown_name("no family", name, FAMILIES, setting="model")
    if name not in OURS and name in installed.announced():
        return installed.load(name)
    return cast(Family, import_module(FAMILIES[name]).FAMILIES[name])


def problem(name: str) -> UserError | None:
    """Return what is wrong with an installed family, if anything is; one of ours has nothing."""
    if name in OURS:
        return None
    try:
        get(name)
    except UserError as error:
        return error
    return None


def usable() -> list[str]:
    """Return the names of all families but those of packages that cannot be loaded."""
    return [name for name in FAMILIES if problem(name) is None]


def options() -> Iterator[tuple[str, Option]]:
    """Yield the name of a family with each of its options, family by family."""
    for family in usable():
        for option in get(family).options:
            yield family, option


def trainable() -> list[str]:
    """Return the names of the families that are trained."""
    return [name for name in usable() if get(name).stage_names]


def layouts() -> dict[str, str]:
    """Return the foreign file layouts: name -> family."""
    return {layout: name for name in usable() for layout in get(name).layouts}
