"""What metadata says of the pixels stays true of those that are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint_cli.photos.extending import extended, parse_extension
from inpaint_cli.pictures.claims import counts_otherwise
from inpaint_cli.pictures.reading import read
from inpaint_cli.pictures.writing import write

tifffile = pytest.importorskip("tifffile")
STACK = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30) * 30


def rewritten(path: Path, extend: str = "") -> Path:
    picture, target = read(path), path.with_name("again.tif")
    if extend:
        picture = extended(picture, parse_extension(extend))
    write(target, picture, picture.samples, format="tiff")
    return target


@pytest.mark.parametrize("kind", [{"metadata": {"axes": "ZYX"}}, {"imagej": True}, {"ome": True}])
def test_the_first_page_of_a_stack_does_not_call_itself_a_stack(
    tmp_path: Path, kind: dict[str, object]
) -> None:
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", **kind)
    with tifffile.TiffFile(rewritten(path)) as file:
        assert "ImageDescription" not in file.pages[0].tags
        assert (file.asarray() == STACK[0]).all()


def test_a_description_that_holds_stays(tmp_path: Path) -> None:
    path = tmp_path / "page.tif"
    tifffile.imwrite(path, STACK[0], metadata={"axes": "YX", "note": "kept"})
    with tifffile.TiffFile(rewritten(path)) as file:
        assert "kept" in file.pages[0].description
    with tifffile.TiffFile(rewritten(path, "left=5")) as file:
        assert "ImageDescription" not in file.pages[0].tags


@pytest.mark.parametrize(
    ("text", "false"),
    [
        (b'{"shape": [4, 5, 3]}', False),
        (b'{"shape": [2, 4, 5, 3]}', True),
        (b'{"shape": "long"}', False),
        (b"{" * 5000 + b'"shape"', False),
        (b"ImageJ=1.53\nimages=1\nhyperstack=true\n", False),
        (b"ImageJ=1.53\nimages=7\n", True),
        (b'<OME><Pixels SizeX="5" SizeY="4" SizeZ="1" SizeC="3"/></OME>', False),
        (b'<OME><Pixels SizeX="5" SizeY="8"/></OME>', True),
        (b"images=7, says a person", False),
    ],
)
def test_which_descriptions_are_false_of_4x5_rgb(text: bytes, false: bool) -> None:
    assert counts_otherwise(text, (4, 5, 3)) is false


def test_the_sides_that_a_camera_noted_are_those_of_the_larger_canvas(tmp_path: Path) -> None:
    path, exif = tmp_path / "camera.jpg", Image.Exif()
    exif.get_ifd(0x8769).update({40962: 30, 40963: 20, 37386: 50.0})
    Image.new("RGB", (30, 20)).save(path, exif=exif)
    picture = extended(read(path), parse_extension("right=10"))
    write(tmp_path / "wide.png", picture, picture.samples)
    camera = Image.open(tmp_path / "wide.png").getexif().get_ifd(0x8769)
    assert (camera[40962], camera[40963], camera[37386]) == (40, 20, 50.0)


def test_places_on_the_earth_stay_where_they_are_when_the_canvas_grows(tmp_path: Path) -> None:
    matrix = np.array([2.0, 0.5, 0, 100, 0.25, -3.0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1])
    path = tmp_path / "map.tif"
    tags = [
        (33922, "d", 6, (0.0, 0.0, 0.0, 500.0, 600.0, 0.0), True),
        (34264, "d", 16, tuple(matrix), True),
    ]
    tifffile.imwrite(path, STACK[0], metadata=None, extratags=tags)
    with tifffile.TiffFile(rewritten(path, "left=4,top=7,right=2")) as file:
        tag = file.pages[0].tags
        assert tag[33922].value == (4.0, 7.0, 0.0, 500.0, 600.0, 0.0)
        new = np.array(tag[34264].value).reshape(4, 4)
    old_place = matrix.reshape(4, 4) @ (10, 11, 0, 1)
    assert np.allclose(new @ (10 + 4, 11 + 7, 0, 1), old_place)


def test_sides_that_xmp_repeats_are_those_of_the_picture(tmp_path: Path) -> None:
    said = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:ImageWidth="30" '
        b'tiff:ImageLength="20"><exif:PixelXDimension>30</exif:PixelXDimension>'
        b"<exif:PixelYDimension>20</exif:PixelYDimension></rdf:Description></x:xmpmeta>"
    )
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (30, 20)).save(path, xmp=said)
    xmp = read(rewritten(path, "left=5,top=3")).metadata.xmp
    assert b'tiff:ImageWidth="35" tiff:ImageLength="23"' in xmp
    assert b"Dimension>35<" in xmp
    assert b"Dimension>23<" in xmp
    assert read(rewritten(path)).metadata.xmp == said


def test_channels_of_unknown_meaning_go_on_over_a_larger_canvas(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    samples = np.full((20, 30, 4), 255, np.uint8)
    samples[:, :10, 3] = 7
    tifffile.imwrite(path, samples, photometric="rgb", extrasamples=["unspecified"])
    larger = extended(read(path), parse_extension("left=5,right=2")).samples[..., 3]
    assert (larger[:, :15] == 7).all()
    assert (larger[:, 15:] == 255).all()
