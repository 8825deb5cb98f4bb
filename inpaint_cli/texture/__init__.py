"""Texture at the photo's own resolution: holes filled from patches of what is visible.

Multi-scale PatchMatch (Barnes et al. 2009) with the votes of Wexler et al. (2007), a first guess by
frequency-selective reconstruction, and plain surfaces continued as such. numba, numpy and OpenCV.
"""

from inpaint_cli.texture.filler import GUIDE_WEIGHT, Filler, TooLittleTexture, compiled
from inpaint_cli.texture.scraps import Scraps

__all__ = ["GUIDE_WEIGHT", "Filler", "Scraps", "TooLittleTexture", "compiled"]
