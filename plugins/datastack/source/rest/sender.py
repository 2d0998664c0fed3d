"""Sends requests over connections that stay open.

It is httpx's transport without its client: cookies, redirects, and further layers take a third of the time that a
request takes, and nothing here wants them.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.request import getproxies, proxy_bypass

import httpx

from datastack.source.rest.answer import ACCEPT_ENCODING

_KEEP_ALIVE = 60.0  # seconds: between the requests of a slow rhythm a connection stays
_STANDARD = {"accept": "application/json", "accept-encoding": ACCEPT_ENCODING, "user-agent": "datastack"}


class Sender:
    """Sends as many requests at a time as there are connections; close it after use.

    Each connection has a transport of its own: those that share one are looked through for every request.

    :param address: where most requests go; the environment's proxy for it is used.
    :param headers: of every request but those for tokens.
    :param timeout: seconds for connecting, and for each piece of an answer.
    """

    def __init__(self, address: httpx.URL, headers: dict[str, str], timeout: float) -> None:
        self._headers = _STANDARD | {name.lower(): value for name, value in headers.items()}
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict()}
        self._proxy, self._tls = _proxy(address), httpx.create_ssl_context()
        self._all: list[httpx.AsyncHTTPTransport] = []
        self._idle: list[httpx.AsyncHTTPTransport] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for transport in self._all:
            await transport.aclose()

    @asynccontextmanager
    async def send(self, method: str, url: str, headers: dict[str, str], body: Any) -> AsyncIterator[httpx.Response]:
        """Send a JSON body, or none; the answer's body is to be read within the block.

        :raises httpx.TransportError: if it can't be sent, or nothing comes back.
        """
        headers = self._headers | headers
        content = None
        if body is not None:
            content, headers["content-type"] = json.dumps(body).encode(), "application/json"
        request = httpx.Request(method, url, headers=headers, content=content, extensions=self._extensions)
        async with self._sent(request) as response:
            yield response

    @asynccontextmanager
    async def send_form(self, url: str, form: dict[str, str], headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
        """Send a form, as :meth:`send` does, but for the headers that are the API's alone."""
        headers = _STANDARD | headers
        async with self._sent(
            httpx.Request("POST", url, headers=headers, data=form, extensions=self._extensions)
        ) as response:
            yield response

    @asynccontextmanager
    async def _sent(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        transport = self._idle.pop() if self._idle else self._opened()
        try:
            response = await transport.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            self._idle.append(transport)

    def _opened(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_keepalive_connections=1, keepalive_expiry=_KEEP_ALIVE)
        transport = httpx.AsyncHTTPTransport(verify=self._tls, proxy=self._proxy, limits=limits)
        self._all.append(transport)
        return transport


def _proxy(address: httpx.URL) -> str | None:
    proxies = getproxies()
    return None if proxy_bypass(address.host) else proxies.get(address.scheme) or proxies.get("all")
