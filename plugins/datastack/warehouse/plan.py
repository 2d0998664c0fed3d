"""Plans what a domain's transform takes: the loads that no standing publication holds. The plan is in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datastack.contract.sql import sql
from datastack.warehouse.load import RunRef, WarehouseError
from datastack.warehouse.transaction import transaction

_BY_FORCE = "; by force, with rows that no gate has let pass: "


class NothingToPlanError(Exception):
    """There is nothing that a transform should do now; says why."""


class NewlyUngatedError(Exception):
    """What is built may hold rows that came after the plan, and that no gate has let pass; says of which loads."""


@dataclass(frozen=True)
class Code:
    """The models as they are: a checksum each of all that decides its rows, and which of them are incremental."""

    checksums: Mapping[str, str]
    incremental: frozenset[str]


@dataclass(frozen=True)
class Wish:
    """What a person asked of the run.

    :param force: build although no load is new, the domain is on hold, or a gate has not let pass what is loaded.
    :param full_refresh: build incremental models anew.
    """

    force: bool = False
    full_refresh: bool = False


@dataclass(frozen=True)
class Plan:
    """Number of loads that are new; why they are built; ``whole`` if incremental models are built anew.

    ``ungated`` if rows are built, by force, that no gate has let pass.
    """

    loads: int
    whole: bool
    reason: str
    ungated: bool = False


@dataclass(frozen=True)
class _State:
    """What the ledger says of a domain's publications."""

    publication_id: int | None
    models: Mapping[str, str] | None
    rolled_back: int | None
    left_over: str | None
    hold: str | None


@dataclass(frozen=True)
class _Ungated:
    """Loads of a stream that have passed no gate yet, and the run that brought the newest of them."""

    source: str
    stream: str
    load_ids: Sequence[int]
    dag_id: str
    run_id: str

    def __str__(self) -> str:
        ids = ", ".join(map(str, self.load_ids[:5]))
        more = f" and {len(self.load_ids) - 5} more" if len(self.load_ids) > 5 else ""
        return f"{self.source}.{self.stream} (load {ids}{more}, the last by {self.dag_id}, {self.run_id})"


def lock_domain(db: Any, domain: str) -> None:
    """Wait until nobody else plans, publishes or rolls back the domain; held to the end of the transaction."""
    db.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", (f"datastack.publish.{domain}",))
    db.fetchall()


