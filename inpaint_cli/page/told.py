"""Remarks that the page shows as well as the terminal."""

from __future__ import annotations

from dataclasses import dataclass, field

from inpaint_cli.reporting import Reporter


@dataclass
class Told(Reporter):
    """A reporter that also keeps its remarks, for the page."""

    lines: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Tell what a user may want to know, and keep it."""
        self.lines.append(text)
        super().note(text)

    def warn(self, text: str) -> None:
        """Warn, and keep the warning."""
        self.lines.append(f"warning: {text}")
        super().warn(text)
