"""Arranges what keeps lake and warehouse in order: retention, conforming again, replaying quarantine, rolling back."""

from typing import Any, cast

from airflow.sdk import Param, TaskGroup, task_group

from datastack.contract.registry import load_source, source_names
from datastack.operators.announce import AnnounceOperator
from datastack.operators.conform import ConformOperator
from datastack.operators.copy import CopyOperator
from datastack.operators.gate import GateStreamOperator
from datastack.operators.maintain_lake import DeleteExpiredOperator, PlanRetentionOperator
from datastack.operators.reconform import PlanReconformOperator
from datastack.operators.replay import PlanReplayOperator, ReplayOperator
from datastack.operators.rollback import PlanRollbackOperator, RollBackOperator
from datastack.pipelines.assets import raw_asset
from datastack.pipelines.settings import moment

CHOSEN = {"source": "{{ params.source }}", "stream": "{{ params.stream }}"}


def expire_lake() -> None:
    """Add what says what may go from the lake, and what deletes it."""
    plan = PlanRetentionOperator(task_id="plan")
    DeleteExpiredOperator(task_id="delete", plan=plan.output)


def expire_params() -> dict[str, Param]:
    """Parameters of the run that applies retention."""
    return {"dry_run": Param(False, type="boolean", description="Only say what would be deleted.")}


def reconform_stream() -> None:
    """Add what conforms a stream again from landing, loads it, gates it and tells who waits for it."""
    plan = PlanReconformOperator(task_id="plan", **CHOSEN)
    conformed = ConformOperator(task_id="conform", manifest_key=plan.output, **CHOSEN)
    copied = CopyOperator(task_id="copy", manifest_key=conformed.output, **CHOSEN)
    gate = GateStreamOperator(task_id="gate", **CHOSEN)
    copied >> gate >> AnnounceOperator(task_id="announce", streams=[CHOSEN], asset=raw_asset)


def reconform_params() -> dict[str, Param]:
    """Parameters of the run that conforms a stream again."""
    skipping = "Leave out slices whose landing is past its retention; the run fails on them otherwise."
    return {
        "source": Param(type="string", enum=source_names(), description="A declared source."),
        "stream": Param(type="string", enum=_streams(), description="One of its streams."),
        "window_start": moment("First moment of the slices to conform; empty for all."),
        "window_end": moment("First moment after the slices to conform; empty for all."),
        "skip_expired": Param(False, type="boolean", description=skipping),
    }


def replay_quarantine() -> None:
    """Add what replays the quarantined rows of each stream that has some, gates it, and tells who waits for it."""

    @task_group(group_id="stream")
    def of_stream(source: Any, stream: Any) -> None:
        named = {"source": source, "stream": stream, "map_index_template": "{{ task.source }}.{{ task.stream }}"}
        replay = ReplayOperator(task_id="replay", **named)
        replay >> GateStreamOperator(task_id="gate", **named)

    plan = PlanReplayOperator(task_id="plan", source="{{ params.source or '' }}", stream="{{ params.stream or '' }}")
    group = cast("TaskGroup", of_stream.expand_kwargs(plan.output))
    replayed = cast("ReplayOperator", group.children["stream.replay"]).output
    group >> AnnounceOperator(task_id="announce", streams=replayed, asset=raw_asset, trigger_rule="none_failed")


def replay_params() -> dict[str, Param]:
    """Parameters of the run that replays quarantined rows."""
    return {
        "source": _optional(source_names(), "A declared source; empty for all."),
        "stream": _optional(_streams(), "One of its streams; empty for all."),
    }


def roll_back_domain() -> None:
    """Add what says which publication of a domain may be taken back, and what takes it back."""
    plan = PlanRollbackOperator(task_id="plan", domain="{{ params.domain }}")
    RollBackOperator(task_id="roll_back", domain="{{ params.domain }}", publication_id=plan.output)


def roll_back_params(domains: list[str]) -> dict[str, Param]:
    """Parameters of the run that rolls back."""
    return {
        "domain": Param(domains[0], type="string", enum=domains, description="Whose last publication is taken back."),
        "dry_run": Param(True, type="boolean", description="Only say what would be taken back."),
    }


def _streams() -> list[str]:
    return sorted({stream for name in source_names() for stream in load_source(name).source.streams})


def _optional(choices: list[str], description: str) -> Param:
    return Param(None, type=["null", "string"], enum=[None, *choices], description=description)
