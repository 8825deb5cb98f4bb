"""Where the recorded results of the reference implementations lie."""

import os
from pathlib import Path


def golden(family: str) -> Path:
    """Return the folder of recorded results of `family`, under INPAINT_GOLDEN or tests/golden."""
    return Path(os.environ.get("INPAINT_GOLDEN", Path(__file__).parent / "golden")) / family
