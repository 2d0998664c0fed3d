"""The engine as an Airflow task: a DAG run by ``dag.test()`` on a metadata database, all in one process.

The seconds are the task's duration as Airflow shows it: context, connections, imports, XCom and lineage are in it; what
scheduler and executor add (waiting for the next loop, a new process) is not.

Run as ``python -m bench.as_tasks STREAM``.
"""

import os
import subprocess
import sys
from pathlib import Path

from bench.addresses import Addresses
from bench.airflow_connections import environment
from bench.child import timed

SETTINGS = {
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}


def main(stream: str) -> None:
    """Run a DAG of one stream.

    :raises RuntimeError: if the run does not succeed.
    """
    os.environ.update(environment(Addresses.from_environment()) | SETTINGS | {"BENCH_STREAM": stream})
    subprocess.run([Path(sys.executable).with_name("airflow"), "db", "migrate"], check=True)

    from bench.dags.move import dag

    with timed() as report:
        run = dag.test()
        if run.state != "success":
            raise RuntimeError(f"the DAG run ended as {run.state}")
        report["seconds"] = sum(task.duration for task in run.get_task_instances())


if __name__ == "__main__":
    main(*sys.argv[1:])
