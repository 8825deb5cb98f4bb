"""Files made to fill a machine or to hold it up, built small."""

import io
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np


def npy_header(shape: tuple[int, ...], dtype: str = "|u1", text: str | None = None) -> bytes:
    """The head of an npy file, whatever it claims; text: in place of the literal."""
    literal = text or f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    padded = literal.ljust(118 if len(literal) < 118 else len(literal)) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


def npz(path: Path, /, **members: bytes) -> str:
    """An npz whose members are what they are: headers need not be true."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return str(path)


def zip_of_zeros(path: Path, size: int) -> str:
    """A zip with one picture that unpacks to `size` zeros."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("train/a.png", "w", force_zip64=True) as handle,
    ):
        for _ in range(size >> 20):
            handle.write(bytes(1 << 20))
    return str(path)


def tar_of_zeros(path: Path, size: int, mode: str = "w:gz") -> str:
    """A packed tar with one picture of `size` zeros."""

    class Zeros(io.RawIOBase):
        def read(self, count: int = -1) -> bytes:
            return bytes(count)

    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo("train/a.png")
        info.size = size
        archive.addfile(info, Zeros())
    return str(path)


def tar_with(path: Path, *members: tuple[str, bytes | str | None, bytes]) -> str:
    """A tar of (name, content or target, type)."""
    with tarfile.open(path, "w") as archive:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.linkname = content or ""
                archive.addfile(info)
    return str(path)


def zip_link(name: str) -> zipfile.ZipInfo:
    """The entry of a symbolic link, as Info-ZIP writes it on Unix."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted(path: Path) -> None:
    """Marks every member of a zip as encrypted, in both of its heads."""
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            raw[info.header_offset + 6] |= 1
    start = 0
    while (start := raw.find(b"PK\x01\x02", start)) >= 0:
        raw[start + 8] |= 1
        start += 4
    path.write_bytes(bytes(raw))


def damaged_deflate(path: Path, name: str = "visible") -> None:
    """Spoils the packed bytes of a member of an npz; its directory stays whole."""
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
    start = info.header_offset + 30 + len(info.filename)
    extra = int.from_bytes(raw[info.header_offset + 28 : info.header_offset + 30], "little")
    for offset in range(info.compress_size):
        raw[start + extra + offset] ^= 0xFF
    path.write_bytes(bytes(raw))


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return len(content).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    head = chunk(b"IHDR", size + b"\x08\x00\x00\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def grey(value: int) -> bytes:
    """A grey picture of 8x8 pixels."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


class Payload:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("__import__('pathlib').Path('executed').touch()",))
