"""The environment of the stack's processes: the one place where Airflow is configured."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from local.net import HOST
from local.object_store import REGION
from local.secrets_store import key_names, password_name
from local.settings import REPO, STATE_VARIABLE, Settings

# Slower backends lose events to the file only. A task sends two events: together they cost it under two seconds.
LINEAGE_TIMEOUT_SECONDS = 0.9
DROPPED = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "OPENLINEAGE_URL", "AIRFLOW_CONFIG")


def base_env(settings: Settings) -> dict[str, str]:
    """Return what every process needs: this machine's environment, our Python first, our folders importable."""
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    return {
        **kept,
        **{name: str(port) for name, port in settings.ports.items()},
        STATE_VARIABLE: str(settings.state),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": os.pathsep.join(map(str, (REPO, REPO / "plugins", REPO / "local" / "airflow_config"))),
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
    }


def demo_env(settings: Settings, secrets: Mapping[str, str], anchor: date) -> dict[str, str]:
    """Return the environment of the demo source systems."""
    password = secrets[password_name("retail_app")]
    return base_env(settings) | {
        "DATASTACK_DEMO_ANCHOR": anchor.isoformat(),
        "DEMO_RETAIL_DB_URI": f"postgresql://retail_app:{password}@{HOST}:{settings.port('POSTGRES')}/retail_db",
        "DEMO_MARKETING_API_PORT": str(settings.port("MARKETING_API")),
        "DEMO_MARKETING_API_CLIENT_ID": secrets["MARKETING_API_CLIENT_ID"],
        "DEMO_MARKETING_API_CLIENT_SECRET": secrets["MARKETING_API_CLIENT_SECRET"],
        "DEMO_PARTNER_S3_ENDPOINT": f"http://{HOST}:{settings.port('S3')}",
        "DEMO_PARTNER_ACCESS_KEY": secrets[key_names("partner")[0]],
        "DEMO_PARTNER_SECRET_KEY": secrets[key_names("partner")[1]],
    }


def airflow_env(settings: Settings, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every Airflow process and command."""
    return (
        base_env(settings)
        | _core(settings)
        | _keys(settings, secrets)
        | _lineage(settings, os.environ.get("OPENLINEAGE_URL"))
        | {f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in connections(settings, secrets).items()}
    )


def connections(settings: Settings, secrets: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """Return Airflow's connections by id, in the fields of its JSON form."""

    def postgres(role: str, database: str) -> dict[str, object]:
        return {
            "conn_type": "postgres",
            "host": HOST,
            "port": settings.port("POSTGRES"),
            "login": role,
            "password": secrets[password_name(role)],
            "schema": database,
        }

    def s3(user: str, **extra: str) -> dict[str, object]:
        access_key, secret_key = (secrets[name] for name in key_names(user))
        address = {"endpoint_url": f"http://{HOST}:{settings.port('S3')}", "region_name": REGION}
        return {"conn_type": "aws", "login": access_key, "password": secret_key, "extra": address | extra}

    return {
        "retail_db": postgres("retail_reader", "retail_db"),
        **{f"warehouse_{role}": postgres(role, "warehouse") for role in ("loader", "transformer", "analyst")},
        "lake": s3("lake", bucket="lake"),
        "landing": s3("landing", bucket="landing"),
        "partner_drops": s3("partner_reader"),
        "marketing_api": {
            "conn_type": "http",
            "host": f"http://{HOST}:{settings.port('MARKETING_API')}",
            "login": secrets["MARKETING_API_CLIENT_ID"],
            "password": secrets["MARKETING_API_CLIENT_SECRET"],
        },
        "privacy_key": {"conn_type": "generic", "password": secrets["PRIVACY_KEY"]},
    }


def write_ui_password(settings: Settings, secrets: Mapping[str, str]) -> None:
    """Write the UI's password file, mode 600."""
    path = _password_file(settings)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps({"admin": secrets["UI_ADMIN_PASSWORD"]}) + "\n")


def _password_file(settings: Settings) -> Path:
    return settings.airflow_home / "ui_passwords.json"


def _core(settings: Settings) -> dict[str, str]:
    ui_port = settings.port("UI")
    return {
        "AIRFLOW_HOME": str(settings.airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(_dags_folder()),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPO / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__MP_START_METHOD": "fork",  # tasks share the scheduler's imports
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # no name server needed
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{ui_port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_password_file(settings)),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(ui_port),
        "AIRFLOW__API__BASE_URL": settings.ui_url,
        "AIRFLOW__API__WORKERS": "1",
        # DAG files that change are parsed at once; the others every five minutes, to leave the CPU to the tasks.
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "120",
        "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "300",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "90",
        "AIRFLOW__TRIGGERER__CAPACITY": "100",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        # Its default below /tmp belongs to whoever came first.
        "AIRFLOW__COSMOS__CACHE_DIR": str(settings.state / "cosmos"),
        "SODA_CORE_TELEMETRY_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def _dags_folder() -> Path:
    return Path(os.environ.get("DATASTACK_DAGS_FOLDER") or REPO / "dags")


def _keys(settings: Settings, secrets: Mapping[str, str]) -> dict[str, str]:
    account = f"airflow:{secrets[password_name('airflow')]}@{HOST}:{settings.port('POSTGRES')}/airflow"
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{account}",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["AIRFLOW_JWT_SECRET"],
        "AIRFLOW__API__SECRET_KEY": secrets["AIRFLOW_API_SECRET_KEY"],
        "AIRFLOW__CORE__FERNET_KEY": secrets["AIRFLOW_FERNET_KEY"],
    }


def _lineage(settings: Settings, url: str | None) -> dict[str, str]:
    transports: dict[str, object] = {
        "file": {"type": "local.lineage_file.AtomicFileTransport", "path": str(settings.lineage_file)}
    }
    if url:
        transports["http"] = {
            "type": "http",
            "url": url,
            "timeout": LINEAGE_TIMEOUT_SECONDS,
            "retry": {"total": 0, "connect": 0, "read": 0},
        }
    transport = {"type": "composite", "continue_on_failure": True, "transports": transports}
    return {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "datastack",
    }
