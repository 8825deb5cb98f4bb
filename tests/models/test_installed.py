"""Families of other packages: found by their entry points, and never able to break ours."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions
from inpaint_cli.models import installed
from inpaint_cli.models.method import Method
from inpaint_cli.randomness import Noise

WHOLE = """
from inpaint_cli.models.classical import ClassicalFamily

class Another(ClassicalFamily):
    def __init__(self):
        super().__init__("telea", "a family of another package")

FAMILY = Another()
"""


OLDER = """
class Older:
    def __getattr__(self, name):
        if name == "reconstructs":
            raise AttributeError(name)
        return getattr(Another(), name)

FAMILY = Older()
"""


def package(folder: Path, code: str, name: str = "elsewhere") -> Path:
    """Lay out an installed package with one family."""
    info = folder / "another_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[inpaint.families]\n{name} = another_module:FAMILY\n")
    (folder / "another_module.py").write_text(code)
    return folder


def python(program: str, folder: Path, top: Path) -> str:
    """Run a program with `folder` among the installed packages; return all that it says."""
    start = f"import sys; sys.path[:0] = [{str(top)!r}, {str(folder)!r}]\n"
    ended = subprocess.run(
        [sys.executable, "-c", start + program], capture_output=True, text=True, check=False
    )
    return ended.stdout + ended.stderr


COMPLETE = """
import numpy as np, inpaint_cli
visible = np.ones((20, 20), bool); visible[5:9, 5:9] = False
model = inpaint_cli.load_model("elsewhere")
result = model.complete(np.full((20, 20, 3), 9, np.uint8), visible=visible)
print(model.family.summary, len(result.images))
"""
LIST = "from inpaint_cli.cli import main; main(['models'])"
TELEA = "import inpaint_cli; print(inpaint_cli.load_model('telea').name)"


def test_an_installed_family_completes_and_is_listed(tmp_path: Path, top: Path) -> None:
    folder = package(tmp_path, WHOLE)
    assert python(COMPLETE, folder, top) == "a family of another package 1\n"
    assert "a family of another package" in python(LIST, folder, top)


def test_a_family_of_before_needs_no_fact_that_came_later(tmp_path: Path, top: Path) -> None:
    folder = package(tmp_path, WHOLE + OLDER)
    assert python(COMPLETE, folder, top) == "a family of another package 1\n"
    asked = "import inpaint_cli; print(inpaint_cli.load_model('elsewhere').family.reconstructs)"
    assert python(asked, folder, top) == "False\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("FAMILY = object()", "lacks name, summary"),
        ("", "AttributeError"),
    ],
)
def test_a_broken_family_is_one_sentence_and_stops_no_other(
    code: str, reason: str, tmp_path: Path, top: Path
) -> None:
    folder = package(tmp_path, code)
    photo = str(top / "examples" / "photo.png")
    words = ["complete", photo, "--box", "9,9,9,9", "--model", "elsewhere", "-o", str(tmp_path)]
    output = python(f"from inpaint_cli.cli import main; main({words})", folder, top)
    (line,) = output.splitlines()[-1:]
    assert line.startswith("error: --model: the family 'elsewhere' of the package another-package")
    assert reason in line
    assert "broken" in python(LIST, folder, top)
    assert python(TELEA, folder, top) == "telea\n"


def test_what_goes_wrong_in_an_installed_family_is_one_sentence(tmp_path: Path, top: Path) -> None:
    failing = "\n    def build(self, config):\n        return Model(config)\n"
    model = (
        "from inpaint_cli.models.method import Method\n"
        "class Model(Method):\n    stochastic = False\n"
        "    def drawn(self, *args, **options):\n        raise KeyError('weights')\n"
    )
    folder = package(tmp_path, model + WHOLE.replace("\nFAMILY", failing + "\nFAMILY"))
    last = python(COMPLETE, folder, top).splitlines()[-1]
    assert last.endswith("model: the family 'elsewhere' failed: KeyError: 'weights'")


class Drawing(Method):
    """A method of another package that draws whatever a test says."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def drawn(self, image: Any, visible: Any, noise: Any, **options: Any) -> Any:
        return self.given(image)


