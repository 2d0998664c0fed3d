"""Derives a Soda contract from a stream's data contract: what is promised is what is checked.

Which check follows from which field: docs/reference/gates.md.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from datastack.contract.model import Column, Contract, Reference, Rule
from datastack.contract.promises import column_checks
from datastack.contract.sql import identifier, identifiers, sql
from datastack.quality.outcomes import Note

FEWEST_SLICES = 4  # a median of fewer says nothing


@dataclass(frozen=True)
class NewSlice:
    """A slice that was loaded since the last gate, and what is usual: the median of ``slices`` slices before it."""

    start: datetime
    end: datetime
    load_ids: tuple[int, ...]
    slices: int
    median: float | None


@dataclass(frozen=True)
class Scope:
    """What a gate looks at.

    ``after`` and ``through`` are load ids: the rows of the loads between them are checked, or all rows if they are
    None. ``rows`` is how many the ledger says there are, None if it does not matter. ``loaded_until`` is the end of
    the newest slice. ``loaded`` are the streams, as ``source.stream``, that references can be looked up in.
    """

    after: int | None = None
    through: int | None = None
    rows: int | None = None
    loaded_until: datetime | None = None
    slices: tuple[NewSlice, ...] = ()
    loaded: frozenset[str] = frozenset()

    @property
    def filter(self) -> str | None:
        """SQL that holds for the rows to check; None if it are all."""
        return None if self.through is None else f"_load_id > {self.after or 0} and _load_id <= {self.through}"

    @property
    def is_empty(self) -> bool:
        """Whether the ledger says that there is no row to check."""
        return self.through is not None and self.rows == 0


@dataclass(frozen=True)
class Derived:
    """A Soda contract, and what Soda has no place for: notes on its checks, by the path that Soda knows them by."""

    content: dict[str, Any]
    notes: dict[str, Note]


@dataclass(frozen=True)
class _Check:
    """A check of Soda's kind ``type``; ``id`` is what a waiver names, ``on`` the column that it stands at."""

    id: str
    type: str
    body: dict[str, Any]
    on: str | None = None
    qualifier: str = ""
    column: str | None = None
    detail: str | None = None

    @property
    def name(self) -> str:
        return f"{self.id} {self.qualifier}".strip()

    @property
    def path(self) -> str:
        return f"{f'columns.{self.on}.' if self.on else ''}checks.{self.type}.{self.name}"

    @property
    def declared(self) -> dict[str, Any]:
        return {self.type: self.body | {"name": self.name, "qualifier": self.name}}


_EVERYTHING = Scope()


def soda_contract(contract: Contract, dataset: str, scope: Scope = _EVERYTHING, versions: bool = False) -> Derived:
    """Soda v4 contract for the raw table of a stream.

    :param dataset: Soda's qualified name, ``<data source>/<database>/<schema>/<table>``.
    :param versions: whether the table keeps all versions of a row.
    """
    table = identifier(*dataset.split("/")[-2:])
    checks = list(_checks(contract, table, scope, versions))
    columns = []
    for column in contract.stored:
        declared = [check.declared for check in checks if check.on == column.name]
        columns.append({"name": column.name} | ({"checks": declared} if declared else {}))
    content = {"dataset": dataset, "checks": [check.declared for check in checks if not check.on], "columns": columns}
    waivers = {waiver.check: waiver for waiver in contract.waivers}
    notes = {check.path: Note(check.column, check.detail, waivers.get(check.id)) for check in checks}
    return Derived(content | ({"filter": scope.filter} if scope.filter else {}), notes)


def digest(contract: Contract, today: date, versions: bool = False) -> str:
    """What a contract's checks amount to, with the waivers that hold today: rows that passed by it need not again."""
    whole = Scope(loaded=frozenset(f"{each.source}.{each.stream}" for each, _ in _references_of(contract)))
    checks = soda_contract(contract, "a/b/c/d", whole, versions).content
    held = sorted(waiver.check for waiver in contract.waivers if waiver.expires >= today)
    promised = [checks, str(contract.freshness), str(contract.band), held]
    return hashlib.sha256(json.dumps(promised, sort_keys=True, default=str).encode()).hexdigest()


def _checks(contract: Contract, table: str, scope: Scope, versions: bool) -> Iterator[_Check]:
    """All checks: where there are no rows to check, those on the table as a whole."""
    # As a table grows, it has more columns, in another order.
    yield _Check("schema", "schema", {"allow_extra_columns": True, "allow_other_column_order": True})
    # On no rows, every other check passes.
    rows = {"must_be": 0} if scope.is_empty else {"must_be_greater_than": 0}
    yield _Check("row_count", "row_count", {"threshold": rows})
    yield _minimum_rows(contract, table)
    yield from _bands(contract, scope)
    yield from _freshness(contract, table, scope)
    if not scope.is_empty:
        yield from _key(contract, table, scope, versions)
        yield from _references(contract, table, scope)
        for column in contract.stored:
            yield from _column(column)


