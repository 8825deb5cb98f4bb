"""What is installed: declared, pinned, and the same from a checkout, an sdist and a wheel."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

NAMES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
}
"""Imported name -> distribution, where they differ."""


def settings(top: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(top / "setup.cfg", encoding="utf-8")
    return parser


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in text.split("\n") if line.strip()]


def pins(top: Path) -> dict[str, Version]:
    lines = requirements((top / "constraints.txt").read_text())
    return {canonicalize_name(r.name): Version(str(r.specifier)[2:]) for r in lines}


def test_what_the_tests_run_with_is_pinned_within_the_bounds(top: Path) -> None:
    extras = settings(top)["options.extras_require"]
    needed = requirements(settings(top)["options"]["install_requires"] + extras["test"])
    for requirement in needed:
        pin = pins(top).get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} has no pin in constraints.txt"
        assert pin in requirement.specifier
        assert [s.operator for s in requirement.specifier] == [">="]


def test_every_imported_library_is_declared(top: Path) -> None:
    parser = settings(top)
    texts = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    declared = {r.name for text in texts for r in requirements(text)}
    imported = set()
    for folder in ("inpaint_cli", "models", "masks"):
        for path in (top / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.split(".")[0])
    foreign = imported - sys.stdlib_module_names - {"inpaint_cli"}
    assert {NAMES.get(name, name) for name in foreign} <= declared


@pytest.mark.parametrize("name", ["models", "masks"])
def test_the_links_are_relative_links(name: str, top: Path) -> None:
    link = top / "inpaint_cli" / name
    assert link.is_symlink()
    assert str(link.readlink()) == f"../{name}"


def test_a_copy_that_lost_its_links_says_so(top: Path, tmp_path: Path) -> None:
    shutil.copy(top / "setup.py", tmp_path)
    (tmp_path / "inpaint_cli").mkdir()
    (tmp_path / "inpaint_cli" / "models").write_text("../models")
    done = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "inpaint_cli/models is not a folder" in done.stderr
    assert "core.symlinks=true" in done.stderr


def test_every_target_is_phony_short_and_explained(top: Path) -> None:
    text = (top / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):.*?( ## .+)?\n((?:\t.*\n)*)", text, re.MULTILINE)
    assert {name for name, _, _ in targets} == set(phony.split())
    for name, explanation, recipe in targets:
        assert explanation, name
        assert recipe.count("\n") <= 2, name


def test_make_alone_lists_the_targets(top: Path) -> None:
    done = subprocess.run(["make"], cwd=top, capture_output=True, text=True)
    assert done.returncode == 0
    for name in ("demo", "test", "test-all", "lint", "format", "bench", "zoo", "dist", "clean"):
        assert f"make {name} " in done.stdout


def test_an_old_python_is_refused_with_a_sentence(top: Path, tmp_path: Path) -> None:
    shutil.copy(top / "Makefile", tmp_path)
    done = subprocess.run(
        ["make", ".venv/bin/python", "PYTHON="], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "No Python >= 3.11" in done.stdout


def test_continuous_integration_runs_make_test(top: Path) -> None:
    script = top / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[-1] == "exec make test"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the sdist, and the wheel from it, in a copy of the checkout; gives their folder."""
    top, copy = Path(__file__).parent.parent, tmp_path_factory.mktemp("copy") / "inpaint"
    leave = shutil.ignore_patterns(".*", "tests", "build", "dist", "*.egg-info", "runs", "scratch")
    shutil.copytree(top, copy, symlinks=True, ignore=leave)
    command = [sys.executable, "-m", "build", "--no-isolation"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    return copy / "dist"


@pytest.mark.slow
def test_the_sdist_holds_real_folders_and_no_links(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    names = {member.name.split("/", 1)[-1] for member in members}
    assert not [member.name for member in members if member.issym() or member.islnk()]
    assert {"inpaint_cli/models/pcnn/config.py", "inpaint_cli/masks/files.py"} <= names
    assert {"constraints.txt", "LICENSE", "examples/photo.png"} <= names
    assert not [name for name in names if name.split("/")[0] in ("models", "masks")]


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_all_that_ships(built: Path, top: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    modules = {f"inpaint_cli/{p.relative_to(top)}" for p in (top / "models").rglob("*.py")}
    modules |= {f"inpaint_cli/{p.relative_to(top)}" for p in (top / "masks").rglob("*.py")}
    modules |= {str(p.relative_to(top)) for p in (top / "inpaint_cli").rglob("*.py")}
    zoo = {f"inpaint_cli/zoo/{p.name}" for p in (top / "inpaint_cli/zoo").iterdir() if p.is_file()}
    assert modules | zoo | {"inpaint_cli/py.typed"} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"inpaint_cli", "inpaint"}


@pytest.mark.slow
def test_the_wheel_runs_from_an_environment_of_its_own(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    # The libraries come from the environment of the tests: this is about our files.
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    own = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(own)
    libraries = next(p for p in sys.path if p.endswith("site-packages"))
    (Path(own) / "libraries.pth").write_text(libraries + "\n")
    program = "import inpaint_cli; print(inpaint_cli.__file__)"
    where = subprocess.check_output([python, "-c", program], cwd=tmp_path, text=True)
    assert where.startswith(own)
    listed = subprocess.check_output(
        [python, "-m", "inpaint_cli", "models"], cwd=tmp_path, text=True
    )
    assert "telea" in listed
    bare = subprocess.run([python, "-c", "import models"], cwd=tmp_path, capture_output=True)
    assert bare.returncode == 1
