"""Names that no file can have, given to the Python API: one sentence, whatever looks for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inpaint_cli
from inpaint_cli.errors import UserError
from inpaint_cli.photos.returned import CompletionResult

PHOTO = np.full((16, 16, 3), 128, np.uint8)
VISIBLE = np.arange(256).reshape(16, 16) > 40
GIVEN: dict[str, Callable[[Any], Any]] = {
    "model": lambda name: inpaint_cli.load_model(name),
    "image": lambda name: inpaint_cli.complete(name, visible=VISIBLE, model="telea"),
    "mask": lambda name: inpaint_cli.complete(PHOTO, name, model="telea"),
    "folder": lambda name: result().save(name),
    "stem": lambda name: result().save("out", name),
    "data": lambda name: inpaint_cli.calibrate("pcnn-digits", data=name),
    "scored": lambda name: inpaint_cli.score((), folders=[name], reference="x", metrics="mae"),
    "work": lambda name: inpaint_cli.score("telea", work=name, metrics="mae", limit=1, size=16),
    "reference": lambda name: inpaint_cli.ood(PHOTO, model="ipa-mnist", reference=name),
    "classifier": lambda name: inpaint_cli.design(PHOTO, model="ipa-mnist", classifier=name),
}


def result() -> CompletionResult:
    return inpaint_cli.load_model("telea").complete(PHOTO, visible=VISIBLE)


@pytest.mark.parametrize("what", GIVEN)
@pytest.mark.parametrize("name", ["x" * 300, Path("x" * 300) / "y", "a\0b"])
def test_a_name_that_no_file_can_have_is_told_in_one_sentence(
    what: str, name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        GIVEN[what](name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [None, 3, b"photo", ["photo"]])
def test_a_stem_is_a_name(name: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stem: must be names or paths"):
        result().save(tmp_path, name)
    assert not list(tmp_path.iterdir())