def _minimum_rows(contract: Contract, table: str) -> _Check:
    """Whether the whole table has the least number of rows; no more of them are counted."""
    query = sql("gates/minimum_rows", table=table, rows=str(contract.minimum_rows))
    threshold = {"must_be_greater_than_or_equal": contract.minimum_rows}
    return _Check("minimum_rows", "metric", {"query": query, "threshold": threshold})


def _bands(contract: Contract, scope: Scope) -> Iterator[_Check]:
    if contract.band is None:
        return
    for each in scope.slices:
        query = sql("gates/slice_rows", load_ids=", ".join(map(str, each.load_ids)))
        threshold: dict[str, Any] = {"must_be_greater_than_or_equal": 0}
        detail = None
        if each.slices < FEWEST_SLICES or not each.median:
            before = f"{each.slices} slices of its length are loaded in the {contract.band.weeks} weeks before it"
            why = f"{FEWEST_SLICES} make a median" if each.slices < FEWEST_SLICES else "their median is 0 rows"
            detail = f"no band: {before}; {why}"
        else:
            low, high = (round(each.median * share / 100, 2) for share in (contract.band.low, contract.band.high))
            between = {"greater_than_or_equal": low, "less_than_or_equal": high}
            threshold = {"must_be_between": between, "level": contract.band.level.value}
        when = f"of {_stamp(each.start)} to {_stamp(each.end)}"
        body = {"query": query, "threshold": threshold}
        yield _Check("row_count_band", "metric", body, qualifier=when, detail=detail)


def _freshness(contract: Contract, table: str, scope: Scope) -> Iterator[_Check]:
    """Hours between the newest row of the whole table and the end of the newest slice: history can be loaded late."""
    if contract.freshness is None or contract.freshness_column is None:
        return
    column, kind = identifier(contract.freshness_column), contract.type_of(contract.freshness_column)
    newest = {
        "timestamptz": f"max({column})",
        "timestamp": f"max({column}) at time zone 'UTC'",
        "date": f"(max({column}) + 1)::timestamp at time zone 'UTC'",  # a day's rows may be as new as its end
    }[kind]
    end = scope.loaded_until or datetime.min.replace(tzinfo=UTC)
    query = sql("gates/freshness_hours", table=table, newest=newest, end=end.isoformat())
    threshold = {"must_be_less_than_or_equal": contract.freshness / timedelta(hours=1)}
    body = {"query": query, "threshold": threshold}
    yield _Check("freshness", "metric", body, qualifier="in hours", column=contract.freshness_column)


def _key(contract: Contract, table: str, scope: Scope, versions: bool) -> Iterator[_Check]:
    """Keys of rows to check that more than one row of the whole table has."""
    if not contract.key:
        return
    current = "_is_current" if versions else "true"
    parts = {"table": table, "key": identifiers(contract.key), "current": current}
    if scope.filter:
        query = sql("gates/keys_twice_among", **parts, filter=scope.filter)
    else:
        query = sql("gates/keys_twice", **parts)
    body = {"query": query, "threshold": {"must_be": 0}}
    yield _Check("key", "failed_rows", body, qualifier=", ".join(contract.key))


def _references(contract: Contract, table: str, scope: Scope) -> Iterator[_Check]:
    """Rows whose value is not found where it refers to; all that have one, if that was never loaded."""
    for reference, column in _references_of(contract):
        is_loaded = f"{reference.source}.{reference.stream}" in scope.loaded
        query = sql(
            "gates/dangling" if is_loaded else "gates/present",
            table=table,
            column=identifier(column.name),
            filter=scope.filter or "true",
            target=identifier(f"raw_{reference.source}", reference.stream),
            target_column=identifier(reference.column),
        )
        yield _Check(
            f"reference:{column.name}",
            "failed_rows",
            {"query": query, "threshold": {"must_be": 0, "level": reference.level.value}},
            qualifier=f"in {reference}",
            column=column.name,
            detail=None if is_loaded else f"{reference.source}.{reference.stream} was never loaded",
        )


def _references_of(contract: Contract) -> Sequence[tuple[Reference, Column]]:
    return [(reference, column) for column in contract.stored for reference in column.references]


def _column(column: Column) -> Iterator[_Check]:
    rules: dict[str, dict[str, Any]] = {
        "missing": {},
        "values": {"valid_values": list(column.allowed)},
        "pattern": {"valid_format": {"regex": column.pattern, "name": column.pattern}},
        "range": {"valid_min": column.minimum, "valid_max": column.maximum},
    }
    for kind in column_checks(column):
        if kind in rules:
            type_, rule = ("missing", column.missing or Rule()) if kind == "missing" else ("invalid", column.invalid)
            what = {key: value for key, value in rules[kind].items() if value is not None}
            yield _Check(f"{kind}:{column.name}", type_, what | {"threshold": _threshold(rule)}, column.name)


def _threshold(rule: Rule) -> dict[str, Any]:
    metric = {"rows": "count", "percent": "percent"}[rule.unit]
    return {"metric": metric, "must_be_less_than_or_equal": rule.at_most, "level": rule.level.value}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
