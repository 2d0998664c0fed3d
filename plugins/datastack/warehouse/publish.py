"""Brings audited marts to their readers in one transaction, and writes down what a rollback needs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from datastack.contract.sql import identifier, identifiers, sql
from datastack.warehouse import kept, readers
from datastack.warehouse.exchange import Exchange
from datastack.warehouse.load import RunRef, WarehouseError
from datastack.warehouse.marts import (
    MARTS,
    Mart,
    Published,
    build_schema,
    kept_name,
    kept_schema,
    published_name,
)
from datastack.warehouse.plan import lock_domain, require_gated, require_planned
from datastack.warehouse.reshape import Reshaping, Shape, shape_of, swap
from datastack.warehouse.transaction import transaction


@dataclass(frozen=True)
class Release:
    """The code that built the marts: a checksum of each model, the version of dbt, and that of the project."""

    models: Mapping[str, str]
    dbt_version: str
    version: str


@dataclass(frozen=True)
class Publication:
    """What was published.

    :param left: marts of the publication before that are of no model any more; readers keep them as they are.
    :param warnings: what could not be tidied up, though everything is published; who reads more than is meant.
    :param is_new: False if an earlier try of the run has committed it.
    """

    publication_id: int
    marts: tuple[Published, ...]
    left: tuple[str, ...]
    warnings: tuple[str, ...]
    is_new: bool = True


@dataclass(frozen=True)
class _Built:
    """A mart as it is built.

    ``copy`` names the table that keeps the published one as it was, if its shape changes; ``renamed`` says which of its
    columns stand ready to take over, by another type.
    """

    mart: Mart
    shape: Shape
    is_new: bool
    copy: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


def publish(
    uri: str, domain: str, marts: Sequence[Mart], streams: Sequence[tuple[str, str]], release: Release, run: RunRef
) -> Publication:
    """Make every mart equal its built one, in one transaction: readers see all of it or nothing, and never wait.

    Columns that are new come before the rows, empty; columns that are no more go after them. If the run's plan is
    published already, by a try that was lost after its commit, only what that left undone is done: a second
    publication would have nothing to take back.

    :param uri: libpq address of the warehouse, as the transformer role.
    :param streams: source and stream names that the domain reads.
    :raises NewlyUngatedError: if rows came since the plan that no gate has let pass.
    :raises WarehouseError: if it fails, another run has planned since, or readers don't let go of a table whose columns
        change. Readers keep the rows that they had.
    """
    doing = f"publishing {domain}"
    with transaction(uri, doing) as guard:  # holds the lock while other transactions work
        lock_domain(guard, domain)
        planned = require_planned(guard, domain, run)
        standing = _standing(guard, domain)
        if planned.is_published:
            (publication_id, done), *before = standing
            return _finished(uri, domain, Publication(publication_id, done, _left(before, done), (), is_new=False))
        require_gated(guard, domain, streams)
        guard.execute("select nextval('ops.publications_publication_id_seq')")
        publication_id = int(guard.fetchone()[0])
        with transaction(uri, doing) as db:
            kept.forget(db, domain)  # what tries that failed have left
        built = [_built(guard, domain, mart) for mart in marts]
        built = [_expanded(uri, domain, publication_id, each) for each in built]
        with transaction(uri, doing, one_snapshot=True) as db:
            lock_tables(db, _tables(domain, built, MARTS), "share row exclusive")
            lock_tables(db, _tables(domain, built, build_schema(domain)), "access share")
            exchanges = (
                _exchange(db, domain, publication_id, each, whole=planned.whole, keeps=bool(standing)) for each in built
            )
            done = tuple(exchanges)
            values = (
                publication_id,
                domain,
                json.dumps([each.entry() for each in done]),
                run.dag_id,
                run.run_id,
                run.try_number,
                planned.whole,
                json.dumps(dict(release.models)),
                release.dbt_version,
                release.version,
                bool(standing),
            )
            db.execute(sql("ops/insert_publication"), values)
            db.execute(sql("ops/insert_publication_loads"), (publication_id, domain))
            db.execute("update ops.plans set published_at = clock_timestamp() where domain = $1", (domain,))
            db.execute("delete from ops.holds where domain = $1", (domain,))
            kept.forget(db, domain)
            known = [Reshaping(uri, MARTS, each.mart.table) for each in built if not each.is_new]
            swap(db, known, {each.mart.table: each.renamed for each in built})
        return _finished(uri, domain, Publication(publication_id, done, _left(standing, done), ()))


_Standing = tuple[int, tuple[Published, ...]]


def _standing(db: Any, domain: str) -> list[_Standing]:
    """The last two publications that stand, newest first."""
    db.execute(sql("ops/standing_publications"), (domain, 2))
    return [(row[0], tuple(Published(**each) for each in row[1])) for row in db.fetchall()]


def _left(before: Sequence[_Standing], done: Sequence[Published]) -> tuple[str, ...]:
    """Marts of the newest publication before this one that are not of this one."""
    tables = {each.table for _, published in before[:1] for each in published}
    return tuple(sorted(tables - {each.table for each in done}))


def _finished(uri: str, domain: str, publication: Publication) -> Publication:
    """Do what is to be done after the commit, and can be done again."""
    warnings = (warning for each in publication.marts for warning in _contracted(uri, domain, each))
    return replace(publication, warnings=tuple(warnings))


def _built(db: Any, domain: str, mart: Mart) -> _Built:
    name = identifier(build_schema(domain), mart.table)
    shape = shape_of(db, name)
    if shape is None:
        raise WarehouseError(f"{name} does not exist: did its dbt model run? Nothing was published")
    return _Built(mart, shape, is_new=shape_of(db, published_name(mart.table)) is None)


def _expanded(uri: str, domain: str, publication_id: int, built: _Built) -> _Built:
    """Bring the published table to hold all built columns; keep it as it was, if its columns change."""
    table = built.mart.table
    if built.is_new:
        return built
    with transaction(uri, f"keeping marts.{table} as it is") as db:
        if dict(shape_of(db, published_name(table)) or {}) == built.shape:
            return built
        copy = kept_name(publication_id, table, "copy")
        db.execute(
            f"create table {identifier(kept_schema(domain), copy)} as select * from {published_name(table)}"  # noqa: S608
        )
    renamed = Reshaping(uri, MARTS, table).expand(built.shape)
    return replace(built, copy=copy, renamed=renamed)


def _contracted(uri: str, domain: str, published: Published) -> list[str]:
    """Take from the published table what is not built any more; everything is published, so only tell if it fails."""
    table, reshaping = published.table, Reshaping(uri, MARTS, published.table)
    mart = Mart(table, published.is_restricted)
    try:
        if "copy" in published.kept and published.columns:  # they were changed; older entries of the ledger tell none
            reshaping.contract(published.columns)
        reshaping.show()
        with transaction(uri, f"granting marts.{table} to its readers") as db:
            readers.grant(db, mart)
            readers.comment(db, identifier(build_schema(domain), table), reshaping.name)
            return readers.uninvited(db, mart)
    except WarehouseError as error:
        return [f"the publication stands, but: {error}. The next publication tries again"]


def _tables(domain: str, built: Sequence[_Built], schema: str) -> list[str]:
    return [identifier(schema, each.mart.table) for each in built if not (each.is_new and schema == MARTS)]


def lock_tables(db: Any, tables: Sequence[str], mode: str) -> None:
    """Lock tables before the transaction's first look at any: what it sees then is no older than the locks."""
    db.execute("set local lock_timeout = '5min'")
    db.execute("set local work_mem = '128MB'")
    db.execute("set local enable_mergejoin = off")  # the planner knows nothing of hashes of rows, and would sort them
    db.execute("set local timezone = 'UTC'")
    if tables:
        db.execute(f"lock table {', '.join(sorted(tables))} in {mode} mode")