class Network(Drawing):
    """The same with tensors."""

    def complete(self, image: Any, visible: Any, noise: Any, **options: Any) -> Any:
        return self.given(image)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A family `elsewhere` is installed."""
    monkeypatch.setattr(installed, "announced", lambda: {"elsewhere": None})


NOISE = Noise.of_completions(0, b"", range(2))
PIXELS = np.full((6, 6, 3), 9, np.uint8)
VISIBLE = np.arange(36).reshape(6, 6) > 9


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda image: np.stack([image, image]) / 255, "gave float64 [2, 6, 6, 3]"),
        (lambda image: np.stack([image, image])[:, :-1], "gave uint8 [2, 5, 6, 3]"),
        (lambda image: np.stack([image, image])[..., :1], "gave uint8 [2, 6, 6, 1]"),
        (lambda image: image[None], "gave uint8 [1, 6, 6, 3]"),
        (lambda image: None, "gave NoneType; uint8 [2, 6, 6, 3] is needed"),
        (lambda image: sys.exit(3), "failed: SystemExit: 3"),
    ],
)
def test_arrays_of_another_number_size_or_type_are_refused(given: Any, told: str) -> None:
    """They became black pictures, colours of one channel, or an internal error."""
    model = installed.guarded(Drawing(given), "elsewhere")
    with pytest.raises(UserError, match=re.escape(f"the family 'elsewhere' {told}")):
        model.drawn(PIXELS, VISIBLE, NOISE)
    with pytest.raises(UserError, match=re.escape(f"the family 'elsewhere' {told}")):
        model.complete(*tensors(), NOISE)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda image: Completions(image.float()), "gave torch.float32 [1, 3, 6, 6]"),
        (lambda image: Completions(image), "gave torch.uint8 [1, 3, 6, 6]"),
        (lambda image: image, "gave Tensor; Completions are needed"),
    ],
)
def test_tensors_of_another_number_or_type_are_refused(given: Any, told: str) -> None:
    model = installed.guarded(Network(given), "elsewhere")
    with pytest.raises(UserError, match=re.escape(f"the family 'elsewhere' {told}")):
        model.complete(*tensors(), NOISE)


@pytest.mark.usefixtures("elsewhere")
def test_what_is_visible_is_put_back_where_a_network_changed_it() -> None:
    changed = Network(lambda image: Completions(255 - image.expand(2, -1, -1, -1)))
    images = installed.guarded(changed, "elsewhere").complete(*tensors(), NOISE).images
    expected = np.where(VISIBLE, 9, 246)
    assert (images.numpy() == expected).all()


@pytest.mark.usefixtures("elsewhere")
def test_a_guarded_model_is_called_by_names_as_ours_are() -> None:
    whole = Drawing(lambda image: np.stack([image, image]))
    image, visible = tensors()
    model = installed.guarded(whole, "elsewhere")
    completions = model.complete(image=image, visible=visible, noise=NOISE, temperature=0.5)
    assert completions.images.equal(image.expand(2, -1, -1, -1))


def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(PIXELS).permute(2, 0, 1)[None], torch.from_numpy(VISIBLE)[None, None]


def test_a_name_of_ours_is_not_replaced_and_that_is_said(tmp_path: Path, top: Path) -> None:
    folder = package(tmp_path, WHOLE, "pcnn")
    output = python(LIST, folder, top)
    assert "pcnn: a family of an installed package has this name too" in output


def test_where_no_package_announces_a_family_nothing_is_imported_for_them(
    tmp_path: Path, top: Path
) -> None:
    program = "import inpaint_cli.models; print('importlib.metadata' in sys.modules)"
    assert python(program, tmp_path, top) == "False\n"
