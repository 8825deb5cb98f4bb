"""What a family tells beside its completions: gathered from batches, and written as pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint_cli.files import replacing
from inpaint_cli.photos.sheets import grid

if TYPE_CHECKING:
    from torch import Tensor

PER_COMPLETION = ("primitive", "weight", "tokens", "raw", "effective_samples")
"""Details with one entry a completion; all others are the same in every batch."""
RECORDED: Mapping[str, type[int] | type[float]] = {"primitive": int, "weight": float}
"""Those that a record lists, and as what."""
TRACE_MS = 120
"""How long a frame of a trace stands."""
TRACE_PX = 384
ROW_TILE_PX = 128


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Gives the details of the batches of one window as those of all its completions."""
    import torch

    details = dict(parts[0])
    for name in PER_COMPLETION:
        if name in details:
            details[name] = torch.cat([part[name] for part in parts])
    return details


def of_completion(windows: Sequence[Mapping[str, Any]], index: int) -> dict[str, Any]:
    """Gives what a record says of one completion: its component and the weight of that.

    windows: the details of each. Of several windows each value is a list, in their order.
    """
    found = {
        name: [kind(details[name][index]) for details in windows if name in details]
        for name, kind in RECORDED.items()
    }
    return {name: own if len(windows) > 1 else own[0] for name, own in found.items() if own}


def write_pictures(
    details: Mapping[str, Any], folder: Path, stem: str, check: Callable[[str], None]
) -> dict[str, str]:
    """Writes every picture among the details as STEM-..., and gives detail -> file in `folder`.

    check: called with each file before any is written; raises if it must not be.
    """
    files = {name: stem + ending for name, (ending, _) in PICTURES.items() if name in details}
    for file in files.values():
        check(file)
    for name, file in files.items():
        PICTURES[name][1](folder / file, details)
    return files


def _write_trace(path: Path, details: Mapping[str, Any]) -> None:
    """Writes uint8 frames [S, H, W, 3] as an animated GIF, enlarged to be seen."""
    from PIL import Image

    frames = details["trace"]
    side = max(frames.shape[1:3])
    factor = max(1, TRACE_PX // side)
    size = frames.shape[2] * factor, frames.shape[1] * factor
    pictures = [
        Image.fromarray(frame.cpu().numpy()).resize(size, Image.Resampling.NEAREST)
        for frame in frames
    ]
    with replacing(path) as temporary:
        pictures[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=TRACE_MS,
            loop=0,
        )


def _write_rows(path: Path, details: Mapping[str, Any]) -> None:
    """Writes a row of completions for each component, labelled with its number and weight."""
    rows: Tensor = details["by_primitive"].cpu().permute(0, 1, 3, 4, 2)
    shown = rows.expand(*rows.shape[:4], 3).numpy()
    labels = [f"{i}  {100 * float(weight):.1f} %" for i, weight in enumerate(details["weights"])]
    sheet = grid([list(row) for row in shown], row_labels=labels, tile=ROW_TILE_PX)
    with replacing(path) as temporary:
        sheet.save(temporary, format="PNG")


def _write_latents(path: Path, details: Mapping[str, Any]) -> None:
    """Writes the picture of sampled latent variables, uint8 [H, W, 3]."""
    from PIL import Image

    with replacing(path) as temporary:
        Image.fromarray(details["latents"].cpu().numpy()).save(temporary, format="PNG")


PICTURES: Mapping[str, tuple[str, Callable[[Path, Mapping[str, Any]], None]]] = {
    "trace": ("-trace.gif", _write_trace),
    "by_primitive": ("-by-primitive.png", _write_rows),
    "latents": ("-latents.png", _write_latents),
}
"""Detail -> ending of its file, and what writes it."""
