"""The images and the env file: what is installed and copied, who runs it, what is generated."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import chain
from pathlib import Path
from unittest import mock

import pytest
import uvicorn

from local import airflow_env, containers, secrets_store
from local.demo import marketing_api
from local.settings import Settings
from tests.unit.compose_file import COMPOSE, ROOT, dockerfile, requirement, stages

DAY = date(2026, 1, 31)
Instructions = list[list[str]]
INSTALLED = {"datastack": ["requirements.txt"], "demo": ["requirements.txt", "local/requirements.txt"]}


def airflow_variables() -> dict[str, str]:
    with mock.patch.dict(os.environ, clear=True):
        settings = replace(Settings.load({}), state=Path("/state"))
        return airflow_env.airflow_env(settings, dict.fromkeys(secrets_store.generate(), "x"))


def wrong_base(instructions: Instructions) -> list[str]:
    wanted = rf"apache/airflow:slim-{re.escape(requirement('apache-airflow'))}-python3\.1[123]"
    return [words[1] for words in instructions if words[0] == "FROM" and words[1] not in stages(instructions)
            and not re.fullmatch(wanted, words[1])]  # fmt: skip


def wrong_installs(instructions: Instructions) -> list[str]:
    wrong = []
    for name, wanted in INSTALLED.items():
        runs = [words for words in stages(instructions)[name] if words[:3] == ["RUN", "pip", "install"]]
        found = [words[words.index("-r") + 1] for words in runs if "-r" in words]
        wrong += [] if found == wanted else [f"{name} installs {found}"]
        wrong += [f"{name}: {words}" for words in runs if words[-4:-1] != ["-c", "constraints.txt", "-r"]]
    return wrong


def wrong_copies(instructions: Instructions) -> list[str]:
    """Everything copied exists, is let through by .dockerignore, and is what Airflow is configured to import."""
    allowed = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {name: [source for words in instructions if words[0] == "COPY" for source in words[2:-1]]
              for name, instructions in stages(instructions).items()}  # fmt: skip
    wrong = [source for source in chain.from_iterable(copied.values())
             if not (ROOT / source).exists() or source.split("/")[0] not in allowed]  # fmt: skip
    imported = set(re.findall(r"\blocal\.(\w+)\.", " ".join(airflow_variables().values())))
    needed = {"dags/", "plugins/", "include/", "local/__init__.py", "local/airflow_config/"}
    needed |= {f"local/{module}.py" for module in imported}
    return wrong + sorted(needed - set(copied["datastack"])) + sorted({"local/", "include/sql/"} - set(copied["demo"]))


def wrong_user(instructions: Instructions) -> list[str]:
    users = {name: [words[1] for words in of if words[0] == "USER"] for name, of in stages(instructions).items()}
    return [f"{name} runs as {found[-1:]}" for name, found in users.items() if found[-1:] != ["airflow"]]


def wrong_steps(instructions: Instructions) -> list[str]:
    """The dbt manifest is made as the Makefile makes it, code is compiled, and the same folders are importable."""
    flat = {name: " ".join(word for words in of for word in words) for name, of in stages(instructions).items()}
    parse = "-m datastack manifest"
    assert parse in (ROOT / "Makefile").read_text()
    path = airflow_variables()["PYTHONPATH"].replace(str(ROOT), "/opt/datastack")
    wanted = {"datastack": [f"python {parse}", "compileall -q dags local plugins"], "demo": ["compileall -q local"]}
    wanted = {name: [*steps, f"PYTHONPATH={path} "] for name, steps in wanted.items()}
    return [f"{name} lacks {step}" for name, steps in wanted.items() for step in steps if step not in f"{flat[name]} "]


CHECKS = [wrong_base, wrong_installs, wrong_copies, wrong_user, wrong_steps]


@pytest.mark.parametrize("check", CHECKS)
def test_dockerfile_installs_what_the_requirements_say(check: Callable[[Instructions], list[str]]) -> None:
    assert {"datastack", "demo"} <= stages().keys()
    assert check(dockerfile()) == []


@pytest.mark.parametrize(
    ("check", "old", "new"),
    [
        (wrong_base, "airflow:slim-3.3.2", "airflow:slim-3.3.1"),
        (wrong_base, "airflow:slim-3.3.2-python3.12", "airflow:latest"),
        (wrong_installs, "-c constraints.txt -r requirements.txt", "-r requirements.txt"),
        (wrong_installs, "-c constraints.txt -r local/requirements.txt", "-c constraints.txt fastapi"),
        (wrong_copies, "local/__init__.py local/lineage_file.py", "local/__init__.py"),
        (wrong_copies, "airflow:0 dags/ dags/", "airflow:0 tests/ tests/"),
        (wrong_user, "USER airflow\n", ""),
        (wrong_steps, "python -m datastack manifest", "python -m datastack check"),
        (wrong_steps, ":/opt/datastack/plugins", ""),
    ],
)
def test_check_sees_what_is_wrong(check: Callable[[Instructions], list[str]], old: str, new: str) -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert old in text, f"{old!r} is not in the Dockerfile: this mutation changes nothing"
    assert check(dockerfile(text.replace(old, new)))


def test_env_file_is_private_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert set(containers.write_env_file(path, DAY)) == containers.generate(DAY).keys()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = secrets_store.load(path)
    assert first["DATASTACK_DEMO_ANCHOR"] == "2026-01-31"
    assert all(re.fullmatch(r"[\w=-]+", value) for value in first.values()), "compose would read it differently"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("PG_ML_")]
    path.write_text("\n".join(kept))
    path.chmod(0o644)
    assert containers.write_env_file(path, date(2027, 1, 1)) == ["PG_ML_PASSWORD"]
    second = secrets_store.load(path)
    assert {**second, "PG_ML_PASSWORD": ""} == {**first, "PG_ML_PASSWORD": ""}
    assert second["PG_ML_PASSWORD"] != first["PG_ML_PASSWORD"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert containers.write_env_file(path, DAY) == []


def test_env_file_stays_out_of_git_and_images() -> None:
    assert "/.env" in (ROOT / ".gitignore").read_text().split()
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert "*" in ignored
    assert "!.env" not in ignored


def test_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in containers.generate(DAY):
        monkeypatch.delenv(name, raising=False)
    assert str(containers.main(["init"])).startswith("PG_POSTGRES_PASSWORD is not set")


@pytest.mark.parametrize(("asked", "host"), [("0.0.0.0", "0.0.0.0"), (None, "127.0.0.1")])  # noqa: S104
def test_marketing_api_can_be_reached_by_other_containers(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, host: str
) -> None:
    variables = {"CLIENT_ID": "x", "CLIENT_SECRET": "y", "PORT": "18000", "HOST": asked or ""}
    for name, value in variables.items():
        monkeypatch.setenv(f"DEMO_MARKETING_API_{name}", value)
    monkeypatch.setenv("DATASTACK_DEMO_ANCHOR", "2026-01-31")
    monkeypatch.setattr(marketing_api, "create_app", lambda settings: None)
    run = mock.Mock()
    monkeypatch.setattr(uvicorn, "run", run)
    marketing_api.main()
    assert run.call_args.kwargs["host"] == host


def test_compose_itself_reads_the_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no `docker compose` here; the other tests parse the file themselves")
    env_file = tmp_path / ".env"
    containers.write_env_file(env_file, DAY)
    command = [docker, "compose", "-f", str(COMPOSE), "--profile", "load", "--env-file"]
    done = subprocess.run([*command, str(env_file), "config", "--quiet"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    empty = tmp_path / "empty.env"
    empty.touch()
    refused = subprocess.run([*command, str(empty), "config", "--quiet"], capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "local.containers env" in refused.stderr
