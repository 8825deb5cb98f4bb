"""Pluralistic image inpainting: one photo, one mask, many plausible completions.

The public Python API, loaded lazily so that importing the package is quick:
`load_model`, `complete`, `draw_masks`, `score`, `calibrate`, `design`, `design_table`, `ood`,
`fit_ood`, `compare_ood`, and `paint` for notebooks.
"""

import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "calibrate",
    "compare_ood",
    "complete",
    "design",
    "design_table",
    "draw_masks",
    "fit_ood",
    "load_model",
    "ood",
    "paint",
    "score",
]

if TYPE_CHECKING:
    from inpaint_cli.api import (
        calibrate,
        complete,
        design,
        design_table,
        draw_masks,
        load_model,
        score,
    )
    from inpaint_cli.api_ood import compare_ood, fit_ood, ood
    from inpaint_cli.page.widget import paint

_HERE = os.path.dirname(__file__)
if not os.path.isdir(os.path.join(_HERE, "models")):
    # In a copy without symbolic links (a zip archive, Git on Windows) they are text files. Then
    # inpaint_cli.models and inpaint_cli.masks are found where they really lie, beside this folder.
    __path__.append(os.path.dirname(_HERE))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name == "paint":
        from inpaint_cli.page import widget

        return widget.paint
    if name in ("compare_ood", "fit_ood", "ood"):
        from inpaint_cli import api_ood

        return getattr(api_ood, name)
    if name in __all__:
        from inpaint_cli import api

        return getattr(api, name)
    raise AttributeError(f"module 'inpaint_cli' has no attribute '{name}'")
