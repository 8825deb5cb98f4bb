"""Whole mask sets: drawn from a kind and a seed, kept as bits, with a manifest that proves them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.archives import RATIO_OF_ARRAYS, Npy, open_zip
from inpaint_cli.bounds import LARGEST_SIDE, MOST_MASKS
from inpaint_cli.errors import UserError
from inpaint_cli.files import is_ours, make_folder, replacing, write_text
from inpaint_cli.locking import alone_in
from inpaint_cli.masks import draw, specification
from inpaint_cli.masks.files import read_mask, write_mask
from inpaint_cli.masks.kinds import check_size
from inpaint_cli.masks.ranges import Mask
from inpaint_cli.parsing import json_of, read_text
from inpaint_cli.reporting import Reporter

FORMAT = "inpaint-masks-1"
MANIFEST = "masks.json"
WRITING = "writing"
"""The state of a set that is not finished."""
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif")
"""Suffixes of pictures, which a folder for masks must not hold."""
MOST_BYTES = 1 << 31
"""Of a set: all of it is in memory, a bit a pixel."""


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in value)
    )


MANIFEST_CHECKS: dict[str, Callable[[Any], bool]] = {
    "kind": lambda value: isinstance(value, str),
    "size": _is_size,
    "seed": lambda value: type(value) is int,
    "count": lambda value: type(value) is int and 1 <= value <= MOST_MASKS,
    "versions": lambda value: isinstance(value, dict),
    "sha256": lambda value: isinstance(value, str),
}
"""What reading a set needs of its manifest."""
Digests = dict[str, set[str]]
"""File -> the digests of the masks that are ours there."""

Packed = npt.NDArray[np.uint8]
"""uint8 [N, ceil(H*W/8)]: rows of bits, big-endian, 1 = visible, each mask padded to a byte."""


def pack(mask: Mask) -> Packed:
    """Return one mask as bits: uint8 [ceil(H*W/8)], row-major, big-endian, 1 = visible."""
    return np.packbits(mask.ravel())


def unpack(bits: Packed, height: int, width: int) -> Mask:
    """Return the mask of its bits."""
    return np.unpackbits(bits, count=height * width).reshape(height, width).astype(np.bool_)


def row_bytes(height: int, width: int) -> int:
    """Return the bytes that one packed mask takes."""
    return (height * width + 7) // 8


def digest_of(bits: Packed) -> str:
    """Return what a mask is known by: the start of the SHA-256 of its bits."""
    return hashlib.sha256(bits.tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class MaskSet:
    """Masks of one kind and size; `masks[i]` is bool [height, width], True = visible."""

    kind: str
    height: int
    width: int
    seed: int
    packed: Packed

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, index: int) -> Mask:
        return unpack(self.packed[index], self.height, self.width)

    def __iter__(self) -> Iterator[Mask]:
        return (self[index] for index in range(len(self)))

    @cached_property
    def visible(self) -> list[int]:
        """The number of visible pixels of each mask."""
        return [int(np.bitwise_count(row).sum()) for row in self.packed]

    @cached_property
    def sha256(self) -> str:
        """The hash of all bits: two sets with the same hash hold the same masks."""
        return hashlib.sha256(self.packed.tobytes()).hexdigest()

    @cached_property
    def digests(self) -> list[str]:
        """What each mask is known by: the start of the hash of its bits."""
        return [digest_of(row) for row in self.packed]

    def protocol(self) -> str:
        """Return what a score says about its masks."""
        return f"{self.kind} {self.height}x{self.width} seed {self.seed} " + (
            f"count {len(self)} hash {self.sha256[:12]}"
        )

    def manifest(self) -> dict[str, Any]:
        """Return what is needed to draw the set again and to see that it is the same."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "specification": specification(self.kind, self.height, self.width),
            "size": [self.height, self.width],
            "seed": self.seed,
            "count": len(self),
            "visible": self.visible,
            "masks": self.digests,
            "versions": versions(),
            "sha256": self.sha256,
        }


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the pixels of a kind may depend on."""
    import cv2
    import PIL

    return {"numpy": np.__version__, "pillow": PIL.__version__, "opencv": cv2.__version__}


def draw_set(
    kind: str,
    height: int,
    width: int,
    count: int,
    *,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> MaskSet:
    """Draw masks 0..count-1 of a kind, as scoring takes them (epoch 0).

    UserError for more than a set may hold, and for a size below 8 x 8.
    """
    check_size(kind, height, width)
    most = min(MOST_MASKS, MOST_BYTES // row_bytes(height, width))
    if count > most:
        raise UserError(
            f"{count} masks of {height}x{width} are more than the {most} of one set. Draw several, "
            "with other seeds.",
            setting="count",
        )
    packed = np.empty((count, row_bytes(height, width)), np.uint8)
    with (reporter or Reporter(quiet=True)).progress("masks", count) as advance:
        for index in range(count):
            packed[index] = pack(draw(kind, height, width, seed=seed, index=index))
            advance()
    return MaskSet(kind, height, width, seed, packed)


def no_hole(kind: str, height: int, width: int) -> UserError:
    """Return the refusal of masks of which none hides anything."""
    return UserError(
        f"'{kind}' leaves all of {height}x{width} pixels visible: there is no hole. Take another "
        "kind, size or seed.",
        setting="kind",
    )


def write_set(masks: MaskSet, target: Path, reporter: Reporter | None = None) -> list[Path]:
    """Write a set and its manifest: a folder of PNG files and masks.json, or one .npz file.

    PNG files are white where to fill in; the arrays of an .npz, `visible` [N, H, W] and `manifest`,
    are not: 1 = visible. Gives the paths of the masks. An older set there is replaced; UserError if
    anything else is in the way.
    """
    if target.suffix == ".npz":
        refuse_foreign(target)
        text = json.dumps(masks.manifest(), indent=1)
        with replacing(target) as temporary:
            np.savez_compressed(temporary, visible=np.stack(list(masks)), manifest=np.array(text))
        return [target]
    refuse_foreign(target)
    make_folder(target)
    reporter = reporter or Reporter(quiet=True)
    waiting = f"{target}: another run writes here too; waiting for it"
    with alone_in(target, lambda: reporter.note(waiting)):
        refuse_foreign(target)
        return _write_folder(masks, target, reporter)


def _write_folder(masks: MaskSet, folder: Path, reporter: Reporter) -> list[Path]:
    """Write a set as PNG files. The manifest comes first, as an intention, so a kill loses none."""
    older, names = known_masks(folder), _names(len(masks))
    for name in names:
        if (folder / name).exists() and not _is_known(folder, name, older):
            raise UserError(
                "exists and is no mask of the set there. Choose another folder.",
                where=folder / name,
            )
    intention = {"state": WRITING, "before": {name: sorted(older[name]) for name in sorted(older)}}
    _write_manifest(folder, {**masks.manifest(), **intention})
    with reporter.progress("files", len(masks)) as advance:
        for name, mask in zip(names, masks, strict=True):
            write_mask(folder / name, mask)
            advance()
    for name in sorted(older.keys() - set(names)):
        if _is_known(folder, name, older):
            (folder / name).unlink()
    _write_manifest(folder, masks.manifest())
    return [folder / name for name in names]


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def known_masks(folder: Path) -> Digests:
    """Return the files of an earlier set in a folder, finished or not, by what they hold."""
    if not (folder / MANIFEST).exists():
        return {}
    manifest = read_manifest(folder)
    known: Digests = {name: set(digests) for name, digests in manifest.get("before", {}).items()}
    digests = manifest.get("masks") or _digests_read(folder, manifest)
    for name, digest in zip(_names(len(digests)), digests, strict=True):
        known.setdefault(name, set()).add(digest)
    return known


def _digests_read(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Return the digests of a set whose manifest lacks them; none where it is not that set."""
    try:
        masks = read_set(folder)
    except UserError:
        return []
    return masks.digests if masks.sha256 == manifest["sha256"] else []


