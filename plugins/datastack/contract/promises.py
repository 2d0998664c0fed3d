"""The checks that a contract amounts to, by name, and whether what it promises can be checked."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from datastack.contract.errors import DeclarationError
from datastack.contract.model import LONGEST_WAIVER, Column, Contract, Privacy, Reference, Waiver

FIRM = ("schema", "row_count", "minimum_rows")  # without them a gate is open on nothing, so nobody waives them


def check_ids(contract: Contract) -> tuple[str, ...]:
    """Names of a contract's checks: ``<kind>``, or ``<kind>:<column>``."""
    ids = [*FIRM]
    ids += ["row_count_band"] if contract.band else []
    ids += ["freshness"] if contract.freshness else []
    ids += ["key"] if contract.key else []
    return tuple(ids + [f"{kind}:{column.name}" for column in contract.stored for kind in column_checks(column)])


def column_checks(column: Column) -> list[str]:
    """Kinds of a column's checks."""
    declared = {
        "missing": column.required or column.missing is not None,
        "values": bool(column.allowed),
        "pattern": column.pattern is not None,
        "range": column.minimum is not None or column.maximum is not None,
        "reference": bool(column.references),
    }
    return [kind for kind, is_declared in declared.items() if is_declared]


def check_promises(contract: Contract, find: Callable[[str, str], Contract | None]) -> None:
    """See that references lead somewhere, that waivers name a check, and that the column of freshness is stored.

    :param find: gives the contract of a stream of a source, if there is one.
    :raises DeclarationError: naming the field.
    """
    if contract.freshness and contract.freshness_column not in {column.name for column in contract.stored}:
        problem, remedy = f"{contract.freshness_column!r} is dropped", "Name a column that is stored."
        raise DeclarationError(contract.file, "slaProperties.freshness.element", problem, remedy)
    for column in contract.columns:
        for place, reference in enumerate(column.references):
            _check_reference(
                contract, column, f"schema.properties.{column.name}.relationships.{place}", reference, find
            )
    known = [name for name in check_ids(contract) if name not in FIRM]
    for place, waiver in enumerate(contract.waivers):
        field = f"customProperties.waivers.{place}"
        check_waiver(contract.file, field, waiver, known)
        if waiver.check in {each.check for each in contract.waivers[:place]}:
            problem = f"{waiver.check!r} is waived twice"
            raise DeclarationError(contract.file, f"{field}.check", problem, "Keep one of them.")


def check_waiver(file: Path, field: str, waiver: Waiver, known: Sequence[str]) -> None:
    """See that a waiver is about a check that may be waived, and ends in time: a file does not get wrong by waiting.

    :param field: where the waiver stands in the file.
    :param known: the checks that may be waived.
    :raises DeclarationError: naming the field.
    """
    if waiver.check not in known:
        problem = f"{waiver.check!r} is no check that may be waived"
        raise DeclarationError(file, f"{field}.check", problem, f"Use one of {', '.join(known)}.")
    last = datetime.now(UTC).date() + LONGEST_WAIVER
    if waiver.expires > last:
        problem = f"{waiver.expires} is more than {LONGEST_WAIVER.days} days from today"
        remedy = f"Use {last} or sooner, or change what is promised."
        raise DeclarationError(file, f"{field}.expires", problem, remedy)


def _check_reference(
    contract: Contract, column: Column, field: str, reference: Reference, find: Callable[[str, str], Contract | None]
) -> None:
    own = (reference.source, reference.stream) == (contract.source, contract.stream)
    target = contract if own else find(reference.source, reference.stream)
    if target is None:
        problem = f"{reference.source} has no stream {reference.stream!r}"
        raise DeclarationError(contract.file, f"{field}.to", problem, "Name a stream of a file in include/sources.")
    found = {each.name: each for each in target.stored}.get(reference.column)
    if found is None:
        remedy = f"Name one of {', '.join(each.name for each in target.stored)}."
        raise DeclarationError(
            contract.file, f"{field}.to", f"{target.file.name} stores no {reference.column!r}", remedy
        )
    if found.type != column.type:
        problem = f"{reference} is {found.type}, {column.name} is {column.type}"
        raise DeclarationError(contract.file, f"{field}.to", problem, "Refer to a column of the same type.")
    hashed = [each.privacy is Privacy.HASH for each in (column, found)]
    if hashed[0] != hashed[1] or Privacy.MASK in (column.privacy, found.privacy) or not column.is_stored:
        problem = f"{column.name} and {reference} are not stored alike: their privacy differs, or hides their values"
        raise DeclarationError(contract.file, f"{field}.to", problem, "Hash both, or none.")
