"""What is done to the images of a set, as plain data: the rule, not the work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Crop:
    """The part of an image of exactly `of` (width, height) that is used."""

    of: tuple[int, int]
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Preparation:
    """What is done to every image of a set.

    A `crop` applies to images of its size; any other image is cropped to the square in its middle.
    """

    size: int
    channels: int
    binary: bool = False
    crop: Crop | None = None
    right_half: bool = False
    """Takes the right half of an image that is twice as wide as high (edges beside the photo)."""
    bilinear: bool = False

    def sentence(self) -> str:
        """Return the rule of conversion."""
        steps = []
        if self.right_half:
            steps.append("right half of pairs")
        if self.crop:
            c = self.crop
            steps.append(
                f"{c.width}x{c.height} at row {c.top}, column {c.left} of {c.of[0]}x{c.of[1]} files"
            )
        steps.append(f"{'otherwise ' if self.crop else ''}the square in the middle")
        steps.append(f"{'bilinear' if self.bilinear else 'Lanczos'} to {self.size}x{self.size}")
        steps.append("alpha on white")
        steps.append("colour to grey by Rec. 601" if self.channels == 1 else "grey repeated to RGB")
        if self.binary:
            steps.append("255 from 128 on, else 0")
        return f"pixels: {', '.join(steps)}"
