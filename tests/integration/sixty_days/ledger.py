"""What must hold once everything is loaded and published: sources, lake, raw tables and ledger tell the same."""

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from tests.integration.harness import TRANSACTIONS, Stack
from tests.integration.sixty_days.sources import DAYS, window
from tests.integration.sixty_days.team import PAIRS, Team

_STANDING = """
    select coalesce(sum(lake_rows), 0)::bigint, array_agg(manifest_key)
    from ops.loads inner join ops.load_states using (load_id)
    where source = %s and stream = %s and stands"""
_UNEVEN = """
    select count(*) from ops.loads
    where source_rows <> lake_rows or quarantined_rows > 0
        or loaded_rows <> lake_rows and write_disposition in ('replace', 'replace_slice', 'append')"""
_STRAY = """
    select count(*) from {} as found
    where not exists (select from ops.load_states as s where s.load_id = found._load_id and s.stands)"""
KEYED = ("households", "redemptions", "leaflets")  # rows enter by key: loads overlap


def require_reconciled(team: Team) -> None:
    """Compare counts and rows; find nothing that is not published or has not passed its gate."""
    stack = team.stack
    assert stack.one(_UNEVEN) == 0
    assert stack.table(TRANSACTIONS) == stack.bought(window(1, DAYS))
    manifests = set(stack.manifests("conformed/"))
    for source, stream in PAIRS:
        _require_rows_of_loads(stack, source, stream, manifests)
    assert stack.rows("select * from ops.ungated_loads") == []
    with pytest.raises(AirflowSkipException, match="every load is published already"):
        team.plan("nothing is new")


def _require_rows_of_loads(stack: Stack, source: str, stream: str, manifests: set[str]) -> None:
    table = f"raw_{source}.{stream}"
    [(in_lake, keys)] = stack.rows(_STANDING, source, stream)
    assert set(keys) <= manifests, f"{table}: the lake lacks what the ledger names"
    assert stack.one(_STRAY.format(table)) == 0, f"{table} has rows of loads that do not stand"
    if stream not in KEYED:
        assert stack.one(f"select count(*) from {table}") == in_lake, f"{table} has not the rows that the lake has"
