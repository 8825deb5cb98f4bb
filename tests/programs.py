"""Small programs that stand for other people's inpainting tools, and the commands that run them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

PLACES = "{image} {mask} {out} {seed}"
HEAD = """
import os, sys, time
import numpy as np
from PIL import Image
image, mask, out, seed = sys.argv[1:5]
pixels, hole = np.array(Image.open(image)), np.array(Image.open(mask)) > 127
"""
SEEDED = "pixels[hole] = int(seed) % 256\nImage.fromarray(pixels).save(out)\n"
"""Fills the hole with one value, which its seed decides."""
CHANGING = "pixels[:] = int(seed) % 256\nImage.fromarray(pixels).save(out)\n"
"""Gives back a picture of one value, visible pixels and all."""


def command(folder: Path, body: str, places: str = PLACES, head: str = HEAD) -> str:
    """Write a program and return its `exec:` command."""
    script = folder / "tool.py"
    script.write_text(head + body)
    return f"exec:{shlex.quote(sys.executable)} {shlex.quote(str(script))} {places}"
