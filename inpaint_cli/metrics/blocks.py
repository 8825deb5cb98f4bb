"""Which reports share a table, and how table and columns are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from inpaint_cli.data.image_set import counted
from inpaint_cli.declarations import plain
from inpaint_cli.metrics.protocol import RECONSTRUCTION

Document = dict[str, Any]
TOGETHER = "together"
"""The column of all kinds of masks together."""


def kind_of(document: Document) -> str:
    """Return the kind of masks of a report, as typed."""
    return str(document["protocol"]["masks"]["distribution"])


def name_of(document: Document) -> str:
    """Return what a table calls the model."""
    return str(document["model"]["name"])


def set_of(document: Document) -> str:
    """Return the name, and how the model was set where that is not as usual.

    >>> sampler = {"temperature": 1.0, "at": "its own size", "steps": 2, "keep_seams": True}
    >>> completions = {"source": "model"}
    >>> model = {"name": "m", "sampler": sampler}
    >>> set_of({"model": model, "protocol": {"completions": completions}})
    'm (steps 2, keep-seams)'
    """
    if document["protocol"]["completions"].get("source") != "model":
        return name_of(document)
    usual = {"temperature": (None, 1.0), "detail": ("none",)}
    told = [
        name.replace("_", "-") if value is True else f"{name.replace('_', '-')} {plain(value)}"
        for name, value in document["model"]["sampler"].items()
        if name != "at" and value not in usual.get(name, ())
    ]
    return f"{name_of(document)} ({', '.join(told)})" if told else name_of(document)


def names_of_masks(documents: Sequence[Document]) -> list[str]:
    """Return the kind of masks of each report, with seed or hash where other masks share it."""
    names = [kind_of(document) for document in documents]
    masks = [document["protocol"]["masks"] for document in documents]
    for tell in (_seed_of, _hash_of):
        hashes: dict[str, set[str]] = {}
        for name, one in zip(names, masks, strict=True):
            hashes.setdefault(name, set()).update(filter(None, [one.get("sha256")]))
        names = [
            f"{name}{tell(one)}" if len(hashes[name]) > 1 else name
            for name, one in zip(names, masks, strict=True)
        ]
    return names


def _seed_of(masks: Document) -> str:
    return "" if masks["seed"] is None else f" seed {masks['seed']}"


def _hash_of(masks: Document) -> str:
    return f" {str(masks['sha256'])[:8]}"


def is_together(document: Document) -> bool:
    """Return whether a report is of several kinds of masks together."""
    return "kinds" in document["protocol"]["masks"].get("params", {})


def is_reconstruction(document: Document) -> bool:
    """Return whether a report is of what an autoencoder makes of the originals."""
    return bool(document["protocol"]["completions"].get("source") == RECONSTRUCTION)


def blocks_of(documents: Sequence[Document]) -> list[list[Document]]:
    """Return the tables: of the same images one for all models, or for all of one's masks.

    With ranges each report has a table of its own before.
    """
    same = _grouped(documents, _same_images)
    shared = [block for group in same for block in _tables_of(group)]
    if any("groups" in entry for document in documents for entry in document["metrics"]):
        alone = [[document] for document in documents if not is_together(document)]
        return alone + [block for block in shared if len(block) > 1]
    return shared


def _grouped(
    documents: Sequence[Document], alike: Callable[[Document, Document], bool]
) -> list[list[Document]]:
    groups = list[list[Document]]()
    for document in documents:
        fitting = (g for g in groups if all(alike(other, document) for other in g))
        group = next(fitting, None)
        if group is None:
            groups.append([document])
        else:
            group.append(document)
    return groups


def _same_images(one: Document, other: Document) -> bool:
    a, b = (document["protocol"]["dataset"] for document in (one, other))
    names = ("ids_sha256", "height", "width", "channels", "levels")
    return all(a[name] == b[name] for name in names) and _agree(a, b, "originals_sha256")


def _same_masks(one: Document, other: Document) -> bool:
    a, b = (document["protocol"]["masks"] for document in (one, other))
    return kind_of(one) == kind_of(other) and _agree(a, b, "sha256")


def _agree(one: Document, other: Document, name: str) -> bool:
    """Return whether two hashes are equal, or one is missing: where nothing was measured."""
    hashes = {one.get(name), other.get(name)} - {None}
    return len(hashes) < 2


def _tables_of(group: Sequence[Document]) -> list[list[Document]]:
    """Return reports of the same images as tables: of several models one for each kind of masks."""
    drawn, given = list[Document](), list[Document]()
    for document in group:
        (given if is_reconstruction(document) else drawn).append(document)
    of_one = len({name_of(document) for document in drawn}) == 1
    if of_one and len(drawn) > 1:
        return [part for part in (drawn, given) if part]
    return _grouped(group, _same_masks)


def heads_of(block: Sequence[Document]) -> list[str]:
    """Return the heads of the columns: the models, or the masks of one model."""
    names = [name_of(document) for document in block]
    if len(set(names)) == len(block):
        return names
    masks = names_of_masks(block)
    return [
        TOGETHER if is_together(document) else name
        for name, document in zip(masks, block, strict=True)
    ]


def called(documents: Sequence[Document]) -> list[str]:
    """Return a name for each report: the model's, with its masks where it has several reports."""
    names = [name_of(document) for document in documents]
    return [
        name if names.count(name) == 1 else f"{name} {kind}"
        for name, kind in zip(names, names_of_masks(documents), strict=True)
    ]


def titles_of(block: Sequence[Document]) -> list[str]:
    """Return the head of a table: who, which data, how many, which masks."""
    first = block[0]["protocol"]
    data, completions = first["dataset"], first["completions"]
    names = " | ".join(dict.fromkeys(map(set_of, block)))
    if first.get("pairing", {}).get("by") == "none":  # reports of earlier versions have none
        size = f"{data['width']}x{data['height']}" if data["height"] else "several sizes"
        pictures = f"{counted(data['n_images'], 'picture')} of {size}"
        return [f"{names} · {pictures} · unpaired, against {first['pairing']['real_set']}"]
    k = sorted({document["protocol"]["completions"]["k"] for document in block})
    counts = "K=" + " or ".join(map(str, k))
    seeds = {_seed_of(document["protocol"]["masks"]) for document in block}
    seed = seeds.pop() if len(seeds) == 1 else ""
    kinds = dict.fromkeys(names_of_masks(block))
    kind = f"masks {next(iter(kinds))}{seed}"
    if len(kinds) > 1:
        kind = f"masks by column,{seed}" if seed else "masks by column"
    parts = [
        names,
        f"{data['name']} {data['split']}" if data["split"] != "none" else data["name"],
        f"{counted(data['n_images'], 'image')} of {data['width']}x{data['height']}",
        counts,
        kind,
        "composited" if completions["composited"] else "as stored",
    ]
    return [" · ".join(parts)]
