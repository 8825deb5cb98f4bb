"""The codebook: quantisation, its gradients, the k-means start, moving averages, revival."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.latent_codes import vqgan
from inpaint_cli.models.latent_codes.vqgan import REVIVE_EVERY, Codebook, perplexity
from inpaint_cli.models.pixels import from_unit, to_unit


def features(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_bytes_survive_the_networks_scale() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(from_unit(to_unit(every)), every)


@pytest.mark.parametrize("kind", ["averaged", "gradient"])
def test_the_nearest_code_is_the_nearest_by_brute_force(kind: str) -> None:
    torch.manual_seed(0)
    codebook = Codebook(12, 5, kind)  # type: ignore[arg-type]
    z = features(1, 2, 5, 3, 4)
    rows = codebook.features(z).permute(0, 2, 3, 1).reshape(-1, 5)
    wanted = torch.cdist(rows, codebook.table).argmin(1).view(2, 3, 4)
    assert torch.equal(codebook.nearest(z), wanted)


def test_the_straight_through_gradient_is_that_of_the_codes_plus_the_commitment() -> None:
    torch.manual_seed(0)
    codebook = Codebook(12, 5, "gradient")
    z, weights = features(1, 2, 5, 3, 4).requires_grad_(), features(2, 2, 5, 3, 4)
    quantised = codebook(z)
    ((quantised.vectors * weights).sum() + quantised.loss).backward()
    codes = codebook.vectors(quantised.indices).detach()
    wanted = weights + 2 * (z.detach() - codes) / z.numel()
    torch.testing.assert_close(z.grad, wanted)


def test_a_code_itself_is_quantised_to_itself_without_loss() -> None:
    torch.manual_seed(0)
    codebook = Codebook(12, 5, "averaged")
    indices = torch.tensor([[[3, 7], [0, 11]]])
    quantised = codebook(5.0 * codebook.vectors(indices))
    assert torch.equal(quantised.indices, indices)
    assert quantised.loss.item() < 1e-12


def clusters() -> Tensor:
    """Return features [8, 6, 8, 8] round six directions, which k-means must find."""
    centres = F.normalize(features(3, 6, 6), dim=1)
    chosen = torch.arange(8 * 64) % 6
    rows = centres[chosen] + 0.02 * features(4, 8 * 64, 6)
    return rows.view(8, 8, 8, 6).permute(0, 3, 1, 2)


def test_the_start_uses_every_code_and_lies_closer_than_chance() -> None:
    torch.manual_seed(0)
    codebook, z = Codebook(12, 6, "averaged"), clusters()
    before = codebook(z).loss
    codebook.start(z, seed=0)
    assert bool(codebook.ready)
    after = codebook(z)
    assert after.loss < before / 20
    torch.testing.assert_close(codebook.table.norm(dim=1), torch.ones(12))


def test_averaged_codes_move_to_their_features() -> None:
    torch.manual_seed(0)
    codebook, z = Codebook(6, 6, "averaged"), clusters()
    codebook.start(z, seed=0)
    moved = z.roll(1, dims=1)
    before = codebook(moved).loss
    for step in range(1, 400):
        codebook.follow(moved, codebook.nearest(moved), step, seed=0, revive=False)
    assert codebook(moved).loss < before / 3


def test_dead_codes_are_revived_at_features_of_the_batch_unless_it_is_too_late() -> None:
    torch.manual_seed(0)
    codebook, z = Codebook(12, 6, "averaged"), clusters()
    codebook.counts[:] = torch.tensor([1.0] * 6 + [0.0] * 6)
    late = Codebook(12, 6, "averaged")
    late.load_state_dict(codebook.state_dict())
    indices = codebook.nearest(z) % 6
    codebook.follow(z, indices, REVIVE_EVERY, seed=0, revive=True)
    late.follow(z, indices, REVIVE_EVERY, seed=0, revive=False)
    rows = F.normalize(z.permute(0, 2, 3, 1).reshape(-1, 6), dim=1)
    closest = (codebook.table[6:] @ rows.T).amax(1)
    assert bool((closest > 0.999).all())
    assert bool((codebook.counts[6:] > 0).all())
    assert bool((late.counts[6:] == 0).all())


def test_a_start_depends_on_seed_and_features_alone() -> None:
    books: list[Codebook] = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(books))
        books.append(Codebook(6, 6, "averaged"))
        books[-1].start(features(5, 2, 6, 8, 8), seed)
    assert torch.equal(books[0].table, books[1].table)
    assert not torch.equal(books[0].table, books[2].table)


def test_perplexity_counts_codes_that_are_used_alike() -> None:
    assert perplexity(torch.tensor([2.0, 2.0, 0.0])).item() == pytest.approx(2.0)
    assert perplexity(torch.zeros(3)).item() == pytest.approx(1.0)


def test_processes_take_the_codes_that_one_takes_from_their_joined_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z, halves = clusters(), clusters().chunk(2)
    codebook = Codebook(12, 6, "averaged")
    rows = [codebook.features(part).permute(0, 2, 3, 1).flatten(0, 2) for part in (z, *halves)]
    alone = codebook._some(rows[0], 0, 3, 12)
    monkeypatch.setattr(vqgan, "world_size", lambda: 2)
    parts = []
    for number in (0, 1):
        monkeypatch.setattr(vqgan, "rank", lambda at=number: at)
        parts.append(codebook._some(rows[1 + number], 0, 3, 12))
    assert torch.equal(parts[0] + parts[1], alone)
