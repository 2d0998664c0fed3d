"""Faults on request: makes the API in front of it fail as real ones do, so that clients can be tested."""

import asyncio
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON_HEADER = (b"content-type", b"application/json")


class Fault(BaseModel):
    """One fault.

    :param path: the calls that it is for, exactly, such as /coupons.
    :param kind: `status` answers with that status; `rate_limit` with 429 and Retry-After; `truncate` breaks
        off in the middle of the body; `repeat_page` gives the data of the page before, in the envelope of
        the page that was asked for; `delay` answers late; `drop` hangs up without an answer.
    :param times: calls that it hits.
    :param after: calls that it lets pass first.
    """

    model_config = ConfigDict(extra="forbid")

    path: str = Field(pattern=r"^/[a-z]")
    kind: Literal["status", "rate_limit", "truncate", "repeat_page", "delay", "drop"]
    status: int = Field(500, ge=400, le=599)
    retry_after: int = Field(1, ge=0, description="seconds")
    seconds: float = Field(1, ge=0, le=600, description="of delay")
    times: int = Field(1, ge=1)
    after: int = Field(0, ge=0)


class FaultInjector:
    """An ASGI application in front of another. A fault counts its path's calls once it is first in the queue.

    `repeat_page` remembers pages from then on, and lets calls pass until there is one to repeat.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.pending: list[Fault] = []
        self.fired = 0
        self._last_data: dict[str, Any] = {}

    def queue(self, fault: Fault) -> None:
        """Add a fault behind those that wait."""
        self.pending.append(fault)

    def clear(self) -> None:
        """Forget all faults and how many fired."""
        self.pending.clear()
        self._last_data.clear()
        self.fired = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call, truly or with the fault that is due."""
        path = scope["path"] if scope["type"] == "http" else None
        first = next((fault for fault in self.pending if fault.path == path), None)
        if first is None:
            await self._app(scope, receive, send)
        elif self._is_due(first):
            await self._fail(first, scope, receive, send)
        elif first.kind == "repeat_page":
            await self._remember(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_due(self, fault: Fault) -> bool:
        if fault.after:
            fault.after -= 1
            return False
        if fault.kind == "repeat_page" and fault.path not in self._last_data:
            return False
        fault.times -= 1
        self.fired += 1
        if not fault.times:
            self.pending.remove(fault)
        return True

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "status":
                await _answer(send, fault.status, b'{"detail":"a fault on request"}', [JSON_HEADER])
            case "rate_limit":
                wait = (b"retry-after", str(fault.retry_after).encode())
                await _answer(send, 429, b'{"detail":"a fault on request"}', [JSON_HEADER, wait])
            case "truncate":
                start, body = await self._true_answer(scope, receive)
                await send(start)
                # Not the last part, says more_body: the server hangs up on a promise that is not kept.
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            case "repeat_page":
                start, body = await self._true_answer(scope, receive)
                page, last = json.loads(body), self._last_data[fault.path]
                page = page | {"data": last} if isinstance(page, dict) else last
                body = json.dumps(page, separators=(",", ":")).encode()  # as the API itself renders it
                await _answer(send, start["status"], body, [JSON_HEADER])
            case "delay":
                await asyncio.sleep(fault.seconds)
                await self._app(scope, receive, send)
            case "drop":
                _hang_up(send)

    async def _remember(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, body = await self._true_answer(scope, receive)
        if start["status"] == 200:
            page = json.loads(body)
            self._last_data[scope["path"]] = page["data"] if isinstance(page, dict) else page
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def _true_answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _hang_up(send: Send) -> None:
    """Close the connection. ASGI has no word for it, so this asks the object of uvicorn behind `send`."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
