"""The door of the Python API: what callers give becomes pictures, masks and numbers, or an error.

An error names the argument at fault; nothing behind this door meets an odd type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.errors import UserError
from inpaint_cli.masks.files import read_mask
from inpaint_cli.pictures.picture import Picture, of_array
from inpaint_cli.pictures.reading import of_image, read
from inpaint_cli.reporting import Reporter, Told

ImageSource = str | Path | Image.Image | npt.NDArray[Any]


def whole(value: Any, name: str, least: int | None = None, most: int | None = None) -> int:
    """Return a whole number; UserError for anything else, and beyond its limits."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UserError(f"must be a whole number, got {_short(value)}.", setting=name)
    result = int(value)
    if least is not None and result < least:
        raise UserError(f"must be at least {least}, got {value}.", setting=name)
    if most is not None and result > most:
        raise UserError(f"must be at most {most}, got {value}.", setting=name)
    return result


def number(value: Any, name: str) -> float | None:
    """Return a number or None; UserError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UserError(f"must be a number, got {_short(value)}.", setting=name)
    try:
        return float(value)
    except OverflowError:
        raise UserError("must be a smaller number.", setting=name) from None


def names(value: Any, name: str) -> tuple[str, ...]:
    """Return one or more names or paths as texts; UserError for anything else."""
    several = value if isinstance(value, list | tuple | set | frozenset) else (value,)
    for one in several:
        if not isinstance(one, str | Path) or "\0" in str(one):
            raise UserError(f"must be names or paths, got {_short(one)}.", setting=name)
    return tuple(map(str, several))


def path(value: Any, name: str) -> Path:
    """Return a path; UserError for anything else."""
    if not isinstance(value, str | Path) or "\0" in str(value):
        raise UserError(f"must be a path, got {_short(value)}.", setting=name)
    return Path(value)


def flag(value: Any, name: str) -> bool:
    """Return True or False; UserError for anything else."""
    if not isinstance(value, bool | np.bool_):
        raise UserError(f"must be True or False, got {_short(value)}.", setting=name)
    return bool(value)


def one_of(value: Any, name: str, kinds: Any) -> None:
    """Raise UserError for a value that is none of a Literal's; None is no matter."""
    if value is None or (isinstance(value, str) and value in get_args(kinds)):
        return
    raise UserError(
        f"must be one of {', '.join(get_args(kinds))}, got {_short(value)}.", setting=name
    )


def as_declared(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that are fields of a dataclass, each as its field declares it.

    None is left out, so that a field keeps its default. UserError for values of other types.
    """
    hints = get_type_hints(kind)
    return {
        name: _declared(hints[name], value, name)
        for name, value in given.items()
        if name in hints and value is not None
    }


def _declared(hint: Any, value: Any, name: str) -> Any:
    either = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = [kind for kind in either if kind is not type(None)]
    if get_origin(kinds[0]) is Literal:
        one_of(value, name, kinds[0])
    convert = _CONVERT.get(kinds[0]) if len(kinds) == 1 else None
    return value if convert is None else convert(value, name)


_CONVERT: Mapping[Any, Callable[[Any, str], Any]] = {
    tuple[str, ...]: names,
    bool: flag,
    int: whole,
    float: number,
    str: lambda value, name: names((value,), name)[0],
    Path: path,
}


def photo_of(image: Any) -> tuple[Picture, bool]:
    """Return the picture of an image, and whether its arrays have no axis for channels."""
    if isinstance(image, str | Path):
        picture = read(Path(image))
    elif isinstance(image, Image.Image):
        picture = of_image(image)
    elif not isinstance(image, np.ndarray):
        raise _wrong_type(image, "image")
    elif image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
        raise UserError(
            f"expected uint8 [H, W] or [H, W, C], got {image.dtype} {list(image.shape)}.",
            setting="image",
        )
    elif image.ndim == 3 and image.shape[2] > 4:
        raise UserError(f"expected 1 to 4 channels, got {image.shape[2]}.", setting="image")
    else:
        return of_array(image), image.ndim == 2
    return picture, picture.samples.shape[2] == 1


def visible_of(
    mask: Any, visible: Any, photo: Picture
) -> tuple[npt.NDArray[np.bool_], Sequence[str]]:
    """Return what is known of a photo, bool [H, W], and remarks on the mask.

    Arrays are read as files are: white is filled in, from the middle of their range on. UserError
    if nothing is to be filled.
    """
    heard = Told(quiet=True)
    if (mask is None) == (visible is None):
        raise UserError("give either mask (white = fill in) or visible (True = known).")
    size = photo.height, photo.width
    if visible is not None:
        if not isinstance(visible, np.ndarray):
            raise UserError(
                f"expected an array [H, W], got {type(visible).__name__}.", setting="visible"
            )
        known = np.asarray(visible, np.bool_)
    elif isinstance(mask, str | Path):
        known = read_mask(Path(mask), size=size, photo=photo, reporter=heard)
    elif isinstance(mask, Image.Image):
        known = read_mask(mask, size=size, photo=photo, reporter=heard)
    elif isinstance(mask, np.ndarray):
        known = _of_mask_array(mask, photo, heard)
    else:
        raise _wrong_type(mask, "mask")
    name = "mask" if visible is None else "visible"
    if known.shape != size:
        raise UserError(f"its shape is {known.shape}, the image's {size}.", setting=name)
    if known.all():
        why = "no pixel is white. For labels give visible, such as labels != 3"
        why = "everything is known" if mask is None else why
        raise UserError(f"nothing to fill: {why}.", setting=name)
    return known, [line.removesuffix(".") for line in heard.lines]


def _of_mask_array(
    mask: npt.NDArray[Any], photo: Picture, reporter: Reporter
) -> npt.NDArray[np.bool_]:
    try:
        return read_mask(mask, photo=photo, reporter=reporter)
    except ValueError as error:
        raise UserError(
            f"expected numbers [H, W] or [H, W, C], got {mask.dtype} {list(mask.shape)}.",
            setting="mask",
        ) from error


def _short(value: object) -> str:
    return repr(value)[:60]


def _wrong_type(value: object, name: str) -> UserError:
    return UserError(
        f"expected a path, a Pillow image or an array, got {type(value).__name__}.", setting=name
    )
