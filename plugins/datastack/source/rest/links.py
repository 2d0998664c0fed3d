"""The header ``Link``, and addresses that an API gives."""

import re

import httpx

from datastack.source.rest.errors import ContradictionError

_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:\\.|[^"\\])*"|[^\s";,]*))?)*)')
_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s";,]*))')


def next_link(header: str | None) -> str | None:
    """Target of the first link of relation ``next`` (RFC 8288, section 3)."""
    for found in _LINK.finditer(header or ""):
        for name, quoted, plain in _PARAMETER.findall(found[2]):
            if name.lower() == "rel" and "next" in (quoted or plain).lower().split():
                return found[1]
    return None


def path_below(address: httpx.URL, asked: str, given: str, without: frozenset[str]) -> str:
    """Path and query below an API's address of an address that it gave.

    :param asked: path and query of the request that it was given for: what a relative address is relative to.
    :param without: query parameters to leave out: the next request adds them itself.
    :raises ContradictionError: if it leads to another host, port or scheme, or out of the API's path.
    """
    base, own = address.path.rstrip("/"), httpx.URL(f"{address}{asked}")
    try:
        url = own.join(given)
    except httpx.InvalidURL as error:
        raise ContradictionError(f"the next page's address {given!r:.200} is none: {error}") from None
    if (url.scheme, url.host, _port(url)) != (address.scheme, address.host, _port(address)) or url.userinfo:
        raise ContradictionError(
            f"the next page is said to be at {url.scheme}://{url.netloc.decode()}, and the API is at "
            f"{address.scheme}://{address.netloc.decode()}: no credentials are sent there. Correct the connection's "
            "host if that is where the API is"
        )
    if not url.path.startswith(f"{base}/"):
        raise ContradictionError(f"the next page is said to be at {url.path}, outside of {base}/")
    for name in without:
        url = url.copy_remove_param(name)
    return url.raw_path.decode()[len(base) :]


def _port(url: httpx.URL) -> int:
    return url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
