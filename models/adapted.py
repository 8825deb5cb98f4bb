"""Any Python object with a method `complete`, as a model."""

from __future__ import annotations

import hashlib
import os
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inpaint_cli.errors import UserError
from inpaint_cli.family import Completions, Config, Model
from inpaint_cli.models.method import check_drawn
from inpaint_cli.randomness import Noise


class Adapted(Model):
    """An object whose `complete(image, visible, noise)` gives uint8 [n, C, H, W]; holes are black.

    It may have `size` (0 = any), `channels` (3), `levels` (256), `stochastic` (True), `name` and,
    to go on where a killed score stopped, `identity`: a text that tells it from others. It draws at
    a temperature if its `complete` takes one, as `temperature`.
    """

    def __init__(self, thing: Any) -> None:
        if isinstance(thing, type):
            raise UserError(f"{thing.__name__} is a class. Give an object of it.", setting="models")
        if not callable(getattr(thing, "complete", None)):
            raise UserError(
                f"{type(thing).__name__} is no model: it has no method complete(image, visible, "
                "noise).",
                setting="models",
            )
        size, channels = getattr(thing, "size", 0), getattr(thing, "channels", 3)
        self.describe(Config(size, channels, getattr(thing, "levels", 256)))
        self.thing, self.stochastic = thing, bool(getattr(thing, "stochastic", True))
        taken = signature(thing.complete).parameters.values()
        self.has_temperature = any(
            p.name == "temperature" or p.kind == p.VAR_KEYWORD for p in taken
        )
        self.label = str(getattr(thing, "name", type(thing).__name__))

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete as the object does; whatever it changed of the visible pixels is put back.

        It is shown no hidden pixel: many methods begin from whatever lies in the hole.
        """
        if temperature is not None:
            options["temperature"] = temperature
        with torch.no_grad():
            given = self.thing.complete(image * visible, visible, noise, **options)
        if isinstance(given, Completions):
            given = given.images
        images = given if isinstance(given, Tensor) else np.asarray(given)
        check_drawn(images if images.ndim else given, (len(noise), *image.shape[1:]), self.label)
        images = torch.as_tensor(images)
        return Completions(torch.where(visible, image, images.to(image.device)))

    def parameters(self) -> list[nn.Parameter]:
        """Return those of a network, whose place is where pictures are wanted; else none."""
        return list(self.thing.parameters()) if isinstance(self.thing, nn.Module) else []

    def digest(self) -> str | None:
        """Return the SHA-256 of a network's weights, by name; None for other objects."""
        if not isinstance(self.thing, nn.Module):
            return None
        digest = hashlib.sha256()
        for name, tensor in sorted(self.thing.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def identity(self) -> list[str]:
        """Return what tells the object from others; a word of chance where nothing does."""
        known = getattr(self.thing, "identity", None)
        return [str(known)] if known is not None else [os.urandom(16).hex()]
