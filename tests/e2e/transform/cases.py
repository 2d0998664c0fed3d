"""Small dbt projects that go wrong in one way each, and the DAGs that run them through our task group."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

# first → middle → last, and beside. Each ends in a table that says when it was built.
BASE = {
    "first": "select 1 as id",
    "middle": "select id from {{ ref('first') }}",
    "last": "select id from {{ ref('middle') }}",
    "beside": "select 1 as id",
}
# Fails in its first attempt: a sequence does not roll back.
FAILS_ONCE = "select 1 / (nextval('control.{case}') - 1)::int * 0 + id as id from {{{{ ref('first') }}}}"
# Takes long in its first attempt only, and is ended before that is over.
SLOW_ONCE = """
    select id from {{{{ ref('first') }}}}
    cross join pg_sleep(case when nextval('control.{case}') = 1 then 300 else 0 end)"""
# Only `dbt docs generate` can't read it.
UNDESCRIBED = (
    "{% if flags.WHICH == 'generate' %}{{ exceptions.raise_compiler_error('no docs') }}{% endif %}" + BASE["middle"]
)
CASES: dict[str, dict[str, str | None]] = {
    "healthy": {},
    "failing_model": {"middle": "select 1 / 0 as id from {{ ref('first') }}"},
    "failing_test": {"middle": "select null::int as id from {{ ref('first') }}"},
    "fails_once": {"middle": FAILS_ONCE},
    "killed": {"middle": SLOW_ONCE},
    "killed_for_good": {"middle": SLOW_ONCE},
    "restarted": {"middle": SLOW_ONCE},
    "no_docs": {"middle": UNDESCRIBED},
    # The manifest has them, the project has not: dbt ends well without them.
    "never_built": {"last": None, "beside": "{{ config(enabled=false) }} select 1 as id"},
}
WITH_DOCS = {"healthy", "no_docs"}
RETRIES = {"killed_for_good": 0, "no_docs": 0}
PROJECT = """
name: cases
version: "1.0"
profile: datastack
flags: {send_anonymous_usage_stats: false}
models:
  cases:
    +materialized: table
    +schema: CASE
    +post-hook: insert into control.built values ('CASE', '{{ this.name }}')
"""
SCHEMA_MACRO = "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}"
TESTS = {
    "models": [
        {"name": name, "columns": [{"name": "id", "data_tests": ["not_null"]}]} for name in ("first", "middle", "last")
    ]
    + [
        {
            "name": "beside",
            "columns": [
                {
                    "name": "id",
                    "data_tests": [{"accepted_values": {"arguments": {"values": [2]}, "config": {"severity": "warn"}}}],
                }
            ],
        }
    ]
}
DAG_FILE = """
from pathlib import Path
from tests.e2e.transform.dags import case_dag

dag = case_dag("{case}", Path({project!r}), retries={retries}, with_docs={with_docs})
"""


def write(folder: Path) -> Path:
    """Write the projects with their manifest, and the DAG files; return the folder of the latter."""
    base, dags = _project(folder / "base", "base", {}), folder / "dags"
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--quiet", "parse"]
    nowhere = {"type": "postgres", "port": 1} | dict.fromkeys(("host", "user", "password", "dbname", "schema"), "x")
    profile = {"datastack": {"target": "nowhere", "outputs": {"nowhere": nowhere}}}
    (folder / "profiles.yml").write_text(json.dumps(profile))
    subprocess.run([*command, "--project-dir", base, "--profiles-dir", folder], check=True, timeout=120)
    dags.mkdir()
    for case, changes in CASES.items():
        project = _project(folder / "projects" / case, case, changes)
        shutil.copytree(base / "target", project / "target", ignore=shutil.ignore_patterns("partial_parse*"))
        settings = {"retries": RETRIES.get(case, 2), "with_docs": case in WITH_DOCS}
        (dags / f"{case}.py").write_text(DAG_FILE.format(case=case, project=str(project), **settings))
    return dags


def _project(folder: Path, case: str, changes: dict[str, str | None]) -> Path:
    (folder / "models").mkdir(parents=True)
    (folder / "macros").mkdir()
    (folder / "dbt_project.yml").write_text(PROJECT.replace("CASE", case))
    (folder / "macros" / "schema.sql").write_text(SCHEMA_MACRO)
    models = {name: changes.get(name, sql) for name, sql in BASE.items()}
    for name, sql in models.items():
        if sql is not None:
            text = sql.format(case=case) if sql in (FAILS_ONCE, SLOW_ONCE) else sql
            (folder / "models" / f"{name}.sql").write_text(text)
    tests = [each for each in TESTS["models"] if models[each["name"]] is not None]
    (folder / "models" / "tests.yml").write_text(json.dumps({"models": tests}))
    return folder