def _is_known(folder: Path, name: str, known: Digests) -> bool:
    def says_so(path: Path) -> bool:
        try:
            return digest_of(pack(read_mask(path))) in known.get(name, ())
        except UserError:
            return False

    return is_ours(folder, name, says_so)


def refuse_foreign(target: Path) -> None:
    """Raise UserError if writing a set to `target` would lose files that are no mask set."""
    if target.suffix == ".npz":
        if target.exists():
            read_manifest(target)
    elif target.exists() and not target.is_dir():
        raise UserError(f"{target}: a file is in the way. Give a folder, or a name ending in .npz.")
    elif (target / MANIFEST).exists():
        read_manifest(target)
    elif target.exists() and any(p.suffix.lower() in IMAGES for p in target.iterdir()):
        raise UserError(f"{target}: holds images but no {MANIFEST}. Choose another folder.")


def read_set(source: Path, reporter: Reporter | None = None) -> MaskSet:
    """Read what `write_set` wrote. A hash that does not match is a warning with the versions."""
    manifest = read_manifest(source)
    if manifest.get("state") == WRITING:
        raise UserError(f"{source}: the run that wrote this set was ended. Draw it again.")
    (height, width), count = manifest["size"], manifest["count"]
    read = _packed_of_npz if source.suffix == ".npz" else _packed_of_folder
    packed = read(source, count, height, width)
    if packed is None:
        raise UserError(
            f"{source}: the manifest lists {count} masks of {height}x{width}; the files differ."
        )
    mask_set = MaskSet(manifest["kind"], height, width, manifest["seed"], packed)
    if reporter:
        warn_if_different(mask_set, manifest["sha256"], manifest["versions"], str(source), reporter)
    return mask_set


