"""Which reports share a table, and how table and columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def is_together(document: Document) -> bool:
    """Return whether a report is of several kinds of masks together."""
    return "kinds" in document["protocol"]["masks"].get("params", {})


def is_reconstruction(document: Document) -> bool:
    """Return whether a report is of what an autoencoder makes of the originals."""
    return bool(document["protocol"]["completions"].get("source") == RECONSTRUCTION)


def blocks_of(documents: Sequence[Document]) -> list[list[Document]]:
    """Return the tables: of the same images one for all models, or for all kinds of one's masks.

    With ranges each report has a table of its own before.
    """
    same: dict[Any, list[Document]] = {}
    for document in documents:
        data = document["protocol"]["dataset"]
        key = (data["ids_sha256"], data["height"], data["width"], data["channels"], data["levels"])
        same.setdefault(key, []).append(document)
    shared = [block for group in same.values() for block in _tables_of(group)]
    if any("groups" in entry for document in documents for entry in document["metrics"]):
        alone = [[document] for document in documents if not is_together(document)]
        return alone + [block for block in shared if len(block) > 1]
    return shared


def _tables_of(group: Sequence[Document]) -> list[list[Document]]:
    """Return reports of the same images as tables: of several models one for each kind of masks."""
    drawn, given = list[Document](), list[Document]()
    for document in group:
        (given if is_reconstruction(document) else drawn).append(document)
    of_one = len({name_of(document) for document in drawn}) == 1
    if of_one and len({kind_of(document) for document in drawn}) > 1:
        return [part for part in (drawn, given) if part]
    by_kind: dict[str, list[Document]] = {}
    for document in group:
        by_kind.setdefault(kind_of(document), []).append(document)
    return list(by_kind.values())


def heads_of(block: Sequence[Document]) -> list[str]:
    """Return the heads of the columns: the models, or the masks of one model."""
    names = [name_of(document) for document in block]
    if len(set(names)) == len(block):
        return names
    return [TOGETHER if is_together(document) else kind_of(document) for document in block]


def called(documents: Sequence[Document]) -> list[str]:
    """Return a name for each report: the model's, with its masks where it has several reports."""
    names = [name_of(document) for document in documents]
    return [
        name if names.count(name) == 1 else f"{name} {kind_of(document)}"
        for name, document in zip(names, documents, strict=True)
    ]


def titles_of(block: Sequence[Document]) -> list[str]:
    """Return the head of a table: who, which data, how many, which masks."""
    first = block[0]["protocol"]
    data, masks, completions = first["dataset"], first["masks"], first["completions"]
    names = " | ".join(dict.fromkeys(map(name_of, block)))
    if first.get("pairing", {}).get("by") == "none":  # reports of earlier versions have none
        size = f"{data['width']}x{data['height']}" if data["height"] else "several sizes"
        pictures = f"{data['n_images']} pictures of {size}"
        return [f"{names} · {pictures} · unpaired, against {first['pairing']['real_set']}"]
    k = sorted({document["protocol"]["completions"]["k"] for document in block})
    counts = "K=" + " or ".join(map(str, k))
    seed = "" if masks["seed"] is None else f" seed {masks['seed']}"
    kinds = dict.fromkeys(map(kind_of, block))
    kind = f"masks {next(iter(kinds))}{seed}" if len(kinds) == 1 else f"masks by column,{seed}"
    parts = [
        names,
        f"{data['name']} {data['split']}" if data["split"] != "none" else data["name"],
        f"{data['n_images']} images of {data['width']}x{data['height']}",
        counts,
        kind,
        "composited" if completions["composited"] else "as stored",
    ]
    return [" · ".join(parts)]
