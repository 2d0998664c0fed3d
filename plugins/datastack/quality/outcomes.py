"""What came of checks, and of the gate that they make."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from datastack.contract.model import Level, Waiver

PASSING = frozenset({"PASSED", "WARN", "WAIVED"})
OBJECTION = "gate"  # type of a result that is no check's, but says why the gate is closed all the same


class GateError(RuntimeError):
    """A gate is closed: data failed a check, or a check could not be evaluated."""


@dataclass(frozen=True)
class Note:
    """What is to be known of a check beside its Soda contract: the column it is about, words, and a waiver."""

    column: str | None = None
    detail: str | None = None
    waiver: Waiver | None = None


@dataclass(frozen=True)
class CheckResult:
    """What one check measured.

    ``outcome`` is PASSED, WARN, FAILED, WAIVED, NOT_EVALUATED or EXCLUDED. ``value`` is what was compared with the
    threshold: it must lie from ``low`` to ``high``, where these are numbers; ``threshold`` says it in words.
    ``level`` is what comes of a check that finds something, ``detail`` what is to be said beside. ``failing`` is SQL
    of the rows that a failed check found, where it is about rows.
    """

    name: str
    type: str
    column: str | None
    outcome: str
    level: str = Level.FAIL.value
    value: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: str | None = None
    measured: dict[str, Any] | None = None
    detail: str | None = None
    waiver: Waiver | None = None
    failing: str | None = None

    @property
    def found_something(self) -> bool:
        """Whether there are rows to show."""
        return self.outcome in ("FAILED", "WARN", "WAIVED")

    def __str__(self) -> str:
        limit = f", {self.threshold}" if self.threshold else ""
        more = f"; {self.detail}" if self.detail else ""
        value = self.measured if self.value is None else f"{self.value:g}"
        return f"{self.column or 'table'}: {self.name}: {self.outcome}, measured {value}{limit}{more}"


@dataclass(frozen=True)
class GateReport:
    """All results of one contract, and the reasons why its gate is closed (none: it is open)."""

    dataset: str
    results: tuple[CheckResult, ...]
    closed_because: tuple[str, ...]

    def require_open(self) -> None:
        """Pass, or say why not.

        :raises GateError: if the gate is closed.
        """
        if self.closed_because:
            reasons = "\n  ".join(self.closed_because)
            raise GateError(f"the gate on {self.dataset} is closed; consumers keep what they had:\n  {reasons}")

    def closed_also(self, reason: str) -> "GateReport":
        """Return the same report with one more reason why the gate is closed."""
        return replace(self, closed_because=(*self.closed_because, reason))


def objection(reason: str) -> CheckResult:
    """Result that says why a gate is closed where no check does."""
    return CheckResult(name=OBJECTION, type=OBJECTION, column=None, outcome="NOT_EVALUATED", detail=reason)


def unchecked(dataset: str, reason: str) -> GateReport:
    """Report of a gate that could not run."""
    return GateReport(dataset, (objection(reason),), (reason,))


def judged(result: CheckResult, today: date) -> CheckResult:
    """A result with its waiver taken into account: a failed check is let pass until the waiver's last day.

    What could not be evaluated is not let pass: nobody knows what is waived then.
    """
    waiver = result.waiver
    if waiver is None:
        return result
    if result.outcome == "PASSED":
        return replace(result, detail=f"its waiver is no longer needed, remove it: {waiver}")
    if result.outcome != "FAILED":
        return result
    if waiver.expires < today:
        return replace(result, detail=f"its waiver has expired: {waiver}")
    return replace(result, outcome="WAIVED", detail=f"waived: {waiver}")
