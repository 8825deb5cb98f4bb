"""`inpaint models`: what ships, what it was made from, where things lie; `get` fetches more."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from inpaint_cli import models as families
from inpaint_cli import zoo
from inpaint_cli.commands.options import Folder, common, model_names
from inpaint_cli.errors import UserError
from inpaint_cli.files import home
from inpaint_cli.reporting import Reporter

BROKEN = {"needs_weights": False, "ships": [], "broken": True}
"""What is listed of an installed family that cannot be loaded."""
GET = "get"
"""The word before the name of a published file. No model may be called so."""


def _names(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    more = [*_published_names(), GET]
    return model_names(context, parameter, start) + [n for n in more if n.startswith(start)]


def _to_get(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    names = _published_names() if context.params.get("name") == GET else []
    return [name for name in names if name.startswith(start)]


# Not a group: what follows `models` is any name or path, and `get` is one word of it.
@click.command()
@click.argument("name", required=False, metavar="[NAME | get", shell_complete=_names)
@click.argument("published", required=False, metavar="NAME]", shell_complete=_to_get)
@click.option(
    "-o",
    "--output",
    type=Folder(),
    metavar="DIR",
    help="With get: the folder for published files.  [default: published/ in the folder of caches]",
)
@common
def models(
    name: str | None, published: str | None, output: Path | None, as_json: bool, reporter: Reporter
) -> None:
    """List the models that ship, show one card, or get weights that others published.

    NAME is a model that ships, a family, a run folder or a weight file. A card says what the model
    was trained on and how, its figures with their protocol, its licence and its limits.

    'get NAME' downloads a published file, goes on where an earlier call stopped, shows size and
    SHA-256 and keeps them beside the file. Some files must be fetched by hand: it says from where.
    'inpaint convert' then makes the file one of ours; stderr shows how. inception, lpips-alex,
    lpips-vgg and lpips-squeeze are what published figures of 'inpaint score' look through.

    \b
    Examples:
      inpaint models
      inpaint models telea
      inpaint models get vdvae-cifar10
      inpaint models get inception
    """
    if name == GET:
        return _get(published, output, as_json, reporter)
    if published is not None:
        raise UserError(f"models: one name at a time; '{published}' is too many.")
    if output is not None:
        raise UserError(f"-o: {output}: goes with 'inpaint models {GET} NAME' only.")
    return _show(name, as_json, reporter)


def _get(name: str | None, into: Path | None, as_json: bool, reporter: Reporter) -> None:
    from inpaint_cli.zoo.published import PUBLISHED, TRUNKS, fetch, how_to_convert, names

    if name is None:
        raise UserError(f"models {GET}: which file? Published: {', '.join(names())}.")
    fetched = fetch(name, reporter, into)
    if name in TRUNKS:
        there = "" if into is None else f" --weights-dir {shlex.quote(str(into))}"
        then, layout = f"inpaint score {TRUNKS[name].use}{there}", None
    else:
        then, layout = how_to_convert(name, fetched.path), PUBLISHED[name].layout
    reporter.note(f"{name}: {_size(fetched.size)} ({fetched.size} bytes), SHA-256 {fetched.sha256}")
    reporter.note(f"Next: {then}")
    if not as_json:
        click.echo(fetched.path)
        return
    facts = {
        "name": name,
        "path": str(fetched.path),
        "address": fetched.address,
        "size": fetched.size,
    }
    more = {"sha256": fetched.sha256, "layout": layout}
    click.echo(json.dumps({"schema": 1, **facts, **more}, indent=2))


def _show(name: str | None, as_json: bool, reporter: Reporter) -> None:
    for taken in families.TAKEN if name is None else ():
        reporter.warn(f"{taken}: a family of an installed package has this name too; ours is meant")
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
        "published": [_published(name) for name in _published_names()],
        "folders": {"zoo": str(zoo.FOLDER), "caches": str(home())},
    }


def _published_names() -> list[str]:
    from inpaint_cli.zoo.published import names

    return names()


def _published(name: str) -> dict[str, Any]:
    from inpaint_cli.zoo.published import PUBLISHED, TRUNKS, place

    if name in TRUNKS:
        return _trunk(name)
    entry, path = PUBLISHED[name], place(name)
    return {
        "name": name,
        "layout": entry.layout,
        "address": entry.address,
        "by_hand": entry.by_hand,
        "path": str(path),
        "here": path.is_file(),
        "get": f"inpaint models {GET} {name}",
    }


def _trunk(name: str) -> dict[str, Any]:
    from inpaint_cli.zoo.published import TRUNKS, place

    trunk, path = TRUNKS[name], place(name)
    return {
        "name": name,
        "for": f"inpaint score {trunk.use}",
        "address": trunk.address,
        "size": trunk.size,
        "sha256": trunk.sha256,
        "licence": trunk.licence,
        "by_hand": False,
        "path": str(path),
        "here": path.is_file(),
        "get": f"inpaint models {GET} {name}",
    }


def _family(name: str) -> dict[str, Any]:
    if problem := families.problem(name):
        return {"family": name, "summary": problem.text, "completes": True, **BROKEN}
    family = families.get(name)
    ships = [entry.name for entry in zoo.entries() if entry.card["family"] == name]
    return {
        "family": name,
        "summary": family.summary,
        "completes": family.completes,
        "needs_weights": bool(family.stage_names),
        "ships": ships,
        # What --model FAMILY means.
        "stands_for": Path(zoo.find(name)).stem if ships else None,
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
    if name in _published_names():
        return _published(name)
    from inpaint_cli.parsing import json_of
    from inpaint_cli.tensors import DIGEST, Damaged, check
    from inpaint_cli.weights import hash_of, read_header

    path = Path(zoo.find(name, setting=""))
    header = {key: text for key, text in read_header(path).items() if key != DIGEST}
    try:
        check(path)
    except Damaged as error:
        reporter.warn(str(error).rstrip("."))
    facts = {"weights": str(path), "size": path.stat().st_size, "sha256": hash_of(path)}
    return {**header, "config": json_of(header["config"], f"{path}: config"), **facts}


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
            trained = "ships" if family["ships"] else "to train"
            needs = trained if family["needs_weights"] else "no weights"
            needs = "broken" if family.get("broken") else needs
            if family["completes"] == completes:
                lines.append(f"  {family['family']:<{width}}  {needs:>10}  {family['summary']}")
    lines += _published_lines(facts["published"])
    folders = facts["folders"]
    lines.append(f"Weights lie in {folders['zoo']}, caches in {folders['caches']} (INPAINT_HOME).")
    lines.append("'inpaint models NAME' shows a card: data, training, figures, licence, limits.")
    return lines


def _published_lines(entries: list[dict[str, Any]]) -> list[str]:
    trunks = ", ".join(entry["name"] for entry in entries if "for" in entry)
    entries = [entry for entry in entries if "for" not in entry]
    lines = [
        f"For metrics, to be fetched with 'inpaint models {GET} NAME':",
        f"  {trunks}",
        f"Published by the authors, to be fetched with 'inpaint models {GET} NAME':",
    ]
    for by_hand, note in ((False, ""), (True, " (by hand, from a shared folder)")):
        names = ", ".join(entry["name"] for entry in entries if entry["by_hand"] == by_hand)
        lines += [f"  {names}{note}"] if names else []
    return lines


def _lines(facts: Mapping[str, Any], indent: str = "") -> list[str]:
    """Return nested data as lines `name: value`, tables indented, empty values left out."""
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
