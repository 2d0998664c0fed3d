"""Serves the documentation of the marts from the lake, to people who are logged in to Airflow."""

import re
from html import escape
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from datastack.lake.layout import DOCS, docs_key
from datastack.operators import connections

DOMAIN = re.compile(r"[a-z][a-z0-9_]*")
# A page of dbt's is one file with its scripts inside. It gets an origin of its own, so that nothing in it, such as a
# description, can speak to Airflow in the reader's name; and it can load and send nothing.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
        "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
        "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LIST = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Data catalogue</title><style>{style}</style>
<h1>Data catalogue</h1>{body}</html>"""
STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}"
NOTHING = """<p>Nothing is published yet. The catalogue is written by the last task of a transform: trigger
<code>transform_retail</code>, or load a source, which starts it. If it has run, look at its task <code>docs</code>.
</p>"""

app = FastAPI(
    title="Data catalogue",
    openapi_url=None,  # its pages about itself would need no login
    dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
)


@app.get("/", response_class=HTMLResponse)
def domains() -> HTMLResponse:
    """List the domains that have documentation."""
    client, bucket = connections.lake_bucket_client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{DOCS}/")
    found = [
        item for page in pages for item in page.get("Contents", ()) if item["Key"] == docs_key(_domain(item["Key"]))
    ]
    links = "".join(_link(_domain(item["Key"]), item["LastModified"]) for item in found)
    return _page(LIST.format(style=STYLE, body=f"<ul>{links}</ul>" if links else NOTHING))


@app.get("/{domain}/", response_class=HTMLResponse)
def documentation(domain: str) -> HTMLResponse:
    """Give the documentation of a domain, as its last publication left it."""
    client, bucket = connections.lake_bucket_client()
    if not DOMAIN.fullmatch(domain):
        raise HTTPException(404)
    try:
        body = client.get_object(Bucket=bucket, Key=docs_key(domain))["Body"].read()
    except client.exceptions.NoSuchKey:
        return _page(LIST.format(style=STYLE, body=NOTHING), 404)
    return _page(body)


def _page(content: str | bytes, status: int = 200) -> HTMLResponse:
    return HTMLResponse(content, status, HEADERS)


def _domain(key: str) -> str:
    return key.split("/")[1]


def _link(domain: str, written: Any) -> str:
    name = escape(domain)
    return f"<li><a href='{name}/'>{name}</a>, as published before {written:%Y-%m-%d %H:%M} UTC</li>"
