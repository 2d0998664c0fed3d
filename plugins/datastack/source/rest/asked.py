"""What is asked of an API, apart from who asks."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from datastack.source.errors import SourceError

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: ``path`` is below the API's address, and may have a query already."""

    method: str
    path: str
    params: Params = field(default_factory=dict)
    body: Any = None

    @property
    def target(self) -> str:
        """Path and query."""
        if not self.params:
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}{urlencode(self.params)}"

    def with_params(self, params: Params, in_body: bool = False) -> "Asked":
        """Return the same request with more parameters, in its query or its JSON body."""
        if not params:
            return self
        if in_body:
            body = self.body or {}
            for name, value in params.items():
                body = _put(body, name.split("."), value)
            return Asked(self.method, self.path, self.params, body)
        for name, value in params.items():
            if isinstance(value, dict | list):
                raise SourceError(f"{self}: {name} is {value!r:.100}, which no query can have. Use sent_in: body")
        return Asked(self.method, self.path, self.params | params, self.body)

    def __str__(self) -> str:
        body = "" if self.body is None else f" with {self.body!r:.300}"
        return f"{self.method} {self.target}{body}"


def _put(body: dict[str, Any], steps: list[str], value: Any) -> dict[str, Any]:
    """Return a body with one value changed; the given one is left as it is."""
    first, *more = steps
    return body | {first: _put(body.get(first) or {}, more, value) if more else value}
