"""`inpaint pick`: keep one completion under a name of its own, and say how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from inpaint_cli.commands.options import common
from inpaint_cli.errors import UserError
from inpaint_cli.files import hash_of, replacing, resolved
from inpaint_cli.reporting import Reporter
from inpaint_cli.streams import whole_json

SPELLINGS = ((".png",), (".tiff", ".tif"), (".jpg", ".jpeg"), (".webp",))
SUFFIXES = {suffix: spelled for spelled in SPELLINGS for suffix in spelled}
"""Suffix of a completion -> those that its copy may have, since nothing is converted."""


@click.command()
@click.argument("completion", type=click.Path(path_type=Path), metavar="COMPLETION")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The name of the copy, or an existing folder for it.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@common
def pick(
    completion: Path, output: Path, overwrite: bool, as_json: bool, reporter: Reporter
) -> None:
    """Keep COMPLETION, which you chose from the sheet, under a name of its own.

    It is copied byte for byte, so that a later run cannot replace it. How it was made is told:
    photo, model, seed and number, from the completions.json beside it, or from the file itself.

    \b
    Examples:
      inpaint pick completions/photo-3.png -o final.png
      inpaint pick completions/photo-3.png -o final.png --overwrite
    """
    target = output / completion.name if output.is_dir() else output
    check(completion, target, overwrite)
    facts = how_made(completion, reporter)
    with replacing(target) as temporary:
        temporary.write_bytes(completion.read_bytes())
    reporter.note(f"{target}: {sentence(facts)}")
    if as_json:
        document = {"schema": 1, "file": str(target), "completion": str(completion), **facts}
        click.echo(whole_json(json.dumps(document, indent=1, ensure_ascii=False)))
    else:
        click.echo(target)


def check(completion: Path, target: Path, overwrite: bool) -> None:
    """Raise UserError where there is nothing to copy, or where the copy may not be written."""
    if completion.is_dir():
        raise UserError("a folder. Give the file that you chose.", where=completion)
    if not completion.is_file():
        raise UserError("no such file.", where=completion)
    allowed = SUFFIXES.get(completion.suffix.lower())
    if allowed is None:
        raise UserError("no completion: those are PNG, TIFF, JPEG or WebP files.", where=completion)
    if target.suffix.lower() not in allowed:
        raise UserError(
            f"{target}: must end in {' or '.join(allowed)}, since the file is copied as it is.",
            setting="output",
        )
    if target.exists() and not target.is_file():
        raise UserError(f"{target}: not an ordinary file. Give another name.", setting="output")
    if target.exists() and target.samefile(completion):
        raise UserError(f"{target}: is the completion itself.", setting="output")
    if target.exists() and not overwrite and hash_of(target) != hash_of(completion):
        raise UserError(
            f"{target}: exists. Choose another name, or replace it with --overwrite.",
            setting="output",
        )


def how_made(completion: Path, reporter: Reporter) -> dict[str, Any]:
    """Return what is known of how a file was made: of the record beside it, or of its own text.

    A file that is not what its record knows by that name is warned of.
    """
    changed = False
    # With -r, results lie in folders below the record's.
    for folder in (completion.parent, *completion.absolute().parent.parents):
        facts, others = in_record(folder, completion)
        if facts:
            return facts
        changed = changed or others
    facts = in_text(completion)
    if changed:
        reporter.warn(f"{completion}: not as its completions.json knows it: changed or replaced")
    return facts


def in_record(folder: Path, completion: Path) -> tuple[dict[str, Any], bool]:
    """Return what the record of a folder tells of a completion; nothing where it does not know.

    Also whether it has another content by that name.
    """
    from inpaint_cli.photos.record import Record

    for item in Record.of(folder, overwrite=True).items:
        for line in item["completions"]:
            if resolved(folder / line["file"]) == resolved(completion):
                # Records of earlier versions have no hashes.
                known = (item.get("sha256") or {}).get(line["file"])
                if known not in (None, hash_of(completion)):
                    return {}, True
                of_photo = {key: item.get(key) for key in ("image", "model", "weights_sha256")}
                of_it = {key: line.get(key) for key in ("seed", "index", "log_prob")}
                return {**of_photo, **of_it, "options": item.get("options", {})}, False
    return {}, False


def in_text(completion: Path) -> dict[str, Any]:
    """Return what a completion itself tells; nothing without its text."""
    from PIL import Image, UnidentifiedImageError

    from inpaint_cli.pictures.writing import own_text

    try:
        Image.open(completion).close()
    except UnidentifiedImageError as error:
        raise UserError("no picture.", where=completion) from error
    facts = own_text(completion)
    if "what" in facts:
        raise UserError(
            f"a {facts['what']}, and no completion. Give the file of the one that you chose.",
            where=completion,
        )
    return facts if "model" in facts else {}


def sentence(facts: Mapping[str, Any]) -> str:
    """Return in words how a completion was made.

    >>> sentence({"image": "cat.jpg", "model": "patches", "seed": 7, "index": 3})
    'completion 3 of cat.jpg by patches, seed 7'
    >>> sentence({})
    'copied; how it was made is not known'
    """
    if "model" not in facts:
        return "copied; how it was made is not known"
    photo = f" of {facts['image']}" if facts.get("image") else ""
    options = [
        f"{name.replace('_', '-')} {value}"
        for name, value in (facts.get("options") or {}).items()
        if value not in (None, False)
    ]
    told = [f"by {facts['model']}, seed {facts.get('seed')}", *options]
    return f"completion {facts.get('index')}{photo} {', '.join(told)}"
