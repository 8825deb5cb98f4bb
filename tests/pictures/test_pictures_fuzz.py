"""Mutated pictures are read, or refused in one sentence, without a word on stderr."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.photos.completing import complete_photo
from inpaint_cli.photos.request import CompletionRequest
from inpaint_cli.pictures.mask_levels import alpha_of, mask_values
from inpaint_cli.pictures.picture import of_array
from inpaint_cli.pictures.plain import flat_image
from inpaint_cli.pictures.ranges import ranged
from inpaint_cli.pictures.reading import look, read
from inpaint_cli.pictures.writing import write
from tests.pictures import pictures_of as make


def seeds() -> list[bytes]:
    """Small valid files of every kind."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    exif.get_ifd(34665)[33434] = 0.01
    files = []
    for format, mode in (
        ("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("JPEG", "RGB"), ("JPEG", "CMYK"),
        ("WEBP", "RGBA"), ("AVIF", "RGB"), ("GIF", "P"), ("TIFF", "RGB"), ("TIFF", "P"),
        ("BMP", "RGB"), ("PPM", "RGB"), ("TGA", "RGBA"), ("PCX", "P"), ("ICO", "RGBA"),
        ("JPEG2000", "RGB"), ("DDS", "RGBA"),
    ):  # fmt: skip
        handle = io.BytesIO()
        more = {"exif": exif} if format in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF") else {}
        image.convert(mode).save(handle, format=format, **more)
        files.append(handle.getvalue())
    frames = io.BytesIO()
    image.save(frames, format="GIF", save_all=True, append_images=[image.rotate(9)])
    jpeg_tiff = io.BytesIO()
    image.save(jpeg_tiff, format="TIFF", compression="jpeg")
    fax, lzw = io.BytesIO(), io.BytesIO()
    image.convert("1").save(fax, format="TIFF", compression="group4")
    image.save(lzw, format="TIFF", compression="tiff_lzw")
    deep = make.samples("uint16", 3)
    key = make.chunk(b"tRNS", bytes(6))
    text = make.chunk(b"zTXt", b"a\0\0" + zlib.compress(b"text"))
    return [
        *files,
        frames.getvalue(),
        jpeg_tiff.getvalue(),
        fax.getvalue(),
        lzw.getvalue(),
        make.png(deep, 16, 2, before=[key, text], interlaced=True),
        make.tiff(deep, 2, planar=True, compression=5),
        make.tiff(make.samples("float32", 1), 0, compression=8, predictor=3, tile=16),
        make.tiff(make.samples("uint16", 1, 12), 1, bits=12, order=">"),
        make.tiff(make.samples("uint8", 4), 2, extras=(1,), big=True, compression=32773),
        b"P3 3 2 99\n" + b" ".join(b"%d" % v for v in range(18)),
    ]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """The file with a few bytes changed, cut out, doubled, or put to extremes."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        kind, place = int(rng.integers(6)), int(rng.integers(max(len(changed), 1)))
        if kind == 0 and changed:
            changed[place] ^= 1 << int(rng.integers(8))
        elif kind == 1 and changed:
            changed[place % min(len(changed), 64)] = int(rng.integers(256))
        elif kind == 2:
            del changed[place : place + int(rng.integers(1, 40))]
        elif kind == 3:
            changed[place:place] = changed[place : place + int(rng.integers(1, 40))]
        elif kind == 4:
            extreme = [0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 65535, 9][int(rng.integers(6))]
            order = "<" if rng.random() < 0.5 else ">"
            changed[place : place + 4] = struct.pack(order + "I", extreme)
        else:
            del changed[place:]
    return with_sums(bytes(changed)) if rng.random() < 0.5 else bytes(changed)


def with_sums(data: bytes) -> bytes:
    """A PNG whose chunks have the right check sums again, so that readers look into them."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if place + 12 + length > len(data):
            break
        parts.append(make.chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    return b"".join(parts) + data[place:]


def tried(data: bytes) -> bool:
    """Everything that is done with a picture; whether it could be read."""
    try:
        picture = read(data, name="x")
    except UserError as error:
        return _is_one_sentence(error)
    seen = look(data)
    assert (seen.height, seen.width) == picture.samples.shape[:2]
    mask_values(picture)
    alpha_of(picture)
    visible = np.ones(picture.samples.shape[:2], np.bool_)
    try:
        picture = ranged(picture, visible)
        flat_image(picture)
    except (UserError, ValueError) as error:
        if "values" not in str(error):
            raise
    return True


def _is_one_sentence(error: UserError) -> bool:
    """False, for a picture that was not read, if the message is as it should be."""
    message = str(error)
    assert message.startswith("x: ")
    assert "\n" not in message
    return False


@pytest.mark.parametrize("count", [100, pytest.param(3000, marks=pytest.mark.slow)])
def test_mutated_pictures_are_read_or_refused(
    count: int, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    rng = np.random.default_rng(count)
    files = seeds()
    assert all(map(tried, files))
    done = sum(tried(mutated(files[number % len(files)], rng)) for number in range(count))
    assert 0 < done < count
    assert capfd.readouterr() == ("", "")
    assert [str(warning) for warning in recwarn.list] == []


def test_bytes_of_no_kind_are_refused() -> None:
    rng = np.random.default_rng(0)
    files = seeds()
    for number in range(50):
        head = files[number % len(files)][: int(rng.integers(2, 12))]
        with pytest.raises(UserError):
            read(head + rng.bytes(200))


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_what_is_visible_of_a_mutated_picture_is_completed_written_and_read_unchanged(
    count: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(count + 1)
    files, model = seeds(), load_model("telea").model
    compared = 0
    for number in range(count):
        try:
            picture = read(mutated(files[number % len(files)], rng))
            visible = np.ones(picture.samples.shape[:2], np.bool_)
            visible[: (picture.height + 1) // 2, picture.width // 2] = False
            completed = complete_photo(picture, visible, model, CompletionRequest(n=1))
            write(tmp_path / "a.tiff", completed.photo, completed.samples(0), format="tiff")
        except UserError:
            continue
        samples = read(tmp_path / "a.tiff").samples
        assert samples.dtype == picture.samples.dtype
        np.testing.assert_array_equal(samples[visible], picture.samples[visible])
        compared += 1
    assert compared > count // 10
    assert of_array(np.zeros((1, 1), np.bool_)).bits == 1
