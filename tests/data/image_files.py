"""Pictures, and containers of them, that tests make for themselves."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image


def png(value: int = 100, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    colour = value if mode == "L" else (value,) * 3
    Image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def photos(*names: str) -> dict[str, bytes]:
    return {name: png(i) for i, name in enumerate(names)}


def folder_of(path: Path, tree: Mapping[str, bytes]) -> str:
    for name, content in tree.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return str(path)


def zip_of(path: Path, tree: Mapping[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in tree.items():
            archive.writestr(name, content)
    return str(path)


def tar_of(path: Path, tree: Mapping[str, bytes]) -> str:
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return str(path)


def stored(kind: str, where: Path, tree: Mapping[str, bytes]) -> str:
    where.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        return folder_of(where / "set", tree)
    return (zip_of if kind == "zip" else tar_of)(where / f"set.{kind}", tree)