def _exchange(db: Any, domain: str, publication_id: int, built: _Built, *, whole: bool, keeps: bool) -> Published:
    mart, columns = built.mart, list(built.shape)
    source, target = identifier(build_schema(domain), mart.table), published_name(mart.table)
    if built.is_new:
        db.execute(f"create table {target} as select {identifiers(columns)} from {source} with no data")  # noqa: S608
    slices = None if whole or built.is_new or built.copy else mart.slices
    exchange = Exchange(source, target, columns, domain, slices, built.renamed)
    names = {} if built.is_new or built.copy or not keeps else _kept_names(publication_id, mart.table)
    place = {what: identifier(kept_schema(domain), name) for what, name in names.items()}
    deleted = exchange.delete(db, place.get("removed"))
    inserted = exchange.insert(db, place.get("added"))
    for what, changed in (("removed", deleted), ("added", inserted)):
        if what in names and not changed:
            kept.drop(db, domain, [names.pop(what)])
    if built.copy:
        names["copy"] = built.copy
    if inserted or deleted:
        db.execute(f"analyze {target}")
    if built.is_new or mart.is_restricted:  # columns that are restricted may be there still; they go after the rows
        readers.grant(db, mart)
    how = "replaced" if built.is_new or built.copy else "slices" if slices else "whole"
    rows = exchange.require_equal(db)
    return Published(mart.table, rows, deleted, inserted, how, built.is_new, names, mart.is_restricted, columns)


def _kept_names(publication_id: int, table: str) -> dict[str, str]:
    return {what: kept_name(publication_id, table, what) for what in ("removed", "added")}
