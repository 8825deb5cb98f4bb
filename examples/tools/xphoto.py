"""Fills a hole with OpenCV's extra modules: `pip install opencv-contrib-python-headless`.

inpaint complete photo.png --mask mask.png \\
    --model 'exec:python examples/tools/xphoto.py {image} {mask} {out} shiftmap'
"""

import sys

import cv2
import numpy as np

METHODS = {"shiftmap": "INPAINT_SHIFTMAP", "fsr": "INPAINT_FSR_FAST"}

image_file, mask_file, out_file, method = sys.argv[1:]
image = cv2.imread(image_file)
known = cv2.bitwise_not(cv2.imread(mask_file, cv2.IMREAD_GRAYSCALE))  # here, 0 is filled in
if method == "shiftmap":
    image = cv2.cvtColor(image, cv2.COLOR_BGR2Lab)
result = np.zeros_like(image)
cv2.xphoto.inpaint(image, known, result, getattr(cv2.xphoto, METHODS[method]))
if method == "shiftmap":
    result = cv2.cvtColor(result, cv2.COLOR_Lab2BGR)
cv2.imwrite(out_file, result)
