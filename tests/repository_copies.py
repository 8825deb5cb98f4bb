"""Copies of the repository as Git and archives make them, and environments to run them in."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

TOP = Path(__file__).parent.parent
LINKS = ("models", "masks")
"""What `inpaint_cli/` holds as symbolic links to folders of the same names at the top."""
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
"""For pip: every library is there. (It reads the last as an answer: no isolation.)"""
NOT_COPIED = [".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info"]
NOT_COPIED += ["build", "dist", "runs", "scratch", "demo", "completions"]


def copy_repository(folder: Path, links: bool) -> Path:
    """Copy the repository; without links, each of them becomes a text file.

    That is what Git writes with `core.symlinks=false`, and what unpacking a zip archive leaves.
    """
    shutil.copytree(TOP, folder, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name in LINKS:
        link = folder / "inpaint_cli" / name
        if links or link.is_symlink():
            link.unlink()
        if links:
            link.symlink_to(f"../{name}")
        else:
            link.write_text(f"../{name}")
    return folder


def make_environment(folder: Path) -> Path:
    """Make an environment that finds the libraries of the running one; return its Python."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    program = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.check_output([python, "-c", program], text=True).strip()
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    (Path(packages) / "libraries.pth").write_text(libraries + "\n")
    return python


def run(*command: str | Path, folder: Path) -> str:
    """Run a command in a folder, with pip offline, and return what it prints."""
    # With PYTHONPATH the repository itself would be imported, and not the copy.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=variables | OFFLINE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
