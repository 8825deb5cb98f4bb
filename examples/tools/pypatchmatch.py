"""Fills a hole with the package pypatchmatch: `pip install pypatchmatch`.

inpaint complete photo.png --mask mask.png -n 4 \\
    --model 'exec:python examples/tools/pypatchmatch.py {image} {mask} {out} {seed}'
"""

import sys

import numpy as np
import patchmatch
from PIL import Image

image_file, mask_file, out_file, seed = sys.argv[1:]
patchmatch.set_random_seed(int(seed))
image = np.array(Image.open(image_file).convert("RGB"))
hole = np.array(Image.open(mask_file).convert("L"))
Image.fromarray(patchmatch.inpaint(image, hole, patch_size=3)).save(out_file)
