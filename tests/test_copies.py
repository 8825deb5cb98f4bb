"""A copy runs and installs wherever it lies, whether it has its symbolic links or text files."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository_copies import LINKS, copy_repository, make_environment, run

EXAMPLE = ["complete", "examples/photo.png", "--mask", "examples/mask.png"]
PLACES = (
    "import inpaint_cli.masks, inpaint_cli.models.pcnn as pcnn;"
    "print(inpaint_cli.__file__, inpaint_cli.masks.__file__, pcnn.__file__, sep='\\n')"
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose links are text files, in a folder with a space in its name."""
    return copy_repository(tmp_path_factory.mktemp("copies") / "sp ace", links=False)


def places(python: str | Path, folder: Path) -> list[Path]:
    return [Path(line) for line in run(python, "-c", PLACES, folder=folder).splitlines()]


def test_without_links_the_real_folders_are_found_beside_the_package(plain: Path) -> None:
    for name in LINKS:
        assert (plain / "inpaint_cli" / name).read_text() == f"../{name}"
    package, masks, pcnn = places(sys.executable, plain)
    assert package == plain / "inpaint_cli" / "__init__.py"
    assert masks == plain / "masks" / "__init__.py"
    assert pcnn == plain / "models" / "pcnn" / "__init__.py"


def test_with_links_nothing_but_them_is_searched(top: Path) -> None:
    if not (top / "inpaint_cli" / "models").is_symlink():
        pytest.skip("this copy has no links")
    program = "import inpaint_cli; print(*inpaint_cli.__path__, sep='\\n')"
    assert run(sys.executable, "-c", program, folder=top).splitlines() == [str(top / "inpaint_cli")]


def test_without_links_a_photo_is_completed(plain: Path, tmp_path: Path) -> None:
    words = [*EXAMPLE, "--model", "telea", "-n", "1", "-o", str(tmp_path)]
    run(sys.executable, "-m", "inpaint_cli", *words, folder=plain)
    assert (tmp_path / "photo-sheet.png").is_file()


@pytest.mark.slow
def test_without_links_every_test_is_collected_and_some_run(plain: Path) -> None:
    run(sys.executable, "-m", "pytest", "-q", "--collect-only", "tests", folder=plain)
    chosen = ["tests/test_floors.py", "tests/models/test_classical.py", "tests/masks/test_kinds.py"]
    run(sys.executable, "-m", "pytest", "-q", *chosen, "inpaint_cli", folder=plain)


@pytest.mark.slow
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_make_demo_works_in_a_folder_with_a_space(links: bool, tmp_path: Path) -> None:
    copy = copy_repository(tmp_path / "sp ace", links)
    python = make_environment(copy / ".venv")
    shown = run("make", "demo", folder=copy)
    sheet = shown.strip().splitlines()[-1].removeprefix("The contact sheet: ")
    assert (copy / sheet).is_file()
    # From elsewhere: what was installed, not what lies in the working folder.
    files = [path.resolve().relative_to(copy.resolve()) for path in places(python, tmp_path)]
    assert [file.parts[0] for file in files] == ["inpaint_cli", "masks", "models"]
    run(python.with_name("inpaint"), "--version", folder=tmp_path)
    for name in LINKS:
        bare = subprocess.run([python, "-Ec", f"import {name}"], cwd=tmp_path, capture_output=True)
        assert bare.returncode == 1, f"a top-level {name} was installed"


@pytest.mark.slow
def test_pip_installs_a_copy_without_links(plain: Path, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "an environment")
    run(python, "-m", "pip", "install", "-q", ".", folder=plain)
    assert all(path.is_relative_to(tmp_path) for path in places(python, tmp_path))
    words = [word.replace("examples", str(plain / "examples")) for word in EXAMPLE]
    run(python.with_name("inpaint"), *words, "-n", "1", "-o", "out", folder=tmp_path)
    assert (tmp_path / "out" / "photo-sheet.png").is_file()
