"""Tells Airflow of what this project adds to its UI."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/data-catalogue"
# The UI may stand below a path, as in https://example.com/airflow.
_BASE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


class DataCataloguePlugin(AirflowPlugin):
    """The documentation of the marts, in the navigation."""

    name = "data_catalogue"
    external_views: ClassVar[list[dict[str, Any]]] = [
        {
            "name": "Data catalogue",
            "href": f"{_BASE}{PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "data-catalogue",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The application: asked for by the api-server only, so no other process pays for importing it."""
        from datastack.ui.catalogue import app

        return [{"app": app, "url_prefix": PREFIX, "name": "Data catalogue"}]