def read_manifest(source: Path) -> dict[str, Any]:
    """Read the manifest of a folder or an .npz file. UserError if there is none of ours."""
    if source.suffix == ".npz":
        with open_zip(source, RATIO_OF_ARRAYS, "") as archive:
            if "manifest.npy" not in archive.namelist():
                raise UserError(
                    f"{source}: not a mask set that inpaint wrote (no manifest in it). Save other "
                    "masks as PNG files, white where to fill in."
                )
            with Npy(archive, "manifest") as array:
                text = str(array.values().item())
    elif not (source / MANIFEST).is_file():
        raise UserError(
            f"{source}: no set of masks that inpaint drew, it holds no {MANIFEST}. Draw one with "
            "'inpaint masks', or name a kind."
        )
    else:
        text = read_text(source / MANIFEST)
    manifest = json_of(text, source, "not a mask set that inpaint wrote")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UserError(f"{source}: not a mask set that inpaint wrote.")
    wrong = [name for name, fits in MANIFEST_CHECKS.items() if not fits(manifest.get(name))]
    if wrong:
        raise UserError(
            f"{source}: not a mask set that inpaint wrote ({', '.join(wrong)} missing or unusable)."
        )
    files = 0 if source.suffix == ".npz" else len(list(source.iterdir()))
    if fault := _fault(manifest, files):
        raise UserError(f"{source}: not a mask set that inpaint wrote ({fault}).")
    return manifest


def _fault(manifest: dict[str, Any], files: int) -> str:
    """Return what would steer us wrong: counts and names of files; "" where all is well."""
    count, before = manifest["count"], manifest.get("before", {})
    listed = [manifest[key] for key in ("masks", "visible") if key in manifest]
    if not all(isinstance(values, list) and len(values) == count for values in listed):
        return f"count {count}, but it lists another number of masks"
    if files and not listed and count > files:
        return f"count {count}, but {files} files are there"
    if not isinstance(before, dict) or not all(isinstance(d, list) for d in before.values()):
        return "before unusable"
    texts = (text for d in (manifest.get("masks", ()), *before.values()) for text in d)
    return "" if all(isinstance(text, str) for text in texts) else "digests unusable"


def warn_if_different(
    masks: MaskSet, expected: str, drawn_with: object, name: str, reporter: Reporter
) -> None:
    """Warn if a set read back or drawn again is not the one that the manifest describes."""
    if masks.sha256 != expected:
        reporter.warn(
            f"{name}: these masks (hash {masks.sha256[:12]}) are not those of the manifest "
            f"({expected[:12]}), drawn with {drawn_with}; here: {versions()}."
        )


def _packed_of_npz(source: Path, count: int, height: int, width: int) -> Packed | None:
    """Return the bits of a set, mask by mask; None where it is another one than is said."""
    with open_zip(source, RATIO_OF_ARRAYS, "") as archive, Npy(archive, "visible") as array:
        if array.shape != (count, height, width) or array.dtype.kind not in "bu" or array.fortran:
            return None
        packed = np.empty((count, row_bytes(height, width)), np.uint8)
        for index in range(count):
            packed[index] = pack(array.rows(index, 1)[0] != 0)
    return packed


def _packed_of_folder(source: Path, count: int, height: int, width: int) -> Packed | None:
    paths = _files(source, count)
    if len(paths) != count:
        return None
    packed = np.empty((count, row_bytes(height, width)), np.uint8)
    for index, path in enumerate(paths):
        mask = read_mask(path)
        if mask.shape != (height, width):
            return None
        packed[index] = pack(mask)
    return packed


def _files(folder: Path, count: int) -> list[Path]:
    """Return the masks of a set that is said to have `count`, no more than the folder can hold."""
    return [folder / name for name in _names(count, sum(1 for _ in folder.iterdir()))]


def _names(count: int, most: int | None = None) -> list[str]:
    digits = max(4, len(str(count - 1)))
    return [
        f"{index:0{digits}}.png" for index in range(min(count, count if most is None else most))
    ]
