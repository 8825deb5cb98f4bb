"""environment.json: the settings and the data that a run began with, and every sitting of it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint_cli import __version__
from inpaint_cli.configuration import to_dict
from inpaint_cli.device import world_size
from inpaint_cli.errors import UserError
from inpaint_cli.files import absolute, expanded, write_text
from inpaint_cli.parsing import read_bytes
from inpaint_cli.reporting import Reporter
from inpaint_cli.training.recipe import Recipe

if TYPE_CHECKING:
    from inpaint_cli.data import ImageSet

Facts = dict[str, Any]
FILE = "environment.json"


def read(run: Path, reporter: Reporter | None = None) -> Facts:
    """Return what the run folder `run` holds: "settings", "data" and "sittings"; {} if nothing."""
    try:
        facts = json.loads(read_bytes(run / FILE))
        if not isinstance(facts, dict) or not isinstance(facts.get("sittings", []), list):
            raise ValueError("no table")
        if not facts.keys() & {"settings", "data", "sittings"}:
            raise ValueError("nothing of a run")
        _check_types([facts, *facts.get("sittings", [])])
    except FileNotFoundError:
        if reporter and any((run / "checkpoints").glob("*.safetensors")):
            reporter.warn(f"{run / FILE}: missing; what the run began with is not known.")
        return {}
    except (OSError, ValueError, RecursionError) as error:
        if reporter:
            reporter.warn(f"{run / FILE}: damaged ({error}); what the run began with is not known.")
        return {}
    if "sittings" not in facts:  # of an earlier version, which knew the latest sitting alone
        data = facts.pop("data", {})
        return {"data": data, "sittings": [facts]}
    return facts


def _check_types(states: Sequence[Any]) -> None:
    """Raise ValueError where what is compared with later sittings is of other types."""
    for state in states:
        if not isinstance(state, dict):
            raise ValueError("a sitting is no table")
        for name in ("settings", "data", "perceptual"):
            if not isinstance(state.get(name, {}), dict):
                raise ValueError(f"{name} is no table")
        sources = state.get("data", {}).get("sources", [])
        if not isinstance(sources, list) or not all(map(_is_source, sources)):
            raise ValueError("the sources of its data cannot be read")


def _is_source(source: Any) -> bool:
    if not isinstance(source, dict) or not isinstance(source.get("given"), str):
        return False
    return isinstance(source.get("path", ""), str)


def places(recipe: Recipe, facts: Facts) -> tuple[str, ...]:
    """Return where the data of `recipe` lie: the recorded places, else as they were typed."""
    sources = _latest(facts, "data").get("sources", [])
    known = {source["given"]: source.get("path") for source in sources}
    places = []
    for given in recipe.data:
        place = known.get(given)
        moved = place and not expanded(place).exists() and Path(given).exists()
        places.append(given if moved or not place else place)
    return tuple(places)


def place_of(given: str) -> str | None:
    """Return the absolute path of a data source, the home folder as ~; None for a named set."""
    from inpaint_cli.data import NAMES

    path = expanded(given)
    return None if given in NAMES or not path.exists() else absolute(path)


def distance_of(recipe: Recipe, facts: Facts) -> str:
    """Return the perceptual distance of `recipe`, its file where the run found it, if still there.

    Otherwise as it was typed.
    """
    known = _latest(facts, "perceptual")
    path = known.get("path")
    if known.get("given") != recipe.perceptual or not isinstance(path, str):
        return recipe.perceptual
    from inpaint_cli.zoo import perceptual

    there = expanded(path)
    return perceptual.with_file(recipe.perceptual, there) if there.exists() else recipe.perceptual


@dataclass(frozen=True)
class Admission:
    """A sitting that may begin: how it differs from those before, and what is recorded of it."""

    differences: list[str]
    facts: Facts

    @property
    def changes(self) -> int:
        """How many sittings had accepted differences, this one included."""
        return sum("accepted" in sitting for sitting in self.facts["sittings"])

    def write(self, run: Path) -> None:
        """Add the sitting to the record of `run`, once it is known that it can begin."""
        write_text(run / FILE, json.dumps(self.facts, indent=2) + "\n")


def admit(
    run: Path,
    recipe: Recipe,
    images: Sequence[ImageSet],
    distance: str | None,
    device: str,
    accept_changes: bool,
    reporter: Reporter,
) -> Admission:
    """Compare a sitting with the ones before; nothing is written.

    images: those of training, and the held-out ones. distance: SHA-256 of the weights of the
    perceptual distance, if there is one. UserError where it differs and that is not accepted.
    """
    facts = read(run, reporter)
    now = {"settings": _settings(recipe), "data": _data(recipe, images)}
    if distance:
        now["perceptual"] = _perceptual(recipe, distance)
    differences = [
        *_changed_settings(_latest(facts, "settings"), now["settings"]),
        *_changed_data(_latest(facts, "data"), now["data"]),
        *_changed_distance(_latest(facts, "perceptual"), now.get("perceptual", {})),
    ]
    _check_accepted(run, differences, accept_changes)
    sitting = _sitting(device)
    if differences:
        sitting |= {"accepted": differences, **now}
    whole = {**now, **facts, "sittings": [*facts.get("sittings", []), sitting]}
    return Admission(differences, whole)


def check_plan(run: Path, recipe: Recipe, images: Sequence[ImageSet], accept_changes: bool) -> None:
    """Raise the UserError of `admit`, as far as a plan knows: large sets are not read for it."""
    facts = read(run)
    data: Facts = {
        part.split: {
            "images": len(part.images),
            "sha256": part.sha256,
            **_labels(recipe, part),
        }
        for part in images
        if part.sha256
    }
    differences = [
        *_changed_settings(_latest(facts, "settings"), _settings(recipe)),
        *_changed_data(_latest(facts, "data"), data),
    ]
    _check_accepted(run, differences, accept_changes)


def _check_accepted(run: Path, differences: Sequence[str], accept_changes: bool) -> None:
    if differences and not accept_changes:
        raise UserError(
            f"{run} is not as it was: {'; '.join(differences)}. Put that back, or give this to go "
            "on all the same, which is then recorded.",
            setting="accept_changes",
        )


def _latest(facts: Facts, what: str) -> Facts:
    """Return settings, data or distance that the run has by now: as begun, or as accepted since."""
    sittings = facts.get("sittings", [])
    states = [s[what] for s in sittings if isinstance(s, dict) and isinstance(s.get(what), dict)]
    begun = facts.get(what)
    return states[-1] if states else begun if isinstance(begun, dict) else {}


def _settings(recipe: Recipe) -> Facts:
    names = ("model", "preset", "seed", "perceptual")
    return {
        **{name: getattr(recipe, name) for name in names},
        "data": list(recipe.data),
        "config": to_dict(recipe.config),
    }


def _data(recipe: Recipe, images: Sequence[ImageSet]) -> Facts:
    typed = zip(recipe.data, recipe.places or recipe.data, strict=True)
    sources = [{"given": given, "path": place_of(place)} for given, place in typed]
    several = len(sources) > 1
    return {
        "sources": [{n: v for n, v in source.items() if v is not None} for source in sources],
        **{
            part.split: {
                "name": part.name,
                "images": len(part.images),
                "sha256": part.sha256,
                **_labels(recipe, part),
                **({"by_source": _by_source(part)} if several else {}),
            }
            for part in images
        },
    }


def _perceptual(recipe: Recipe, sha256: str) -> Facts:
    """Return what the weights of the perceptual distance are: as typed, where they lie, SHA-256."""
    from inpaint_cli.zoo import perceptual

    file = perceptual.file_of(recipe.distance or recipe.perceptual)
    path = {"path": absolute(file)} if file else {}
    return {"given": recipe.perceptual, **path, "sha256": sha256}


def _labels(recipe: Recipe, images: ImageSet) -> dict[str, str]:
    """Return the SHA-256 of classes or labels, where they are learned; images say none of them."""
    config = recipe.config
    learns = config.class_count is not None or config.label_names is not None
    if images.labels is None or not learns:
        return {}
    named = json.dumps([images.classes, images.labels.tolist()])
    return {"labels": hashlib.sha256(named.encode()).hexdigest()}


def _by_source(images: ImageSet) -> dict[str, str]:
    """Return the SHA-256 of the names and pixels of each source, whose name begins the ids."""
    ids = enumerate(getattr(images, "ids", ()))
    hashes = {}
    for name, rows in groupby(ids, lambda row: row[1].split("/")[0]):
        digest = hashlib.sha256()
        for index, identifier in rows:
            digest.update(f"{identifier}\n".encode(errors="surrogatepass"))
            digest.update(images.images[index].tobytes())
        hashes[name] = digest.hexdigest()
    return hashes


def _changed_settings(before: Facts, now: Facts) -> list[str]:
    old, new = dict(_flat(before)), dict(_flat(now))
    # What only one of them has is of another version of inpaint, and has its default there.
    return [
        f"{name} was {old[name]} and is {new[name]} now"
        for name in old
        if name in new and old[name] != new[name]
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield settings by the names that `--set` takes: "filters", "paint.lr"."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            inner = prefix if name in ("config", "training") else f"{prefix}{name}."
            yield from _flat(value, inner)
        else:
            yield f"{prefix}{name}", value


def _changed_data(before: Facts, now: Facts) -> list[str]:
    changes = []
    for split, words in (("train", "training images"), ("validation", "held-out images")):
        old, new = before.get(split), now.get(split)
        if not isinstance(old, dict) or not new:
            continue
        if old.get("sha256") == new["sha256"]:
            if {"labels"} <= old.keys() & new.keys() and old["labels"] != new["labels"]:
                changes.append(f"the classes or labels of the {words} are others")
            continue
        theirs = old.get("by_source", {})
        which = [n for n, value in new.get("by_source", {}).items() if theirs.get(n) != value]
        source = f" of {', '.join(which)}" if theirs and which else ""
        count = f"{old.get('images')} then, {new['images']} now"
        changes.append(f"the {words}{source} are others ({count})")
    return changes


def _changed_distance(before: Facts, now: Facts) -> list[str]:
    old, new = before.get("sha256"), now.get("sha256")
    # Another name is a changed setting, and said as such.
    if not old or not new or old == new or before.get("given") != now["given"]:
        return []
    beginnings = f"its SHA-256 began with {str(old)[:12]} and does with {new[:12]} now"
    return [f"the perceptual distance '{now.get('path', now['given'])}' is another ({beginnings})"]


def _sitting(device: str) -> Facts:
    """Return versions, machine and command line; the home folder appears as ~."""
    import numpy as np
    import torch

    home = os.path.expanduser("~")
    arguments = [a.replace(home, "~") if len(home) > 1 else a for a in sys.argv[1:]]
    return {
        "inpaint": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "device_name": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "processes": world_size(),
        "command": ["inpaint", *arguments],
    }