def make_plan(uri: str, domain: str, streams: Sequence[tuple[str, str]], code: Code, wish: Wish, run: RunRef) -> Plan:
    """Write down what the run takes, in the place of what was planned before.

    :param streams: source and stream names that the domain reads.
    :raises NothingToPlanError: if there is nothing to do, the domain is on hold, or rows are loaded that no gate has
        let pass: dbt reads whole tables. What was planned before stays.
    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, f"planning {domain}") as db:
        lock_domain(db, domain)
        _require_loaded(db, streams)
        db.execute(sql("ops/publication_state"), (domain,))
        state = _State(*db.fetchone())
        if state.hold and not wish.force:
            raise NothingToPlanError(f"{domain} is on hold: {state.hold}. Trigger with force to publish again")
        names = [list(each) for each in zip(*streams, strict=True)]
        db.execute(sql("ops/unpublished_loads"), (domain, *names))
        load_ids = [row[0] for row in db.fetchall()]
        plan = _plan(state, code, wish, len(load_ids))
        ungated = sql("ops/ungated_streams", loads="select * from ops.ungated_loads")
        db.execute(ungated, names)  # after the loads: none is planned that commits between the two
        plan = _gated(plan, [_Ungated(*row) for row in db.fetchall()], wish)
        values = (domain, run.dag_id, run.run_id, run.try_number, plan.whole, plan.reason)
        db.execute(sql("ops/upsert_plan"), values)
        db.execute("delete from ops.plan_loads where domain = $1", (domain,))
        db.execute(sql("ops/insert_plan_loads"), (domain, load_ids))
    return plan


def _require_loaded(db: Any, streams: Sequence[tuple[str, str]]) -> None:
    db.execute("select distinct source, stream from ops.loads")
    loaded = {(row[0], row[1]) for row in db.fetchall()}
    if awaited := [".".join(stream) for stream in streams if stream not in loaded]:
        raise NothingToPlanError(f"not loaded yet: {', '.join(awaited)}; the run that loads them starts this DAG again")


def _plan(state: _State, code: Code, wish: Wish, loads: int) -> Plan:
    """Decide, and say why."""
    changed = sorted(name for name, found in code.checksums.items() if (state.models or {}).get(name) != found)
    if whole := _whole(state, wish, sorted(code.incremental.intersection(changed))):
        return Plan(loads, whole=True, reason=whole)
    if loads:
        return Plan(loads, whole=False, reason=f"{loads} loads are new")
    if changed:
        return Plan(0, whole=False, reason=f"the code of {', '.join(changed)} is new")
    if wish.force:
        return Plan(0, whole=False, reason="force was asked for")
    raise NothingToPlanError("every load is published already; trigger with force to build all the same")


def _gated(plan: Plan, ungated: Sequence[_Ungated], wish: Wish) -> Plan:
    """Let only a forced plan take rows that no gate has let pass."""
    if not ungated:
        return plan
    named = "; ".join(map(str, ungated))
    if not wish.force:
        raise NothingToPlanError(
            f"no gate has let pass yet: {named}. Nothing is built, as dbt would read these rows too. Where the run is "
            "still at work, wait. Where its gate is closed, the gate's log says why: load what is right, or correct "
            "the contract, or waive the check, and clear the gate with what follows it. The run whose gate lets them "
            "pass starts this DAG again. Trigger with force to build all the same"
        )
    return replace(plan, reason=f"{plan.reason}{_BY_FORCE}{named}", ungated=True)


def _whole(state: _State, wish: Wish, changed: Sequence[str]) -> str | None:
    """Why incremental models have to be built anew, if they have to."""
    if wish.full_refresh:
        return "full_refresh was asked for"
    if state.rolled_back is not None:
        return f"publication {state.rolled_back} was rolled back"
    if state.publication_id is None:
        return "nothing is published yet"
    if changed:
        return f"the code of {', '.join(changed)} is new"
    # What such a plan has built may differ from what is published in any slice.
    return state.left_over.partition(_BY_FORCE)[0] if state.left_over else None


@dataclass(frozen=True)
class Planned:
    """A run's own plan: ``whole`` if incremental models were built anew; ``is_published`` once that is committed."""

    whole: bool
    is_published: bool


def require_planned(db: Any, domain: str, run: RunRef) -> Planned:
    """Make sure that the plan which stands is the run's own.

    :raises WarehouseError: if another run has planned since, or the plan was dropped by a rollback.
    """
    db.execute("select dag_id, run_id, whole, published_at is not null from ops.plans where domain = $1", (domain,))
    found = db.fetchone()
    clear = "Nothing was published; clear the run's plan task and what follows it, to plan anew"
    if found is None:
        raise WarehouseError(
            f"publishing {domain}: no plan stands; a rollback drops it. {clear} (after a rollback: trigger a new run "
            "with force)"
        )
    if (found[0], found[1]) != (run.dag_id, run.run_id):
        raise WarehouseError(
            f"publishing {domain}: the run {found[1]} of {found[0]} has planned since, so what is built may be of its "
            f"plan. {clear}"
        )
    return Planned(*found[2:])


def require_gated(db: Any, domain: str, streams: Sequence[tuple[str, str]]) -> None:
    """Make sure that no rows came since the plan that no gate has let pass: dbt may have read them.

    A gate that is open now has not seen the rows that a later load has replaced: it may hide what dbt has read.

    :param streams: source and stream names that the domain reads.
    :raises NewlyUngatedError: if there are some. Those of a plan by force are not.
    """
    names = [list(each) for each in zip(*streams, strict=True)]
    db.execute(sql("ops/ungated_streams", loads=sql("ops/ungated_since_plan")), (*names, domain))
    if ungated := [_Ungated(*row) for row in db.fetchall()]:
        raise NewlyUngatedError(
            f"loaded while {domain} was built, and let pass by no gate yet, or replaced before one could look: "
            f"{'; '.join(map(str, ungated))}. The marts that were built may hold these rows, so consumers keep what "
            "they have. The run whose gate lets pass what is loaded now starts this DAG again, if it has not done so"
        )
