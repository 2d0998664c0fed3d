"""When the initial load counts as published: every load of what the transform reads is, whatever else there is."""

from types import SimpleNamespace

from local.main_job import MainJob
from tests.integration.harness import Stack, days

PUBLICATION = """
    insert into ops.publications (domain, tables, dag_id, run_id, try_number)
    values ('retail', '[]', 'transform_retail', 'test', 1) returning publication_id"""


def loaded_by(stack: Stack, dag: str, source: str, stream: str) -> int:
    """Load a stream, and let it be the work of a DAG's run; return the load."""
    load_id = stack.load(source, stream, days(1))["load_id"]
    with stack.warehouse.connect("warehouse") as db:
        db.execute("update ops.loads set dag_id = %s, run_id = 'initial__1' where load_id = %s", (dag, load_id))
    return load_id


def test_all_that_the_transform_reads_must_be_published_and_nothing_else(stack: Stack):
    job = MainJob(SimpleNamespace(postgres=stack.warehouse), None, None)
    assert not job._published(["initial__1"])
    loads = [
        loaded_by(stack, "ingest_retail_db", "retail_db", "products"),
        loaded_by(stack, "ingest_marketing_api", "marketing_api", "campaigns"),
    ]
    loaded_by(stack, "ingest_crm", "retail_db", "households")  # of another domain; runs of all DAGs begin in one second
    with stack.warehouse.connect("warehouse") as db:
        [(publication,)] = db.execute(PUBLICATION).fetchall()
        for load_id in loads:
            assert not job._published(["initial__1"])
            db.execute("insert into ops.publication_loads values (%s, %s)", (publication, load_id))
    assert job._published(["initial__1"])
    assert not job._published(["initial__2"])
