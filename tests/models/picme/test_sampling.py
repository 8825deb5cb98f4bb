"""Completions: options, what they depend on, and what is told beside the pictures."""

import pytest
import torch

from inpaint_cli.errors import UserError
from inpaint_cli.models.picme import sampling
from tests.models.picme.small import batch_of, completions, model_of

MODEL, BATCH = model_of(), batch_of(1)


@pytest.mark.parametrize("size", [2, 6])
def test_a_completion_is_the_same_whatever_n_in_batches_of_any_size(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "CPU_BATCH", size)
    whole = MODEL.complete(BATCH.image, BATCH.visible, completions(7))
    first = MODEL.complete(BATCH.image, BATCH.visible, completions(3))
    assert torch.equal(whole.images[:3], first.images)
    assert torch.equal(whole.details["primitive"][:3], first.details["primitive"])


def test_the_encoder_runs_once_for_all_completions() -> None:
    calls: list[int] = []
    model = model_of()
    model.encoder.block0.register_forward_hook(lambda *_: calls.append(1))
    model.complete(BATCH.image, BATCH.visible, completions(4))
    assert len(calls) == 1


def test_each_completion_tells_its_primitive_and_that_one_s_weight() -> None:
    completed = MODEL.complete(BATCH.image, BATCH.visible, completions(12))
    with torch.inference_mode():
        weights = (
            sampling.encode_context(MODEL, BATCH.image, BATCH.visible).mixture.weights[0].double()
        )
    assert completed.details["primitive"].shape == completed.details["weight"].shape == (12,)
    assert completed.details["weight"].tolist() == weights[completed.details["primitive"]].tolist()
    assert len(set(completed.details["primitive"].tolist())) > 1


def test_a_given_primitive_is_that_of_every_completion() -> None:
    completed = MODEL.complete(BATCH.image, BATCH.visible, completions(3), primitive=4)
    assert completed.details["primitive"].tolist() == [4, 4, 4]


def test_stratified_completions_take_the_primitives_in_turn() -> None:
    completed = MODEL.complete(BATCH.image, BATCH.visible, completions(8), stratify=True)
    assert completed.details["primitive"].tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    part = MODEL.complete(BATCH.image, BATCH.visible, completions(8)[5:7], stratify=True)
    assert torch.equal(completed.images[5:7], part.images)


def test_at_temperature_0_the_mean_of_the_weightiest_primitive_is_taken() -> None:
    completed = MODEL.complete(BATCH.image, BATCH.visible, completions(3), temperature=0.0)
    with torch.inference_mode():
        context = sampling.encode_context(MODEL, BATCH.image, BATCH.visible)
    heaviest = int(context.mixture.weights[0].argmax())
    assert completed.details["primitive"].tolist() == [heaviest] * 3
    asked = MODEL.complete(
        BATCH.image, BATCH.visible, completions(1), temperature=0.0, primitive=heaviest
    )
    assert torch.equal(completed.images, asked.images.expand_as(completed.images))


def test_at_temperature_0_completions_of_one_primitive_are_all_its_mean() -> None:
    completed = MODEL.complete(
        BATCH.image, BATCH.visible, completions(3), temperature=0.0, primitive=2
    )
    assert torch.equal(completed.images, completed.images[:1].expand_as(completed.images))


def test_completions_of_different_primitives_differ() -> None:
    zero, one = (
        MODEL.complete(BATCH.image, BATCH.visible, completions(1), temperature=0.0, primitive=i)
        for i in (0, 1)
    )
    assert not torch.equal(zero.images, one.images)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"primitive": 6}, "^primitive: this model has the primitives 0 to 5, got 6"),
        ({"primitive": 1, "stratify": True}, "^primitive: contradicts the setting stratify"),
        ({"temperature": -1.0}, "^temperature: "),
        ({"projection": "tsne"}, "^projection: 'tsne' belongs to the setting by_primitive"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        MODEL.complete(BATCH.image, BATCH.visible, completions(1), **options)  # type: ignore[arg-type]


def test_what_lies_under_the_mask_has_no_influence() -> None:
    completed = MODEL.complete(BATCH.image, BATCH.visible, completions(2))
    other = torch.where(BATCH.visible, BATCH.image, 255 - BATCH.image)
    assert torch.equal(
        completed.images, MODEL.complete(other, BATCH.visible, completions(2)).images
    )


def test_completions_by_primitive_are_the_same_for_any_n() -> None:
    one, two = (
        MODEL.complete(BATCH.image, BATCH.visible, completions(n), by_primitive=True)
        for n in (1, 2)
    )
    rows = one.details["by_primitive"]
    assert rows.shape == (6, 6, *BATCH.image.shape[1:])
    assert torch.equal(rows, two.details["by_primitive"])
    assert torch.equal(one.details["latents"], two.details["latents"])
    kept = torch.where(BATCH.visible[0], rows, 0)
    assert torch.equal(kept, torch.where(BATCH.visible[0], BATCH.image[0], 0).expand_as(rows))
