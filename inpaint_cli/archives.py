"""Zip, npz and tar files of anybody, opened without being filled or held up by them.

Sizes are compared before anything is unpacked; whatever a library raises on the way becomes one
sentence with the name of the file.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import math
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import PlainError, UserError
from inpaint_cli.parsing import brief, check_regular, open_regular

UNSUSPICIOUS_BYTES = 1 << 26
"""What unpacks to no more than this is no bomb, however small it is."""
RATIO_OF_PICTURES = 100
"""Above it an archive is no set of pictures: their formats hardly shrink any further."""
RATIO_OF_ARRAYS = 900
"""The same for arrays, which may be as plain as masks are; Deflate ends at 1032."""
DEFLATE_MOST = 1032
ENCRYPTED = 1
"""A bit of the flags of a member."""
PIECE = 1 << 16


class Reads(Protocol):
    """What can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes."""


@contextlib.contextmanager
def reading(path: Path, setting: str = "data") -> Iterator[None]:
    """Turn whatever a library raises over the content of `path` into one UserError."""
    try:
        yield
    except (PlainError, MemoryError):
        raise
    # Of damaged files libraries raise what comes: TokenError, struct.error, KeyError, ...
    except Exception as error:
        raise damaged(path, error, setting) from error


def damaged(path: Path, error: BaseException, setting: str) -> UserError:
    """Return the error for an archive that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    why = brief(reason or type(error).__name__, 200)
    return UserError(f"{path} cannot be read, or not to its end ({why}).", setting=setting)


@contextlib.contextmanager
def open_zip(
    path: Path, ratio: int = RATIO_OF_PICTURES, setting: str = "data"
) -> Iterator[zipfile.ZipFile]:
    """Open a zip or npz file; UserError if it is damaged or unpacks to more than `ratio` times."""
    with reading(path, setting):
        check_regular(path)
    with reading(path, setting), zipfile.ZipFile(path) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
        _check_size(path, unpacked, path.stat().st_size, ratio, setting)
        yield archive


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """Return a file of a zip archive; ValueError if it has more than `most` bytes."""
    if info.file_size > most:
        raise ValueError(f"larger than {most >> 20} MiB")
    known = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)
    if info.compress_type not in known:  # a few bytes of bzip2 would unpack to gigabytes at once
        raise ValueError("packed by a method that is not read here; pack it with Deflate")
    check_open(info)
    with archive.open(info) as handle:
        return b"".join(iter(lambda: handle.read(PIECE), b""))


def check_open(info: zipfile.ZipInfo) -> None:
    """Raise ValueError for a member that is encrypted."""
    if info.flag_bits & ENCRYPTED:
        raise ValueError(f"{info.filename} is encrypted; unpack the archive with its password")


@contextlib.contextmanager
def open_tar(path: Path) -> Iterator[Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]]:
    """Open a tar file, packed or not, and give its members in their order, each to be read at once.

    It is read as a stream: a seek backwards in a packed file would start from its beginning.
    """
    with reading(path), open_regular(path) as raw:
        stream = cast(IO[bytes], _Unpacked(path, raw))
        with tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE, tarinfo=_WholeHead) as archive:
            yield _members(archive)


class _WholeHead(tarfile.TarInfo):
    """The head of a member; where it is damaged, tarfile would take that for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _WholeHead:
        """Return the head that a block is. ReadError for one that is none, nor the end's mark."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            why = "a damaged head of a file" if buf else "no mark of its end: it is cut short"
            raise tarfile.ReadError(why) from error


def _members(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    while (info := archive.next()) is not None:
        cast(Any, archive).members.clear()  # which would keep them all
        yield archive, info
    stream = cast(IO[bytes], archive.fileobj)
    if any(any(piece) for piece in iter(lambda: stream.read(PIECE), b"")):
        raise tarfile.ReadError("goes on behind the mark of its end: damaged, or several in one")


class _Unpacked:
    """What a packed tar file unpacks to; UserError once that is far more than it can hold."""

    def __init__(self, path: Path, raw: IO[bytes]) -> None:
        start = raw.read(6)
        raw.seek(0)
        self.path, self.raw, self.done = path, raw, 0
        self.unpacked: Reads = raw
        if start[:2] == b"\x1f\x8b":
            self.unpacked = gzip.GzipFile(fileobj=raw)
        elif start[:3] == b"BZh":
            self.unpacked = bz2.BZ2File(raw)
        elif start == b"\xfd7zXZ\x00" or start[:4] == b"\x5d\x00\x00\x80":
            self.unpacked = lzma.LZMAFile(raw)  # noqa: SIM115

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        data = self.unpacked.read(min(size, PIECE))
        self.done += len(data)
        _check_size(self.path, self.done, self.raw.tell(), RATIO_OF_PICTURES, "data")
        return data


def _check_size(path: Path, unpacked: int, packed: int, ratio: int, setting: str) -> None:
    if unpacked > UNSUSPICIOUS_BYTES and unpacked > ratio * max(packed, 1):
        raise UserError(
            f"{path}: unpacks to {unpacked >> 20} MiB or more, from {packed >> 10} KiB, as "
            "archives do that shall fill a machine, so it is not read.",
            setting=setting,
        )


class Npy:
    """One array of an npz file: its header, compared with what there is, then its values."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is packed by a method that is not read here")
        self.name, self.packed = name, info.compress_size
        check_open(info)
        self.handle = archive.open(info)
        self.shape, self.fortran, self.dtype = _header(self.handle)
        self.size = math.prod(self.shape) * self.dtype.itemsize
        if self.dtype.hasobject:
            raise ValueError(f"{name} is {self.dtype}: Python objects, which could run code")
        there = min(info.file_size, DEFLATE_MOST * info.compress_size) - self.handle.tell()
        if min(self.shape, default=0) < 0 or self.size > there:
            raise ValueError(f"{name} ends early: {list(self.shape)} would take {self.size} bytes")

    def __enter__(self) -> Npy:
        return self

    def __exit__(self, *raised: object) -> None:
        self.handle.close()

    def rows(self, first: int, count: int) -> npt.NDArray[Any]:
        """Return the next `count` entries along the first axis, of which `first` were read."""
        each = math.prod(self.shape[1:]) * self.dtype.itemsize
        data = self.handle.read(count * each)
        if len(data) < count * each:
            raise EOFError(f"{self.name} ends early, at entry {first + len(data) // max(each, 1)}")
        return np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])

    def values(self) -> npt.NDArray[Any]:
        """Return the whole array."""
        data = self.handle.read(self.size)
        if len(data) < self.size:
            raise EOFError(f"{self.name} ends early")
        values = np.frombuffer(data, self.dtype)
        return values.reshape(self.shape, order="F" if self.fortran else "C")


def _header(handle: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type from the head of an npy file."""
    try:
        version = np.lib.format.read_magic(handle)
        reader = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = reader(handle)
    except MemoryError:  # Python's parser, of brackets without end
        raise ValueError("its header is no literal") from None
    return shape, fortran, dtype
