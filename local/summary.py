"""What the stack has built, read from the warehouse."""

from __future__ import annotations

from typing import Any

from local.stack import Stack

TABLES = """
    select n.nspname, c.relname
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'm', 'v') and (n.nspname like 'raw\\_%' or n.nspname = 'marts')
        and c.relname not like '\\_%'
    order by n.nspname = 'marts', n.nspname, c.relname"""
GATES = """
    select
        count(*) filter (where outcome = 'PASSED'),
        count(*) filter (where outcome in ('WARN', 'WAIVED')),
        count(*) filter (where outcome not in ('PASSED', 'WARN', 'WAIVED'))
    from ops.gate_results
    inner join (
        select distinct on (gate, dataset) gate, dataset, dag_id, run_id, try_number
        from ops.gate_results order by gate, dataset, gate_result_id desc
    ) latest using (gate, dataset, dag_id, run_id, try_number)"""
SEEN = "  (make psql ROLE=loader: ops.gate_results)"
QUARANTINED = "select coalesce(sum(rows), 0) from ops.quarantine where replayed_at is null"


def summary(stack: Stack) -> str:
    """Return the closing report: rows, checks, quarantine, lineage, and where to look."""
    with stack.postgres.connect("warehouse") as connection:
        rows = _row_counts(connection)
        passed, warned, failed = connection.execute(GATES).fetchone()
        (quarantined,) = connection.execute(QUARANTINED).fetchone()
    width = max(map(len, rows), default=0)
    lines = [f"  {table:<{width}}  {count:>12,}" for table, count in rows.items()]
    settings = stack.settings
    return "\n".join([
        "Rows",
        *lines,
        "",
        f"Gates        {passed} checks passed, {warned} warned, {failed} failed{SEEN if warned + failed else ''}",
        f"Quarantined  {quarantined:,} rows",
        f"Lineage      {_lines(settings.lineage_file):,} events in {settings.lineage_file}",
        "",
        f"Airflow      {settings.ui_url}   user admin, password {stack.secrets['UI_ADMIN_PASSWORD']}",
        f"Log          {settings.log}  (make logs)",
        f"State        {settings.state}  (make down stops the stack, make clean deletes its state)",
    ])  # fmt: skip


def _row_counts(connection: Any) -> dict[str, int]:
    from psycopg import sql

    counts = {}
    for schema, table in connection.execute(TABLES).fetchall():
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
        (counts[f"{schema}.{table}"],) = connection.execute(query).fetchone()
    return counts


def _lines(path: Any) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)
