"""The editor of the page in a notebook, by anywidget: a photo in, the painted mask out."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_cli.errors import ResourceError
from inpaint_cli.page.opened import OpenedPhoto
from inpaint_cli.parsing import telling_long_names
from inpaint_cli.photos.arguments import ImageSource, photo_of

EDITOR = ("mask.js", "view.js", "hud.js", "input.js", "editor.js")
"""The files of the editor, each after those that it needs."""


@telling_long_names
def paint(photo: ImageSource) -> Any:
    """Return a widget in which the hole of a photo is painted; show it as the value of a cell.

    photo: a path, a Pillow image, or an array, as `complete` takes it. `widget.mask` is what is
    painted so far: bool [H, W], True = fill in; `complete(photo, widget.mask)` takes it as it is.
    ResourceError without anywidget (the extra `notebook`).
    """
    widget_class = _widget_class()
    opened = OpenedPhoto.of_picture(photo_of(photo)[0])
    height, width = opened.size
    content, kind = opened.shown()
    return widget_class(photo=content, kind=kind, width=width, height=height)


def script() -> str:
    """Return the editor and the glue to the notebook as one module, without imports."""
    folder = resources.files("inpaint_cli.page").joinpath("static")
    files = [folder.joinpath(name).read_text(encoding="utf-8") for name in (*EDITOR, "widget.js")]
    text = "\n".join(re.sub(r"^import .*?;\n", "", file, flags=re.M | re.S) for file in files)
    # One module: the default export is the widget's, the others are names within it.
    return re.sub(r"^export (?!default)", "", text, flags=re.M)


def _mask(widget: Any) -> npt.NDArray[np.bool_]:
    """Return what is to be filled in, bool [H, W]."""
    count = widget.width * widget.height
    bits = np.frombuffer(widget.packed or bytes(-(-count // 8)), np.uint8)
    bits = np.unpackbits(bits, count=count)
    return np.asarray(bits.reshape(widget.height, widget.width) == 1)


def _widget_class() -> Any:
    """Return the class of the widget; ResourceError without anywidget."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ResourceError(
            "painting in a notebook needs anywidget. Install it: pip install 'inpaint[notebook]'."
        ) from error
    style = resources.files("inpaint_cli.page").joinpath("static", "widget.css")
    names = {"photo": traitlets.Bytes, "kind": traitlets.Unicode, "packed": traitlets.Bytes}
    sides = {"width": traitlets.Int, "height": traitlets.Int}
    traits = {name: kind().tag(sync=True) for name, kind in {**names, **sides}.items()}
    parts = {"_esm": script(), "_css": style.read_text(encoding="utf-8"), "mask": property(_mask)}
    # Made by hand, since the class that it is of may not be there to be named.
    return type("PaintWidget", (anywidget.AnyWidget,), {**traits, **parts})
