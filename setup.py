"""Builds the package; refuses a copy whose symbolic links were lost (setup.cfg has the rest)."""

from pathlib import Path

from setuptools import setup

for link in ("models", "masks"):
    if not (Path(__file__).parent / "inpaint_cli" / link).is_dir():
        raise SystemExit(
            f"inpaint_cli/{link} is not a folder: this copy lost its symbolic links (a zip "
            "archive, or Git on Windows). Clone again with 'git clone -c core.symlinks=true', "
            "or install the wheel or sdist."
        )

setup()
