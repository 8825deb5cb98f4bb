"""How much the completions of a photo differ, measured over its holes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from inpaint_cli.photos.completing import CompletedPhoto
from inpaint_cli.photos.windows import bounds
from inpaint_cli.pictures.picture import Samples


@dataclass
class Spread:
    """Gathers completions one by one; holds sums over the hole, never a picture."""

    completed: CompletedPhoto
    count: int = 0
    _sum: npt.NDArray[np.float64] | float = 0.0
    _squares: npt.NDArray[np.float64] | float = 0.0
    _digests: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._box = bounds(~self.completed.visible).slices
        self._hidden = ~self.completed.visible[self._box]

    def add(self, samples: Samples) -> None:
        """Take in one completion, [H, W, bands]."""
        photo = self.completed.photo
        filled = samples[self._box][self._hidden][:, : photo.channels]
        self._digests.add(hashlib.sha256(filled.tobytes()).digest())
        white = photo.high - photo.low
        values = (filled.astype(np.float64) - photo.low) * (255 / white)
        self._sum, self._squares = self._sum + values, self._squares + values**2
        self.count += 1

    @property
    def deviation(self) -> float:
        """The standard deviation over completions in levels of 255, root mean square over holes."""
        if self.count < 2:
            return 0.0
        mean = self._sum / self.count
        variance = np.maximum(np.asarray(self._squares / self.count - mean**2), 0)
        return float(np.sqrt(variance.mean() * self.count / (self.count - 1)))

    def sentence(self) -> str:
        """Return what to tell of several completions; "" for one."""
        if self.count < 2:
            return ""
        unlike = len(self._digests)
        if unlike == 1:
            return f"all {self.count} completions are one and the same: {self._reason()}"
        if unlike < self.count:
            return (
                f"the {self.count} completions are {unlike} different pictures: some were drawn "
                "more than once"
            )
        return f"the completions differ by {self.deviation:.1f} of 255 (deviation in the holes)"

    def _reason(self) -> str:
        if self.completed.texturing is not None and not self.completed.texturing.varied:
            return "what is visible round the holes has no texture, so it goes on smoothly"
        if not self.completed.windows:
            return "the photo's texture goes on in few ways there"
        return "the model drew the same in each"
