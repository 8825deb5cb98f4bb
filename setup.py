"""Names the packages; setup.cfg has the rest.

`models/` and `masks/` are packaged from where they really lie, so that a copy whose symbolic links
are text files (a zip archive, Git on Windows) builds like any other.
"""

from setuptools import find_packages, setup

PLACES = {"inpaint_cli.models": "models", "inpaint_cli.masks": "masks"}
"""Packages that lie outside their parent's folder."""

# Without `include`, tests/ and benchmarks/ would be installed as well.
packages = find_packages(include=["inpaint_cli", "inpaint_cli.*"])
below = find_packages(include=["models", "models.*", "masks", "masks.*"])

# Where the links are folders, find_packages has followed them: a set names each package once.
setup(
    packages=sorted({*packages, *(f"inpaint_cli.{name}" for name in below)}),
    package_dir=PLACES,
)
