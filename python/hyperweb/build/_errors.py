"""What can go wrong in a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb.errors import HyperwebError

if TYPE_CHECKING:
    from collections.abc import Sequence


# A screen holds about so many errors.
_SHOWN = 10


class BuildError(HyperwebError):
    """A build failed. The exit code is 1, and the last good dist is as it was."""


class BuildErrors(BuildError):
    """Several things are wrong with a site: all of them, so that they can be mended in one go.

    Attributes:
        errors: What is wrong, each once: a template that is wrong is wrong for every page it renders.
    """

    def __init__(self, errors: Sequence[HyperwebError]) -> None:
        self.errors = list({str(error): error for error in errors}.values())
        super().__init__(f"{len(self.errors)} thing{'s are' if len(self.errors) > 1 else ' is'} wrong")

    def __str__(self) -> str:
        shown = [str(error) for error in self.errors[:_SHOWN]]
        if len(self.errors) > _SHOWN:
            shown.append(f"… and {len(self.errors) - _SHOWN} more")
        return "\n\n".join(shown)
