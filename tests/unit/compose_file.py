"""docker-compose.yaml, Dockerfile, Procfile and requirements, read for comparison."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yaml"


@dataclass(frozen=True)
class Compose:
    """A compose file: its text, its services, and the files that it puts into containers."""

    text: str
    services: dict[str, dict[str, Any]]
    configs: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, text: str | None = None) -> Self:
        """Read the project's file, or a changed one."""
        text = COMPOSE.read_text() if text is None else text
        content = yaml.safe_load(text)
        return cls(text, content["services"], content["configs"])

    def environment(self, service: str) -> dict[str, str]:
        """Return a service's variables: `${NAME}` for what the env file must have, defaults filled in."""
        values = self.services[service].get("environment", {})
        return {name: _plain(value) for name, value in values.items()}

    def config(self, name: str) -> str:
        """Return the content of a file: `${NAME}` for what the env file must have."""
        return _plain(self.configs[name]["content"])


def _plain(value: str) -> str:
    required = re.sub(r"\$\{(\w+):\?[^}]*\}", r"${\1}", value)
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", required)


def same(one: str | None, other: str | None) -> bool:
    """Compare two values, JSON by what it says."""
    return one == other or (one is not None and other is not None and _json(one) == _json(other) is not None)


def _json(value: str) -> Any:
    try:
        return json.loads(value) if value.startswith("{") else None
    except ValueError:
        return None


def procfile() -> dict[str, tuple[dict[str, str], list[str]]]:
    """Return by process the variables that its line sets, and its command."""
    processes = {}
    for line in (ROOT / "local" / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        words = shlex.split(command)
        begin = words.index("exec")
        processes[name] = (dict(word.split("=", 1) for word in words[:begin]), words[begin + 1 :])
    return processes


def requirement(package: str) -> str:
    """Return the version that a package is pinned to. Raises LookupError."""
    for file in ("requirements.txt", "local/requirements.txt"):
        if found := re.search(rf"^{re.escape(package)}==(\S+)$", (ROOT / file).read_text(), re.MULTILINE):
            return found[1]
    raise LookupError(package)


def dockerfile(text: str | None = None) -> list[list[str]]:
    """Return the Dockerfile's instructions as words, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text() if text is None else text
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [line.split() for line in code.replace("\\\n", " ").splitlines() if line.strip()]


def stages(instructions: list[list[str]] | None = None) -> dict[str, list[list[str]]]:
    """Return by stage its instructions after those of the stages that it is made from."""
    found: dict[str, list[list[str]]] = {}
    for words in dockerfile() if instructions is None else instructions:
        if words[0] == "FROM":
            current = found[words[3]] = [*found.get(words[1], []), words]
        else:
            current.append(words)
    return found
