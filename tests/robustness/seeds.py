"""Small valid files of every format that the program reads."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from inpaint_cli import zoo
from inpaint_cli.masks.sets import draw_set, write_set
from inpaint_cli.metrics import statistics_file
from inpaint_cli.metrics.moments import Moments

Files = list[tuple[str, bytes]]


def _noise(seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))


def _saved(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def photo(folder: Path) -> Path:
    """Return a grey photo of 24x20 pixels in `folder`, which every model takes."""
    path = folder / "photo.png"
    path.write_bytes(_saved(_noise().convert("L"), "PNG"))
    return path


def mask_folder(folder: Path) -> Path:
    """Return a set of masks in a folder of `folder`."""
    write_set(draw_set("blobs", 8, 8, 3), folder / "set")
    return folder / "set"


@cache
def pictures() -> Files:
    """Pictures of the usual formats."""
    kinds = (
        ("png", "PNG", "RGB"), ("png", "PNG", "P"), ("png", "PNG", "LA"), ("jpg", "JPEG", "RGB"),
        ("webp", "WEBP", "RGBA"), ("avif", "AVIF", "RGB"), ("gif", "GIF", "P"),
        ("tif", "TIFF", "RGB"), ("bmp", "BMP", "RGB"), ("ppm", "PPM", "RGB"),
        ("tga", "TGA", "RGBA"), ("jp2", "JPEG2000", "RGB"),
    )  # fmt: skip
    return [(f"a.{suffix}", _saved(_noise().convert(mode), kind)) for suffix, kind, mode in kinds]


@cache
def pngs() -> Files:
    """PNG files alone, for changes that keep their sums."""
    return [(name, data) for name, data in pictures() if name.endswith(".png")]


@cache
def mask_sets() -> Files:
    """A set of masks as arrays."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "set.npz"
        write_set(draw_set("blobs", 20, 24, 3), path)
        return [("set.npz", path.read_bytes())]


@cache
def statistics() -> Files:
    """A mean and covariance of features, of ours and without what ours say beside."""
    rows = np.random.default_rng(0).normal(size=(20, 5))
    described = {"id": "a", "dim": 5, "resize": "none", "weights_sha256": None}
    theirs = io.BytesIO()
    np.savez_compressed(theirs, mu=rows.mean(axis=0), sigma=np.cov(rows, rowvar=False))
    with TemporaryDirectory() as folder:
        statistics_file.save(Path(folder) / "a.npz", Moments.of(rows), described)
        ours = (Path(folder) / "a.npz").read_bytes()
    return [("ours.npz", ours), ("theirs.npz", theirs.getvalue())]


@cache
def manifests() -> Files:
    """The manifest of a set in a folder."""
    with TemporaryDirectory() as folder:
        return [("masks.json", (mask_folder(Path(folder)) / "masks.json").read_bytes())]


@cache
def configs() -> Files:
    """Configs of runs of every family."""
    from inpaint_cli import models
    from inpaint_cli.training.recipe import RecipeChoices

    recipes = [RecipeChoices(name, ["digits"], "digits").recipe() for name in models.trainable()]
    return [("config.toml", recipe.to_toml().encode()) for recipe in recipes]


@cache
def weights() -> Files:
    """The smallest models that ship."""
    names = ("pcnn-digits", "ipa-mnist", "ipa-cifar32")
    return [(f"{n}.safetensors", (zoo.FOLDER / f"{n}.safetensors").read_bytes()) for n in names]


@cache
def records() -> Files:
    """The record of a completed photo."""
    from click.testing import CliRunner

    from inpaint_cli.cli import main

    with TemporaryDirectory() as place:
        folder = Path(place)
        arguments = [str(photo(folder)), "--box", "1,1,3,2", "--model", "telea", "-o", place]
        result = CliRunner().invoke(main, ["complete", *arguments])
        assert result.exit_code == 0, result.stderr
        return [("completions.json", (folder / "completions.json").read_bytes())]


def _tree() -> Files:
    small = [_saved(_noise(seed).resize((8, 8)), "PNG") for seed in range(8)]
    return [
        (f"{'test' if i > 5 else 'train'}/{'ab'[i % 2]}/{i}.png", d) for i, d in enumerate(small)
    ]


@cache
def zips() -> Files:
    """Pictures in a zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _tree():
            archive.writestr(name, data)
    return [("set.zip", stream.getvalue())]


def _tar(mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in _tree():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, kind in (("train/a/hard.png", tarfile.LNKTYPE), ("t.png", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "train/a/0.png"
            archive.addfile(info)
    return stream.getvalue()


@cache
def tars() -> Files:
    """Pictures in a tar file, with links."""
    return [("set.tar", _tar("w"))]


@cache
def packed_tars() -> Files:
    """The same, packed."""
    return [("set.tar.gz", _tar("w:gz"))]


@cache
def npzs() -> Files:
    """Images as arrays, with classes and without, packed and not."""
    rng, files = np.random.default_rng(0), []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        images, labels = rng.integers(0, 256, (12, 8, 8), np.uint8), np.arange(12) % 3
        save(
            stream,
            train_images=images,
            train_labels=labels,
            test_images=images[:4],
            test_labels=labels[:4],
        )
        files.append(("set.npz", stream.getvalue()))
    return files


@cache
def foreign() -> Files:
    """Files of PyTorch: a zip archive and a bare pickle."""
    files, state = [], {"quantize.embedding.weight": torch.zeros(4, 3), "b": torch.ones(2)}
    for zipped in (True, False):
        for content in (state, {"state_dict": state, "epoch": 3, "hparams": json.dumps({"a": 1})}):
            stream = io.BytesIO()
            torch.save(content, stream, _use_new_zipfile_serialization=zipped)
            files.append(("a.pt", stream.getvalue()))
    return files
