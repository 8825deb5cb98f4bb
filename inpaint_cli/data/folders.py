"""Splits and classes from the folders that files lie in, at any depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from inpaint_cli.data import file_names
from inpaint_cli.data.image_set import SPLITS, Split, counted
from inpaint_cli.data.split_words import (
    NO_SPLIT_MAP,
    SplitChoice,
    SplitMap,
    is_plain,
    is_truth,
    is_worse,
    split_of,
    splits_of,
)
from inpaint_cli.data.splits import Member
from inpaint_cli.errors import UserError

Path = tuple[str, ...]
NAMED = 8
"""So many folders are named in a refusal; the others are counted."""


@dataclass(frozen=True)
class Sorted:
    """The pictures of a source with their splits and classes, and what was made of its folders."""

    members: list[Member]
    beside: int = 0
    """Pictures that lie beside train/ and are left out."""
    remarks: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()
    """Entries of the split map that were about something here."""


def sort(keys: Sequence[str], split_map: SplitMap = NO_SPLIT_MAP) -> Sorted:
    """Read splits and classes from the folders in `keys`.

    Folders of one level are splits where their names say so, whether classes lie below or above
    them; where none is, the names of the files may say it. Masks and annotations beside pictures
    are left out. Folders around everything are dropped from the ids, as packing and unpacking add
    some. UserError where folders of one level, or names of files, are splits only in part.
    """
    paths = {key: PurePosixPath(key.replace("\\", "/")).parts for key in keys}
    whole = _around(paths.values(), split_map)
    given = {key: choice for key, path in paths.items() if (choice := split_map.of_file(path))}
    wanted = {key: path for key, path in paths.items() if given.get(key) != "ignore"}
    kept, left_out = _without_truth(wanted, split_map)
    masks = file_names.masks({key: path for key, path in kept.items() if key not in given})
    kept = {key: path for key, path in kept.items() if key not in masks}
    around = _around(kept.values(), split_map)
    tree = _Tree(split_map)
    tree.walk(list(kept.items()), around)
    named = file_names.NOTHING
    if tree.counts:
        tree.settle(kept, given, around)
    else:
        named = file_names.read(kept, given)
        tree.splits = named.splits
    beside = set(tree.beside) if "train" in tree.splits.values() else set()
    members = [
        _member(key, path, whole, around, tree) for key, path in kept.items() if key not in beside
    ]
    wrappers = {path[depth] for path in kept.values() for depth in range(around)}
    remarks = [*_remarks(tree, left_out, wrappers), *named.remarks]
    if masks:
        count = counted(len(masks), "picture")
        remarks.append(f"{count} such as {min(masks.values())} left out (masks of those beside)")
    if len(wanted) < len(paths):
        remarks.append(f"{counted(len(paths) - len(wanted), 'picture')} left out (as said)")
    return Sorted(members, len(beside), tuple(remarks), _used(paths, split_map))


def _used(paths: dict[str, Path], split_map: SplitMap) -> frozenset[str]:
    """Return the entries of the split map that are about something here."""
    if not split_map.pairs:
        return frozenset()
    folders = {path[: i + 1] for path in paths.values() for i in range(len(path) - 1)}
    of_files = {key for path in paths.values() for key in split_map.keys_of_file(path)}
    return frozenset(of_files | {key for key in map(split_map.key_of, folders) if key})


@dataclass
class _Tree:
    """What a walk through the folders finds."""

    split_map: SplitMap
    splits: dict[str, Split] = field(default_factory=dict)
    """Key -> split."""
    levels: dict[str, int] = field(default_factory=dict)
    """Key -> depth of the folder that says it."""
    counts: Counter[tuple[str, Split]] = field(default_factory=Counter)
    """(name of the folder, split) -> pictures."""
    beside: list[str] = field(default_factory=list)
    """Files beside folders that are splits."""
    unclear: dict[str, Path] = field(default_factory=dict)
    """Key -> the folder beside splits that is none."""

    def walk(self, files: list[tuple[str, Path]], depth: int) -> None:
        """Find the splits of files that share their first `depth` folders."""
        below: dict[str, list[tuple[str, Path]]] = {}
        for key, path in files:
            if len(path) - 1 > depth:
                below.setdefault(path[depth], []).append((key, path))
        splits = self._splits(below, depth)
        for name, inside in below.items():
            if name not in splits:
                if not splits:
                    self.walk(inside, depth + 1)
                else:  # whatever it holds
                    self.unclear.update((key, path[: depth + 1]) for key, path in inside)
                continue
            if self._is_divided(inside, depth + 1):
                self.walk(inside, depth + 1)
                continue
            self.counts[name, splits[name]] += len(inside)
            self.splits.update((key, splits[name]) for key, _ in inside)
            self.levels.update((key, depth) for key, _ in inside)
        if splits:
            self.beside += [key for key, path in files if len(path) - 1 == depth]

    def _is_divided(self, inside: list[tuple[str, Path]], depth: int) -> bool:
        """Return whether a split holds splits and nothing else, as trainval/ does train/, val/."""
        names = {path[depth] if len(path) - 1 > depth else "" for _, path in inside}
        splits = splits_of(names)
        return splits.keys() == names and len(set(splits.values())) > 1

    def _splits(self, below: dict[str, list[tuple[str, Path]]], depth: int) -> dict[str, Split]:
        choices = {
            name: self.split_map.of(inside[0][1][: depth + 1]) for name, inside in below.items()
        }
        given = {
            name: choice
            for name, choice in choices.items()
            if choice in ("train", "validation", "test")
        }
        splits = splits_of([name for name in below if choices[name] is None])
        # One such name among others may be that of a thing: "test_tube".
        clear = len(set(splits.values())) > 1 or any(is_plain(name) for name in splits)
        return {**(splits if clear or given else {}), **given}

    def settle(self, files: dict[str, Path], given: Mapping[str, SplitChoice], around: int) -> None:
        """Take what is said of single files, and those beside the folders that are splits."""
        told: dict[str, Split] = {k: choice for k, choice in given.items() if choice in SPLITS}
        self.splits |= {key: split for key, split in told.items() if key in files}
        self.beside += [key for key, path in files.items() if len(path) - 1 == around]
        self.beside = [key for key in self.beside if key not in self.splits]
        self._check(files, around)

    def _check(self, files: dict[str, Path], around: int) -> None:
        """Raise UserError where some folders are splits and others none."""
        beside = set(self.beside)
        unclear = Counter(
            self.unclear.get(key, path[: around + 1])
            for key, path in files.items()
            if self.splits and key not in self.splits and key not in beside
        )
        if not unclear:
            return
        listed = [f"{'/'.join(p[around:])} ({n})" for p, n in sorted(unclear.items())]
        more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
        first, one = self._entry(min(unclear), files), min(self.counts)[0]
        raise UserError(
            f"some folders are splits ({self.text()}), others are not: "
            f"{', '.join(listed[:NAMED])}{more}. Say what they are, such as '{first}=ignore' or "
            f"'{first}=train'; '{one}=class' if it is a class of that name.",
            setting="split_map",
        )

    def _entry(self, folder: Path, files: dict[str, Path]) -> str:
        """Return how a split map calls a folder: by its name, or by its path if that is not one."""
        name = folder[-1]
        places = {p[: p.index(name) + 1] for p in files.values() if name in p[:-1]}
        return name if places == {folder} else "/".join(folder)

    def text(self) -> str:
        """Return what was recognised."""
        return ", ".join(
            name if name == split else f"{name} = {split}" for name, split in sorted(self.counts)
        )


def _around(paths: Iterable[Path], split_map: SplitMap) -> int:
    """Count the folders around all files; a split's own name alone is none of them."""
    paths = list(paths)
    shortest = min((len(path) for path in paths), default=1) - 1
    for depth in range(shortest):
        names = {path[depth] for path in paths}
        name = min(names)
        is_split = split_of(name) and name.isalpha() and is_plain(name)
        choice = split_map.of(paths[0][: depth + 1])
        if len(names) > 1 or (is_split and choice != "class") or choice not in (None, "class"):
            return depth
    return shortest


