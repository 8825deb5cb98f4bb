"""Recorded results of the authors' transformer: logits, loss and gradients."""

import copy
import json
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.latent_codes.transformer import BidirectionalTransformer, may_attend
from tests.models.latent_codes.golden_parts import FOLDER, close, close_in_double, part, recorded

pytestmark = [pytest.mark.golden, pytest.mark.latent_codes]


@cache
def network() -> BidirectionalTransformer:
    config, weights = part("transformer")
    assert all(name.startswith("transformer.") for name in weights)
    model = BidirectionalTransformer(
        codes=config["vocab_size"] - 1,
        positions=config["block_size"] - 1,
        width=config["n_embd"],
        layers=config["n_layer"],
        heads=config["n_head"],
        dropout=0.0,
    )
    model.load_state_dict({k.removeprefix("transformer."): v for k, v in weights.items()})
    return model.eval()


def in_double() -> BidirectionalTransformer:
    return copy.deepcopy(network()).double()


def inputs() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    io = recorded("transformer")
    return io["tokens"].long(), io["known"].bool(), io


def loss_of(model: BidirectionalTransformer) -> Tensor:
    tokens, known, _ = inputs()
    return F.cross_entropy(model(tokens, known)[~known], tokens[~known])


def test_logits_are_those_of_the_authors() -> None:
    tokens, known, io = inputs()
    with torch.no_grad():
        close(network()(tokens, known), io["logits"])


def test_logits_of_the_start_position_and_of_the_mask_class_are_those_of_the_authors() -> None:
    _, _, io = inputs()
    ids, visible = io["input_ids"].long(), io["attend_to"].bool()
    with torch.no_grad():
        close(network().logits_of(ids, may_attend(visible)), io["logits_full"])


def test_logits_without_an_attention_mask_are_those_of_the_authors() -> None:
    _, _, io = inputs()
    with torch.no_grad():
        close(network().logits_of(io["input_ids"].long()), io["logits_no_attention_mask"])


def test_the_loss_is_that_of_the_authors() -> None:
    close(loss_of(network()), inputs()[2]["loss"])


def test_gradients_are_those_of_the_authors() -> None:
    model, io = in_double(), inputs()[2]
    names = [name.removeprefix("grad.") for name in io if name.startswith("grad.")]
    gradients = torch.autograd.grad(loss_of(model), [model.get_parameter(n) for n in names])
    assert names
    for name, gradient in zip(names, gradients, strict=True):
        close_in_double(gradient, io[f"grad.{name}"])


def test_norms_of_all_gradients_are_those_of_the_authors() -> None:
    model = in_double()
    norms = json.loads((FOLDER / "transformer.grad_norms.json").read_text())
    parameters = dict(model.named_parameters())
    assert parameters.keys() == norms.keys()
    gradients = torch.autograd.grad(loss_of(model), list(parameters.values()))
    ours = torch.stack([gradient.norm() for gradient in gradients])
    # Rounding alone makes the keys' biases other than 0: a constant in all keys changes nothing.
    theirs = torch.tensor([norms[name] for name in parameters], dtype=torch.float64)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_names_and_shapes_of_the_full_size_are_those_of_the_authors() -> None:
    layout = json.loads((FOLDER / "layouts" / "transformer_256.json").read_text())
    theirs = {
        name.removeprefix("transformer."): shape
        for name, shape in layout.items()
        if name.startswith("transformer.") and not name.endswith(".attn.mask")
    }
    codes, width = theirs["tok_emb.weight"]
    layers = 1 + max(int(name.split(".")[1]) for name in theirs if name.startswith("blocks."))
    with torch.device("meta"):
        model = BidirectionalTransformer(
            codes - 1, theirs["pos_emb"][1] - 1, width, layers, heads=16, dropout=0.1
        )
    assert {name: list(t.shape) for name, t in model.state_dict().items()} == theirs
