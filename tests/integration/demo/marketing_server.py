"""A process of the marketing API, and a client for it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from local.net import free_ports

ROOT = Path(__file__).parents[3]
CLIENT, SECRET = "pipeline", "hush-hush"
FORM = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
PLENTY = {"DEMO_MARKETING_API_RATE": "10000", "DEMO_MARKETING_API_BURST": "10000"}


@contextmanager
def serving(module: str = "local.demo.marketing_api", **environment: str) -> Iterator[httpx.Client]:
    """Run a server; give a client without a token."""
    port = free_ports(1)[0]
    own = {
        "DEMO_MARKETING_API_PORT": str(port),
        "DEMO_MARKETING_API_CLIENT_ID": CLIENT,
        "DEMO_MARKETING_API_CLIENT_SECRET": SECRET,
        "DATASTACK_DEMO_ANCHOR": "2020-01-01",
    }
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own | environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            _wait_until_healthy(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_until_healthy(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            client.get("/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not come up")


def log_in(client: httpx.Client) -> httpx.Client:
    """Give the client a token."""
    token = client.post("/oauth/token", data=FORM).raise_for_status().json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def get(client: httpx.Client, path: str, **parameters: Any) -> dict[str, Any]:
    """Read one page."""
    return client.get(path, params=parameters).raise_for_status().json()
