"""`inpaint models`: what ships, what it was made from, and where things lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from inpaint_cli import models as families
from inpaint_cli import zoo
from inpaint_cli.commands.options import common, model_names
from inpaint_cli.files import home
from inpaint_cli.reporting import Reporter


@click.command()
@click.argument("name", required=False, shell_complete=model_names)
@common
def models(name: str | None, as_json: bool, reporter: Reporter) -> None:
    """List the models that ship, or show one card.

    NAME is a model that ships, a family, a run folder or a weight file. A card says what the model
    was trained on and how, its figures with their protocol, its licence and its limits.

    \b
    Examples:
      inpaint models
      inpaint models telea
    """
    facts = _overview() if name is None else _detail(name, reporter)
    if as_json:
        click.echo(json.dumps({"schema": 1, **facts}, indent=2))
    elif name is None:
        click.echo("\n".join(_listing(facts)))
    else:
        click.echo("\n".join(_lines(facts)))


def _overview() -> dict[str, Any]:
    entries = zoo.entries()
    return {
        "default": zoo.DEFAULT if zoo.DEFAULT in {entry.name for entry in entries} else None,
        "models": [{**entry.card, "weights": str(entry.weights)} for entry in entries],
        "families": [_family(name) for name in families.FAMILIES],
        "folders": {"zoo": str(zoo.FOLDER), "caches": str(home())},
    }


def _family(name: str) -> dict[str, Any]:
    family = families.get(name)
    return {
        "family": name,
        "summary": family.summary,
        "completes": family.completes,
        "needs_weights": bool(family.stage_names),
        "ships": [entry.name for entry in zoo.entries() if entry.card["family"] == name],
        "stages": list(family.stage_names),
        "presets": list(family.presets) if family.stage_names else [],
        "layouts": list(family.layouts),
        "options": {f"--{option.name}": option.help for option in family.options},
    }


def _detail(name: str, reporter: Reporter) -> dict[str, Any]:
    entry = next((entry for entry in zoo.entries() if entry.name == name), None)
    if entry:
        problem = zoo.problem(entry)
        if problem:
            reporter.warn(problem)
        return {**entry.card, "weights": str(entry.weights)}
    if name in families.FAMILIES:
        return _family(name)
    from inpaint_cli.weights import hash_of, read_header

    path = Path(zoo.find(name))
    header = read_header(path)
    facts = {"weights": str(path), "size": path.stat().st_size, "sha256": hash_of(path)}
    return {**header, "config": json.loads(header["config"]), **facts}


def _listing(facts: Mapping[str, Any]) -> list[str]:
    width = max(len(row) for row in [*families.FAMILIES, *(m["name"] for m in facts["models"])])
    lines = ["Models that ship:"] if facts["models"] else []
    for card in facts["models"]:
        note = " (the default)" if card["name"] == facts["default"] else ""
        lines.append(
            f"  {card['name']:<{width}}  {_size(card['size']):>10}  {card['summary']}{note}"
        )
    for title, completes in (("Families:", True), ("For metrics, not for completions:", False)):
        lines.append(title)
        for family in facts["families"]:
            needs = "to train" if family["needs_weights"] else "no weights"
            if family["completes"] == completes:
                lines.append(f"  {family['family']:<{width}}  {needs:>10}  {family['summary']}")
    folders = facts["folders"]
    lines.append(f"Weights lie in {folders['zoo']}, caches in {folders['caches']} (INPAINT_HOME).")
    lines.append("'inpaint models NAME' shows a card: data, training, figures, licence, limits.")
    return lines


def _lines(facts: Mapping[str, Any], indent: str = "") -> list[str]:
    """Gives nested data as lines `name: value`, tables indented, empty values left out."""
    lines = []
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        elif isinstance(value, list) and value:
            lines.append(f"{indent}{name}: {', '.join(map(str, value))}")
        elif name == "size" and not indent:
            lines.append(f"{indent}{name}: {_size(value)}")
        elif isinstance(value, bool):
            lines.append(f"{indent}{name}: {'yes' if value else 'no'}")
        elif value or value == 0:
            lines.append(f"{indent}{name}: {value}")
    return lines


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB"
