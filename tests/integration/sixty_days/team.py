"""The team that runs the engine on the sources: it loads slices, transforms, and is met by faults of every kind."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datastack.contract.registry import load_source
from datastack.operators.conform import ConformOperator
from datastack.operators.copy import CopyOperator
from datastack.operators.extract_api import ExtractApiOperator
from datastack.operators.extract_documents import ExtractDocumentsOperator
from datastack.operators.extract_files import ExtractFilesOperator
from datastack.operators.gate import GateMartsOperator, GateStreamOperator
from datastack.operators.move import MoveDatabaseOperator
from datastack.operators.plan import PlanOperator
from datastack.operators.publish import PublishOperator
from datastack.operators.rollback import PlanRollbackOperator, RollBackOperator
from datastack.quality.outcomes import GateError
from datastack.transform.parse import make_manifest
from datastack.warehouse.load import WarehouseError
from tests.integration.harness import ROOT, Stack, in_thread, wait_for
from tests.integration.sixty_days.sources import Sources, window

STREAMS = {
    "retail_db": ("households", "products", "transactions"),
    "marketing_api": ("campaigns", "campaign_households", "coupons", "redemptions"),
    "promotions": ("promotions",),
    "leaflets": ("leaflets",),
}
PAIRS = [(source, stream) for source, streams in STREAMS.items() for stream in streams]
_FIXED = ("    quantity,\n", "    quantity + 1 as quantity,\n")
_TILL = """      - name: till_id
        logicalType: string
        physicalType: text
        description: The till, by the number that it gives itself
