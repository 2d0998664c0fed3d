"""How a REST API is read."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from datastack.contract import template
from datastack.contract.api_auth import Auth
from datastack.contract.api_paging import Cursor, OnePage, Pagination
from datastack.contract.model import Frozen, Identifier
from datastack.contract.sources import SourceFile, Stream

SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")


class Limits(Frozen):
    """How fast one task may ask: so many requests in a time, evenly, and so many at once."""

    requests: int | None = Field(default=None, gt=0)
    per: timedelta = Field(default=timedelta(seconds=1), gt=timedelta(0))
    concurrency: int = Field(default=4, ge=1, le=64)


class Parent(Frozen):
    """The endpoint whose records name what a child endpoint is asked for.

    ``fields`` maps names that the child's templates use to where they stand in the parent's record.
    """

    stream: Identifier
    fields: dict[Identifier, str] = Field(min_length=1)


class BodyError(Frozen):
    """Where an answer of status 200 says that it is an error, and which values there mean that it is none."""

    path: str = Field(min_length=1)
    ok: tuple[str | int | bool, ...] = ()


class ApiStream(Stream):
    """What is landed as pages. ``records`` is where their list stands in a page; without it, the page is the list."""

    records: str | None = Field(default=None, min_length=1)
    parent: Parent | None = None


class Endpoint(ApiStream):
    """One endpoint. ``path``, ``params`` and ``body`` are templates (:mod:`datastack.contract.template`)."""

    path: str = Field(pattern=r"^/")
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, str] = Field(default={})
    body: dict[str, Any] | None = None
    total: str | None = Field(default=None, min_length=1, description="where a page says how many records there are")
    error: BodyError | None = None
    pagination: Pagination

    @model_validator(mode="after")
    def _templates(self) -> "Endpoint":
        fields = self.parent.fields if self.parent else {}
        for name in ("path", "params", "body"):
            known = {*fields} if name == "path" else {*fields, *template.SLICE}
            try:
                template.check(getattr(self, name) or {}, known)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        if unused := sorted({*fields} - template.names([self.path, self.params, self.body or {}])):
            raise ValueError(f"parent.fields: {{{unused[0]}}} is used in none of path, params and body")
        return self

    @model_validator(mode="after")
    def _body_where_it_can_be(self) -> "Endpoint":
        in_body = getattr(self.pagination, "sent_in", "query") == "body"
        if self.method == "GET" and (self.body is not None or in_body):
            raise ValueError("a GET request has no body: set method: POST, or use params and sent_in: query")
        if isinstance(self.pagination, Cursor) and self.records is None:
            raise ValueError("records: a page that names the next one is no bare list: say where its records stand")
        if not isinstance(self.pagination, OnePage) and self.records is None and self.total:
            raise ValueError("total: a page that is a bare list states no total: remove it, or say where records stand")
        return self


class PythonStream(ApiStream):
    """What the function ``pages`` of ``include/sources/<source>.py`` yields, for APIs that no declaration fits."""

    python: Literal[True]
    parent: None = None


class ChildTable(Stream):
    """Records within the records of another stream: conformed from its landing, not asked for again."""

    of: Identifier
    records: str = Field(min_length=1, description="where the list stands in a record of the other stream")


def _kind_of_stream(declared: Any) -> str:
    given = declared if isinstance(declared, Mapping) else getattr(declared, "__dict__", {})
    return "child_table" if "of" in given else "python" if "python" in given else "endpoint"


AnyApiStream = Annotated[
    Annotated[Endpoint, Tag("endpoint")]
    | Annotated[PythonStream, Tag("python")]
    | Annotated[ChildTable, Tag("child_table")],
    Discriminator(_kind_of_stream),
]


class ApiSource(SourceFile):
    """A REST API and its endpoints.

    ``secret_headers`` maps headers to fields of the connection's extra. ``timeout`` is that of connecting, and of
    waiting for each piece of an answer.
    """

    kind: Literal["rest_api"]
    auth: Auth
    headers: dict[str, str] = Field(default={})
    secret_headers: dict[str, str] = Field(default={})
    limits: Limits = Limits()
    timeout: timedelta = Field(default=timedelta(seconds=30), gt=timedelta(0))
    attempts: int = Field(default=5, ge=1, description="tries of one request before the task fails")
    max_response_bytes: int = Field(default=256 * 1024 * 1024, gt=0, description="of one answer, unpacked")
    streams: dict[Identifier, AnyApiStream] = Field(min_length=1)

    @property
    def endpoints(self) -> dict[str, ApiStream]:
        """The streams that are landed."""
        return {name: stream for name, stream in self.streams.items() if isinstance(stream, ApiStream)}

    @property
    def parents_first(self) -> list[str]:
        """Names of the streams, each after the one that it comes from."""
        found: list[str] = []

        def add(name: str) -> None:
            if name not in found:
                above = _above(self.streams[name])
                if above is not None:
                    add(above)
                found.append(name)

        for name in self.streams:
            add(name)
        return found

    @model_validator(mode="after")
    def _no_secrets(self) -> "ApiSource":
        if found := [name for name in self.headers if name.lower() in SECRET_HEADERS]:
            raise ValueError(f"headers.{found[0]}: a secret has no place in a file: use auth, or secret_headers")
        return self

    @model_validator(mode="after")
    def _related(self) -> "ApiSource":
        for name, stream in self.streams.items():
            other, where = _above(stream), "of" if isinstance(stream, ChildTable) else "parent.stream"
            if other is not None and (other == name or other not in self.endpoints):
                known = ", ".join(each for each in self.endpoints if each != name) or "none"
                raise ValueError(f"streams.{name}.{where}: {other!r} is no other endpoint; endpoints are: {known}")
        for name in self.endpoints:
            self._refuse_circle(name)
        return self

    def _refuse_circle(self, name: str) -> None:
        """Refuse a stream that is its own ancestor."""
        passed, at = [name], _above(self.streams[name])
        while at is not None:
            if at in passed:
                raise ValueError(f"streams.{name}.parent.stream: {' <- '.join([*passed, at])} goes in a circle")
            passed.append(at)
            at = _above(self.streams[at])


def _above(stream: ApiStream | ChildTable) -> str | None:
    """Name of the stream that another one comes from."""
    if isinstance(stream, ChildTable):
        return stream.of
    return stream.parent.stream if stream.parent else None
