"""Passwords and keys of one stack: generated once, kept in `<state>/secrets.env`, never printed."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

ROLES = ("postgres", "airflow", "retail_app", "retail_reader", "loader", "transformer", "analyst", "ml")
S3_USERS = ("admin", "lake", "landing", "partner", "partner_reader")


def generate() -> dict[str, str]:
    """Make a new set of secrets, by name."""
    return {
        **{password_name(role): secrets.token_urlsafe(24) for role in ROLES},
        **{key_names(user)[0]: secrets.token_hex(10) for user in S3_USERS},
        **{key_names(user)[1]: secrets.token_urlsafe(30) for user in S3_USERS},
        "MARKETING_API_CLIENT_ID": f"datastack-{secrets.token_hex(4)}",
        "MARKETING_API_CLIENT_SECRET": secrets.token_urlsafe(30),
        "PRIVACY_KEY": secrets.token_hex(32),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW_JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW_API_SECRET_KEY": secrets.token_urlsafe(32),
        "UI_ADMIN_PASSWORD": secrets.token_urlsafe(12),
    }


def password_name(role: str) -> str:
    """Return the name under which a database role's password is kept."""
    return f"PG_{role.upper()}_PASSWORD"


def key_names(user: str) -> tuple[str, str]:
    """Return the names under which access key and secret of a user of the object store are kept."""
    return f"S3_{user.upper()}_ACCESS_KEY", f"S3_{user.upper()}_SECRET_KEY"


def load_or_create(path: Path) -> dict[str, str]:
    """Read the secrets, after adding those that the file lacks; the file has mode 600 from its first byte on."""
    known = load(path) if path.exists() else {}
    wanted = generate()
    if missing := wanted.keys() - known.keys():
        known |= {name: wanted[name] for name in missing}
        _write(path, known)
    path.chmod(0o600)
    return known


def load(path: Path) -> dict[str, str]:
    """Read the secrets. Raises FileNotFoundError."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def _write(path: Path, values: dict[str, str]) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in sorted(values.items()))
    fresh.replace(path)
