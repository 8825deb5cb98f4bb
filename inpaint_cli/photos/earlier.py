"""Whether an item of a record is what a run would write now: photo, settings, inputs, files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inpaint_cli.files import hash_of, resolved

SETTINGS = ("hole", "model", "weights_sha256", "options")
"""Keys of an item that, with the seed, decide its completions."""
INPUTS = "inputs_sha256"
"""Key of an item: the hashes of what it was made from."""


def is_of(item: Mapping[str, Any], photo: Path) -> bool:
    """Return whether an item belongs to a photo, however its path is written."""
    image = item.get("image")
    return isinstance(image, str) and resolved(Path(image)) == resolved(photo)


def inputs_of(photo: Path | None, hole: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of each file that completions of a photo are made from.

    photo: None where it is no more what was read.
    """
    files = {"image": photo, "mask": hole.get("mask"), "painted": hole.get("painted")}
    paths = {name: Path(file) for name, file in files.items() if file is not None}
    return {name: hash_of(path) for name, path in paths.items() if path.is_file()}


def same_inputs(old: Mapping[str, Any], new: Mapping[str, str]) -> bool:
    """Return whether an earlier item was made from such files, as far as both hashes are known."""
    told = old.get(INPUTS) or {}
    return all(told.get(name, digest) == digest for name, digest in new.items())


def same_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether an earlier item was made from the same hole, model, seed and options.

    new: an item as it would be written, at least these keys of it, and a `seed`.
    """
    wanted = json.loads(json.dumps({key: new[key] for key in SETTINGS}))
    made = {key: old.get(key) for key in SETTINGS}
    for settings in (wanted, made):
        # It goes with the model, which is compared; older records lack it.
        settings["hole"] = {**(settings["hole"] or {}), "model_size": None}
    return made == wanted and all(line.get("seed") == new["seed"] for line in old["completions"])


def same_files(old: Mapping[str, Any], names: Sequence[str], rank: bool) -> bool:
    """Return whether an earlier item has these completions, numbered as a new run would.

    Of unranked ones there may be more: the first are the same.
    """
    lines = old["completions"]
    if [line["file"] for line in lines[: len(names)]] != list(names):
        return False
    if not rank:
        return all(line.get("index") == place for place, line in enumerate(lines))
    nats = (line.get("log_prob") for line in lines)
    log_probs = [-math.inf if value is None else value for value in nats]
    return len(lines) == len(names) and log_probs == sorted(log_probs, reverse=True)