"""


class DbtFailure(Exception):
    """dbt did not build everything."""


@dataclass(frozen=True)
class Slice:
    """Days of a stream, the last one included; ``campaigns`` stands for all streams of the API."""

    stream: str
    first: int
    last: int

    @property
    def days(self) -> range:
        """Its days."""
        return range(self.first, self.last + 1)


@dataclass
class Team:
    """Operators, run as their tasks are.

    :param folder: an empty one, for the project that the team works on.
    """

    stack: Stack
    sources: Sources
    folder: Path
    sales: dict[int, int] = field(default_factory=dict)  # when a day's purchases were loaded last
    weeks: dict[int, int] = field(default_factory=dict)  # when a week's file was loaded last
    _runs: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        from dbt.cli.main import dbtRunner

        self._dbt = dbtRunner()
        shutil.copytree(ROOT / "include", self.include, ignore=shutil.ignore_patterns("target", "logs"))
        self._load_leaflets(self._context(window(1, 1)))

    @property
    def include(self) -> Path:
        """What the team has declared."""
        return self.folder / "include"

    # Code

    def code(self, *, is_right: bool) -> None:
        """Take the models as they are, or with an error in an incremental one."""
        file = Path("dbt", "models", "marts", "retail", "fct_purchases.sql")
        text = (ROOT / "include" / file).read_text()
        assert _FIXED[0] in text
        (self.include / file).write_text(text if is_right else text.replace(*_FIXED))
        make_manifest()

    def contract_with_till(self) -> None:
        """Take the next minor version of the contract of purchases, which has a column more."""
        file = self.include / "contracts" / "retail_db" / "transactions.odcs.yaml"
        file.write_text(file.read_text().replace("version: 1.0.0", "version: 1.1.0") + _TILL)
        load_source.cache_clear()

    # Loads

    def load(self, slice_: Slice, **params: Any) -> None:
        """Bring a slice to its raw table."""
        at, context = window(slice_.first, slice_.last), self._context
        if slice_.stream == "campaigns":
            self._load_api(context(at, **params))
        elif slice_.stream == "promotions":
            self._load_files(context(at, **params))
            self.weeks |= {(day + 6) // 7: self.sources.now for day in slice_.days if day % 7 == 1}
        else:
            names = {"source": "retail_db", "stream": slice_.stream}
            MoveDatabaseOperator(task_id="move", **names).execute(context(at, **params))
            if slice_.stream == "transactions":
                self.sales |= dict.fromkeys(slice_.days, self.sources.now)

    def _load_api(self, context: Any) -> None:
        landed = {}
        for stream in STREAMS["marketing_api"]:
            names = {"source": "marketing_api", "stream": stream}
            if stream != "campaign_households":
                landed[stream] = ExtractApiOperator(task_id="extract", **names).execute(context)
            key = landed.get(stream, landed["campaigns"])
            conformed = ConformOperator(task_id="conform", manifest_key=key, **names).execute(context)
            CopyOperator(task_id="copy", manifest_key=conformed, **names).execute(context)

    def _load_files(self, context: Any) -> None:
        names = {"source": "promotions", "stream": "promotions"}
        landed = ExtractFilesOperator(task_id="extract", **names).execute(context)
        conformed = ConformOperator(task_id="conform", manifest_key=landed, **names).execute(context)
        CopyOperator(task_id="copy", manifest_key=conformed, **names).execute(context)

    def _load_leaflets(self, context: Any) -> None:
        names = {"source": "leaflets", "stream": "leaflets"}
        landed = ExtractDocumentsOperator(task_id="extract", **names).execute(context)
        CopyOperator(task_id="copy", manifest_key=landed, **names).execute(context)

    def load_killed(self, slice_: Slice) -> None:
        """Let the warehouse kill the load when its rows are copied and not committed, then try again."""
        before = self.stack.state()
        with self.stack.ledger_locked():
            finish = in_thread(self.load, slice_)
            self.stack.wait_for_copy()
            victim = "wait_event_type = 'Lock' and query ~* 'into ops.loads'"
            self.stack.rows(f"select pg_terminate_backend(pid) from pg_stat_activity where {victim}")
            with pytest.raises(WarehouseError):
                finish()
        assert self.stack.state() == before
        self.load(slice_)

    @contextmanager
    def committing_late(self, slice_: Slice) -> Iterator[None]:
        """Let a load that has its number commit at the end of the block, behind loads with greater numbers."""
        with closing(self.stack.warehouse.connect("warehouse")) as db:
            db.execute("begin")
            db.execute("select from ops.watermarks where stream = %s for update", (slice_.stream,))
            finish = in_thread(self.load, slice_)
            waits = "wait_event_type = 'Lock' and query ~* 'into ops.watermarks'"
            wait_for(lambda: self.stack.one(f"select count(*) from pg_stat_activity where {waits}") == 1)
            yield
        finish()

    def due_sales(self) -> list[int]:
        """Days whose purchases are not loaded as they are now."""
        changed = self.sources.changed_sales()
        return sorted(day for day, moment in changed.items() if self.sales.get(day, 0) < moment)

    def due_weeks(self) -> list[int]:
        """Weeks whose file is not loaded as it is now."""
        changed = self.sources.changed_weeks()
        return sorted(week for week, moment in changed.items() if self.weeks.get(week, 0) < moment)

    # Transforms, by their tasks

    def gate_raw(self) -> None:
        """Let the gates of all streams look at what was loaded.

        :raises GateError: of the first that is closed, after all have looked.
        """
        closed = []
        for source, stream in PAIRS:
            try:
                GateStreamOperator(task_id="gate", source=source, stream=stream).execute(self._context())
            except GateError as error:
                closed.append(error)
        if closed:
            raise closed[0]

    def plan(self, run: str, **params: Any) -> dict[str, Any]:
        """Plan."""
        return PlanOperator(task_id="plan", domain="retail", streams=PAIRS).execute(self._context(run=run, **params))

    def dbt(self, plan: dict[str, Any]) -> None:
        """Build the project.

        :raises DbtFailure: with what is not good.
        """
        project, target = str(self.include / "dbt"), str(self.folder / "target")
        options = ["--project-dir", project, "--profiles-dir", project, "--target-path", target, "--log-path", target]
        command = ["build", "--exclude-resource-type", "unit_test", "--log-level", "none", *options]
        done = self._dbt.invoke([*command, *(["--full-refresh"] if plan["full_refresh"] else [])])
        results = getattr(done.result, "results", ())
        bad = [f"{each.node.name}: {each.message}" for each in results if each.status in ("error", "fail")]
        if not done.success:
            raise DbtFailure("\n".join(bad) or repr(done.exception))
        assert results

    def gate_marts(self, run: str) -> None:
        """Let the gate look at what dbt built."""
        GateMartsOperator(task_id="gate", domain="retail").execute(self._context(run=run))

    def publish(self, run: str) -> None:
        """Publish."""
        PublishOperator(task_id="publish", domain="retail", streams=PAIRS).execute(self._context(run=run))

    def transform(self, run: str, **params: Any) -> dict[str, Any]:
        """Run all tasks; return what plan returned."""
        self.gate_raw()
        plan = self.plan(run, **params)
        self.dbt(plan)
        self.gate_marts(run)
        self.publish(run)
        return plan

    def roll_back(self) -> None:
        """Take the last publication back."""
        context = self._context(run="rollback", dry_run=False)
        planned = PlanRollbackOperator(task_id="plan", domain="retail").execute(context)
        RollBackOperator(task_id="roll_back", domain="retail", publication_id=planned).execute(context)

    def reason(self) -> str:
        """Why the plan that stands is as it is."""
        found: str = self.stack.one("select reason from ops.plans")
        return found

    @contextmanager
    def refused(self, table: str) -> Iterator[None]:
        """Let a table take no new row."""
        with self.stack.warehouse.connect("warehouse") as db:
            db.execute(f"alter table {table} add constraint closed check (false) not valid")
            yield
            db.execute(f"alter table {table} drop constraint closed")

    def _context(self, at: Any = (None, None), run: str = "", **params: Any) -> Any:
        run_id = run or f"load {next(self._runs)}"
        return {
            "params": {"window_start": at[0], "window_end": at[1], **params},
            "dag_run": SimpleNamespace(data_interval_start=None, data_interval_end=None, run_after=None),
            "ti": SimpleNamespace(dag_id="sixty_days", run_id=run_id, try_number=1),
        }


@contextmanager
def team(stack: Stack, sources: Sources, folder: Path) -> Iterator[Team]:
    """Give a team that works on a project of its own."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATASTACK_INCLUDE", str(folder / "include"))
        patch.setenv("DATASTACK_WAREHOUSE_PORT", str(stack.warehouse.port))
        patch.setenv("DATASTACK_WAREHOUSE_PASSWORD", stack.servers.secrets["PG_TRANSFORMER_PASSWORD"])
        load_source.cache_clear()
        try:
            yield Team(stack, sources, folder)
        finally:
            load_source.cache_clear()
