"""How well a privacy gate does on conversations whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from coursekit.routing_data.private_cases import Case


@dataclass(frozen=True)
class GateReport:
    """How a privacy gate did: for each kind (found, all), what it missed, and the harmless cases that it stopped."""

    found: Mapping[str, tuple[int, int]]
    missed: tuple[Case, ...]
    stopped: tuple[Case, ...]
    harmless: int

    @property
    def recall(self) -> float:
        """The part of the secrets that was found."""
        return sum(found for found, _ in self.found.values()) / sum(secrets for _, secrets in self.found.values())

    @property
    def precision(self) -> float:
        """The part of what was stopped that was a secret; 1 where nothing was stopped."""
        found = sum(found for found, _ in self.found.values())
        return found / (found + len(self.stopped)) if found or self.stopped else 1.0


def judge_gate(cases: Sequence[Case], gate: Callable[..., Sequence[object]]) -> GateReport:
    """Try a gate on cases whose truth is known; a secret counts as found when anything in its messages was."""
    kinds = sorted({case.kind for case in cases if case.kind})
    missed = tuple(case for case in cases if case.kind and not gate(case.messages))
    stopped = tuple(case for case in cases if case.kind is None and gate(case.messages))
    found = {
        kind: (
            sum(case.kind == kind for case in cases) - sum(case.kind == kind for case in missed),
            sum(case.kind == kind for case in cases),
        )
        for kind in kinds
    }
    return GateReport(found, missed, stopped, sum(case.kind is None for case in cases))