def _without_truth(
    paths: dict[str, Path], split_map: SplitMap
) -> tuple[dict[str, Path], Counter[tuple[str, bool]]]:
    """Return the files that are pictures, and (folder, said so) -> number of those left out."""
    truths = _truths(paths.values())
    ends = {key: _end(path, truths, split_map) for key, path in paths.items()}
    # A folder of masks is one only beside something else.
    beside = {
        paths[key][:i] for key, end in ends.items() if not end for i in range(len(paths[key]))
    }
    kept, left_out = {}, Counter[tuple[str, bool]]()
    for key, path in paths.items():
        depth, is_said = ends[key] or (0, False)
        if ends[key] and (is_said or path[:depth] in beside):
            left_out[path[depth], is_said] += 1
        else:
            kept[key] = path
    return kept, left_out


def _truths(paths: Iterable[Path]) -> set[Path]:
    """Return the folders that hold masks or annotations by their name."""
    folders = {path[: depth + 1] for path in paths for depth in range(len(path) - 1)}
    below: dict[Path, set[str]] = {}
    for folder in folders:
        below.setdefault(folder[:-1], set()).add(folder[-1])
    return {folder for folder in folders if is_truth(folder[-1], below[folder[:-1]])}


def _end(path: Path, truths: set[Path], split_map: SplitMap) -> tuple[int, bool] | None:
    """Return the depth of the first folder that holds no pictures, and whether a user said so."""
    for depth in range(len(path) - 1):
        choice = split_map.of(path[: depth + 1])
        if choice == "ignore":
            return depth, True
        if choice is None and path[: depth + 1] in truths:
            return depth, False
    return None


def _member(key: str, path: Path, dropped: int, around: int, tree: _Tree) -> Member:
    level = tree.levels.get(key)
    folders = [name for depth, name in enumerate(path[:-1]) if depth >= around and depth != level]
    split = tree.splits.get(key) or ("train" if tree.splits else None)
    return Member(key, "/".join(path[dropped:]), split, folders[0] if folders else None)


def _remarks(tree: _Tree, left_out: Counter[tuple[str, bool]], wrappers: set[str]) -> Iterable[str]:
    if tree.counts:
        meanings = ", ".join(
            f"{name}/ is {split} ({count})" for (name, split), count in sorted(tree.counts.items())
        )
        yield f"folders: {meanings}"
    for (name, is_said), count in sorted(left_out.items()):
        why = "masks or annotations beside the pictures"
        if is_worse(name):
            why = "worse copies of the pictures beside them"
        why = "as said" if is_said else why
        yield f"{counted(count, 'picture')} in {name}/ left out ({why})"
    for name in sorted(wrappers):
        if split_of(name) and is_plain(name):
            yield f"{name}/ is around everything, so it is not taken for a split"
