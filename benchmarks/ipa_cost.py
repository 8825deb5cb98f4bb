"""Training a partial encoder beside training everything; completions at once and one by one.

First table: one training step of the forward objective. "all" trains VAE and partial encoder
together; "frozen" is plain autograd with a frozen VAE; "layerwise" is what `partial-encoder` does;
"x4" gives every image four masks. "reverse" is a step of the reverse objective; with "recompute"
blocks are computed again in the backward pass. Memory: on a GPU the peak above the weights; on a
CPU the most bytes that autograd held for the backward pass at one time, without the one block that
is being computed again. Second table: eight completions at once, eight calls for one each, and
eight calls of the plain networks in float32 that share nothing.

    python -m benchmarks.ipa_cost [--preset cpu32] [--batch 8] [--device cuda]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from inpaint_cli import masks
from inpaint_cli.family import Batch
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.objective import PartialEncoderStage
from inpaint_cli.models.ipa.posterior import forward_bound
from inpaint_cli.models.ipa.presets import presets
from inpaint_cli.models.ipa.sampling import CompletionDecoder, CompletionPlan
from inpaint_cli.randomness import Noise

KINDS: dict[str, dict[str, Any]] = {
    "all": {"trained": "all"},
    "all recompute": {"trained": "all", "recompute": True},
    "frozen": {},
    "layerwise": {},
    "layerwise x4": {"masks_per_image": 4},
    "layerwise recompute": {"recompute": True},
    "reverse": {"objective": "reverse"},
    "reverse recompute": {"objective": "reverse", "recompute": True},
}
"""Kind of training step -> settings of the model."""
REPEATS = 3
MIB = 2**20


class Kept:
    """Count the bytes that autograd holds for a backward pass, and their peak."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.weights = {t.untyped_storage().data_ptr() for t in model.state_dict().values()}
        self.uses: dict[int, int] = {}
        self.now = self.peak = 0

    def pack(self, tensor: Tensor) -> Tensor | Held:
        """Takes note of a tensor that is kept."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() in self.weights:
            return tensor
        if not self.uses.get(storage.data_ptr()):
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
        self.uses[storage.data_ptr()] = self.uses.get(storage.data_ptr(), 0) + 1
        return Held(self, tensor)

    def release(self, tensor: Tensor) -> None:
        """Takes note of a tensor that is no longer kept."""
        storage = tensor.untyped_storage()
        self.uses[storage.data_ptr()] -= 1
        if not self.uses[storage.data_ptr()]:
            self.now -= storage.nbytes()


class Held:
    """A kept tensor that says when it is let go."""

    def __init__(self, kept: Kept, tensor: Tensor) -> None:
        self.kept, self.tensor = kept, tensor

    def __del__(self) -> None:
        self.kept.release(self.tensor)


def unpack(held: Tensor | Held) -> Tensor:
    """Return the tensor that was kept."""
    return held.tensor if isinstance(held, Held) else held


def network(preset: str, device: str, **changes: Any) -> CompletingVae:
    """Return the preset's network with random weights, which cost the same as trained ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CompletingVae(replace(presets("ipa")[preset], **changes))
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.to(device)


def batch_of(model: CompletingVae, images: int, device: str) -> Batch:
    """Return noise as images, with free-form masks."""
    shape = (model.channels, model.size, model.size)
    image = (Noise(0, "benchmark", [(i,) for i in range(images)]).uniform(*shape) * 256).byte()
    drawn = masks.draw_batch("freeform", *shape[1:], seed=0, epoch=0, indices=range(images))
    return Batch(image.to(device), drawn.to(device))


def plain(model: CompletingVae, batch: Batch, noise: Noise) -> Tensor:
    """Return the rate by plain autograd."""
    sides = model.partial_sides(batch.image, batch.visible)
    nothing = torch.zeros_like(batch.visible)
    return forward_bound(model, batch.image, sides, noise.normal, nothing).rate.mean()


def training(preset: str, kind: str, images: int, device: str) -> tuple[float, float]:
    """Return seconds and MiB of one training step per image and mask."""
    model = network(preset, device, **KINDS[kind]).train()
    masks_each = model.config.masks_per_image
    stage, batch = PartialEncoderStage(), batch_of(model, images, device)
    wanted = {id(p) for p in stage.trainable(model)[0].parameters}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in wanted)

    def step() -> None:
        noise = Noise(0, "step", [(i,) for i in range(images)])
        if kind == "frozen":
            loss = plain(model, batch, noise)
        else:
            loss = stage.loss(model, batch, 0, noise).losses[stage.name]
        loss.backward()  # type: ignore[no-untyped-call]

    memory = peak(step, model, device)
    return seconds(step, device) / images / masks_each, memory / images / masks_each / MIB


def peak(step: Callable[[], None], model: CompletingVae, device: str) -> float:
    """Return the memory of a step in bytes: see the module."""
    if device != "cpu":
        step()  # gradients are there from now on
        start = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return torch.cuda.max_memory_allocated() - start
    kept = Kept(model)
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, unpack):
        step()
    return kept.peak


def seconds(call: Callable[[], object], device: str, repeats: int = REPEATS) -> float:
    """Return the shortest time of `repeats` calls; on a CPU that of its one core."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    times = []
    for _ in range(repeats):
        start = clock()
        call()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(clock() - start)
    return min(times)


@torch.inference_mode()
def completing(preset: str, device: str) -> tuple[float, float, float]:
    """Return the seconds of eight completions: at once, one by one, plain networks one by one."""
    model = network(preset, device).eval()
    batch = batch_of(model, 1, device)
    noise = Noise.of_completions(0, b"benchmark", range(8))
    layers = len(model.decoder.blocks())
    alone = CompletionPlan([1.0] * layers, 0, layers)

    def one_by_one() -> None:
        for part in noise.split(1):
            model.complete(batch.image, batch.visible, part)

    def plainly() -> None:
        for part in noise.split(1):
            CompletionDecoder(model, batch.image, batch.visible, alone).pixels(part, 1)

    calls = (lambda: model.complete(batch.image, batch.visible, noise), one_by_one, plainly)
    times = [seconds(call, device) for call in cast(tuple[Callable[[], object], ...], calls)]
    return times[0], times[1], times[2]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", action="append", choices=sorted(presets("ipa")))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    if options.device == "cpu":
        torch.set_num_threads(1)
    print(f"{options.device}, batch {options.batch}; per image and mask, ratios to 'all'")
    for preset in options.preset or ["cpu32"]:
        first = None
        for kind in KINDS:
            took, memory = training(preset, kind, options.batch, options.device)
            first = first or (took, memory)
            print(
                f"{preset:10} {kind:20} {took * 1e3:9.2f} ms {took / first[0]:6.2f}"
                f" {memory:9.2f} MiB {memory / first[1]:6.2f}",
                flush=True,
            )
        together, single, bare = completing(preset, options.device)
        print(
            f"{preset:10} 8 completions: at once {together:.3f} s, one by one {single:.3f} s "
            f"({single / together:.2f}x), plain {bare:.3f} s ({bare / together:.2f}x)",
            flush=True,
        )


if __name__ == "__main__":
    main()
