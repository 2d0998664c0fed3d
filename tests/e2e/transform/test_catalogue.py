"""The documentation in the Airflow UI: for those who are logged in, of what was published last, with closed doors."""

import httpx
import pytest

from datastack.lake.layout import docs_key
from tests.e2e.transform.conftest import Airflow

PAGES = ("/data-catalogue/", "/data-catalogue/healthy/")


@pytest.fixture(scope="module")
def stranger(airflow: Airflow) -> httpx.Client:
    return httpx.Client(base_url=airflow.url, trust_env=False, follow_redirects=True)


@pytest.mark.parametrize("page", [*PAGES, "/data-catalogue/other/"])
def test_a_stranger_is_refused(stranger, page: str):
    assert stranger.get(page).status_code == 401


@pytest.mark.parametrize("page", ["openapi.json", "docs", "redoc"])
def test_nothing_beside_the_pages_is_served(stranger, page: str):
    assert stranger.get(f"/data-catalogue/{page}").status_code in (401, 404)


@pytest.mark.parametrize("page", ["dbt_docs_index.html", "healthy/dbt_docs", "manifest.json", "catalog.json"])
def test_the_pages_of_cosmos_which_know_no_login_are_not_there(airflow, page: str):
    assert airflow.http.get(f"/cosmos/{page}").status_code == 404


def test_it_says_what_to_do_where_nothing_is_published(airflow):
    answer = airflow.http.get("/data-catalogue/other/")
    assert answer.status_code == 404
    assert "Nothing is published yet" in answer.text


def test_it_shows_what_was_published_last(airflow, runs):
    bucket = {"Bucket": "lake", "Key": docs_key("healthy")}
    written = airflow.objects.get_object(**bucket)["Body"].read()
    assert b"not_null_middle_id" in written
    assert airflow.http.get("/data-catalogue/healthy/").content == written
    airflow.objects.put_object(**bucket, Body=b"a later publication")
    assert airflow.http.get("/data-catalogue/healthy/").text == "a later publication"
    airflow.objects.put_object(**bucket, Body=written)


def test_it_lists_what_there_is(airflow, runs):
    assert "<a href='healthy/'>healthy</a>" in airflow.http.get("/data-catalogue/").text


def test_the_page_can_neither_speak_to_airflow_nor_be_kept(airflow, runs):
    headers = airflow.http.get("/data-catalogue/healthy/").headers
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy


def test_the_navigation_leads_to_it(airflow):
    plugins = airflow.api("GET", "/plugins")["plugins"]
    [view] = [view for plugin in plugins if plugin["name"] == "data_catalogue" for view in plugin["external_views"]]
    assert (view["name"], view["href"], view["destination"]) == ("Data catalogue", "/data-catalogue/", "nav")
