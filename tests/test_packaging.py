"""What is installed: declared, pinned, and the same from a checkout, an sdist and a wheel."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.repository_copies import copy_repository, make_environment, run

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
    # Without symbolic links (core.symlinks=false, zip archives) Git writes where one leads as text.
    leads = link.readlink().as_posix() if link.is_symlink() else link.read_text()
    assert leads == f"../{name}"


def test_pyproject_holds_the_build_system_alone(top: Path) -> None:
    tables = tomllib.loads((top / "pyproject.toml").read_text())
    assert list(tables) == ["build-system"]
    needed = requirements(settings(top)["options.extras_require"]["test"])
    for requirement in map(Requirement, tables["build-system"]["requires"]):
        assert requirement in needed


def test_every_target_is_phony_short_and_explained(top: Path) -> None:
    text = (top / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    targets = re.findall(r"^([a-z0-9-]+):.*?( ## .+)?\n((?:\t.*\n)*)", text, re.MULTILINE)
    assert {name for name, _, _ in targets} == set(phony.split())
    for name, explanation, recipe in targets:
        assert explanation, name
        assert recipe.count("\n") <= 2, name


def test_make_alone_lists_the_targets(top: Path) -> None:
    done = subprocess.run(["make"], cwd=top, capture_output=True, text=True)
    assert done.returncode == 0
    names = ["demo", "test", "test-all", "test-avx2", "lint", "format", "bench", "zoo", "dist"]
    for name in [*names, "clean"]:
        assert f"make {name} " in done.stdout


def test_one_target_runs_the_tests_as_on_a_processor_without_avx_512(top: Path) -> None:
    shown = [
        subprocess.check_output(["make", "-n", "-C", top, name], text=True).splitlines()
        for name in ("test", "test-avx2")
    ]
    (plain,), (limited,) = ([line for line in lines if "pytest" in line] for lines in shown)
    limits, command = limited[: -len(plain)], limited[-len(plain) :]
    assert command == plain
    assert "ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2" in limits


def test_an_old_python_is_refused_with_a_sentence(top: Path, tmp_path: Path) -> None:
    shutil.copy(top / "Makefile", tmp_path)
    done = subprocess.run(
        ["make", ".venv/pyvenv.cfg", "PYTHON="], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "No Python >= 3.11" in done.stdout


def test_continuous_integration_runs_make_test(top: Path) -> None:
    script = top / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[-1] == "exec make test"


@pytest.fixture(scope="module", params=[True, False], ids=["links", "no links"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an sdist built from a copy of the repository, and of a wheel from the sdist."""
    copy = copy_repository(tmp_path_factory.mktemp("copy") / "inpaint", links=request.param)
    run(sys.executable, "-m", "build", "--no-isolation", folder=copy)
    return copy / "dist"


@pytest.mark.slow
def test_the_sdist_holds_real_folders_and_no_links(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    names = {member.name.split("/", 1)[-1] for member in members}
    assert not [member.name for member in members if member.issym() or member.islnk()]
    assert {"models/pcnn/config.py", "masks/files.py", "inpaint_cli/cli.py"} <= names
    assert {"constraints.txt", "LICENSE", "examples/photo.png", "pyproject.toml"} <= names
    # Each module once: what the links lead to lies at the top, as in the repository.
    assert not [n for n in names if n.startswith(("inpaint_cli/models", "inpaint_cli/masks"))]


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_all_that_ships(built: Path, top: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    shipped = [*(top / "inpaint_cli" / "zoo").iterdir(), top / "inpaint_cli" / "py.typed"]
    shipped += [*(top / "inpaint_cli").rglob("samples/*")]
    shipped += [*(top / "inpaint_cli").rglob("static/*")]
    expected = {path.relative_to(top) for path in shipped if path.is_file()}
    expected |= {path.relative_to(top) for path in (top / "inpaint_cli").rglob("*.py")}
    for name in ("models", "masks"):
        files = [*(top / name).rglob("*.py"), *(top / name).glob("*/data/*")]
        expected |= {"inpaint_cli" / path.relative_to(top) for path in files}
    assert {path.as_posix() for path in expected} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"inpaint_cli", "inpaint"}


@pytest.mark.slow
def test_the_wheel_completes_a_photo_from_an_environment_of_its_own(
    built: Path, top: Path, tmp_path: Path
) -> None:
    (wheel,) = built.glob("*.whl")
    # The libraries come from the environment of the tests: this is about our files.
    python = make_environment(tmp_path / "env")
    run(python, "-m", "pip", "install", "-q", wheel, folder=tmp_path)
    program = "import inpaint_cli.models as models; print(models.__file__)"
    where = run(python, "-c", program, folder=tmp_path).strip()
    assert Path(where).is_relative_to(tmp_path / "env")
    photo, mask = (top / "examples" / name for name in ("photo.png", "mask.png"))
    words: list[str | Path] = ["complete", photo, "--mask", mask, "-n", "1", "-o", "out"]
    run(python.with_name("inpaint"), *words, folder=tmp_path)
    assert (tmp_path / "out" / "photo-sheet.png").is_file()
    bare = subprocess.run([python, "-Ec", "import models"], cwd=tmp_path, capture_output=True)
    assert bare.returncode == 1
