"""Config and the one preset of the patch synthesis; nothing in it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_cli.family import Config


@dataclass(frozen=True, kw_only=True)
class PatchesConfig(Config):
    """Images of any size, 8 bits a channel."""

    size: int = 0
    channels: int = 3
    levels: int = 256


PRESETS = {"default": PatchesConfig()}
