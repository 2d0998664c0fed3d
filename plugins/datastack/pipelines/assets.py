"""Our logical assets: the same names in every environment, so schedules on them are too."""

from airflow.sdk import Asset

from datastack.contract.registry import stream_names


def raw_asset(source: str, stream: str) -> Asset:
    """Asset that stands for a raw table whose rows have passed their gate."""
    return Asset(name=f"raw/{source}/{stream}", uri=f"x-datastack://raw/{source}/{stream}", group="raw")


def raw_assets(source: str) -> list[Asset]:
    """Raw assets of all streams of a source."""
    return [raw_asset(source, stream) for stream in stream_names(source)]


def mart_asset(domain: str) -> Asset:
    """Asset that stands for a domain's published marts."""
    return Asset(name=f"marts/{domain}", uri=f"x-datastack://marts/{domain}", group="marts")
