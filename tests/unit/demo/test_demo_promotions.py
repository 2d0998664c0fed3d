"""Weekly promotions and leaflets, against the Parquet files and what other programs know of file formats."""

import gzip
import io
import struct
import wave
import zlib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from local.demo import dataset, leaflets, partner

WEEKS = 477


@pytest.fixture(scope="module")
def source() -> pa.Table:
    return pq.ParquetFile(dataset.parquet_path("promotions")).read().replace_schema_metadata(None)


def test_promotions_are_those_of_the_file_week_by_week(source: pa.Table) -> None:
    begin = 0
    for number, (monday, rows) in enumerate(dataset.promotions(WEEKS), start=1):
        assert monday == dataset.mondays(WEEKS)[number - 1]
        assert pc.unique(rows["week_start"]).to_pylist() == [monday]
        assert rows.drop_columns("week_start").equals(source.slice(begin, rows.num_rows)), monday
        begin += rows.num_rows
    assert (number, begin) == (53, source.num_rows)


def test_a_week_is_the_one_that_the_tills_count() -> None:
    sold = pq.ParquetFile(dataset.parquet_path("transactions")).read(["week", "transaction_timestamp"])
    spans = sold.group_by("week").aggregate([("transaction_timestamp", "min"), ("transaction_timestamp", "max")])
    assert spans.num_rows == 53
    tills = ZoneInfo("America/New_York")
    for week, first, last in zip(*(column.to_pylist() for column in spans.columns), strict=True):
        monday = dataset.mondays(0)[week - 1]
        assert monday.weekday() == 0
        bounds = [moment.tz_localize("UTC").astimezone(tills).date() for moment in (first, last)]
        assert monday <= bounds[0] <= bounds[1] < monday + timedelta(weeks=1)


def test_a_file_says_what_its_rows_say_and_always_in_the_same_bytes() -> None:
    monday, rows = next(dataset.promotions(WEEKS))
    content = partner.rendered(rows)
    assert content == partner.rendered(rows)
    lines = gzip.decompress(content).decode().splitlines()
    assert lines[0].replace('"', "") == "product_id,store_id,display_location,mailer_location,week,week_start"
    assert lines[1].replace('"', "") == f"1000050,316,9,0,1,{monday}"
    types = pa_csv.ConvertOptions(column_types=rows.schema)
    read = pa_csv.read_csv(io.BytesIO(gzip.decompress(content)), convert_options=types)
    assert read.equals(rows.combine_chunks())


def test_a_file_comes_when_its_week_is_over() -> None:
    assert partner.due_at(date(2026, 11, 16)) == datetime(2026, 11, 23, tzinfo=UTC)
    assert partner.key(date(2026, 11, 16)) == "promotions/promotions_2026-11-16.csv.gz"


@pytest.fixture(scope="module")
def made() -> dict[str, leaflets.Leaflet]:
    return {each.key.rpartition("/")[2]: each for each in leaflets.leaflets(WEEKS)}


def test_leaflets_are_always_the_same(made: dict[str, leaflets.Leaflet]) -> None:
    assert {each.key: each.content for each in leaflets.leaflets(WEEKS)} == {
        each.key: each.content for each in made.values()
    }
    assert all(each.metadata["campaign-id"] in name for name, each in made.items())


def test_a_pdf_is_found_by_its_own_table(made: dict[str, leaflets.Leaflet]) -> None:
    content = made["campaign_13.pdf"].content
    table = int(content.rpartition(b"startxref\n")[2].split()[0])
    places = [int(line.split()[0]) for line in content[table:].splitlines()[3:8]]
    assert all(content[place:].startswith(b"%d 0 obj" % number) for number, place in enumerate(places, start=1))
    length = int(content.partition(b"/Length ")[2].split(b">>")[0])
    assert content.partition(b"stream\n")[2][length:].startswith(b"\nendstream")
    assert b"(Campaign 13 \\(Type A\\))" in content


@pytest.mark.parametrize("name", ["campaign_18_barcode.png", "campaign_24_barcode.jpg"])
def test_a_picture_is_a_png_whatever_its_name(made: dict[str, leaflets.Leaflet], name: str) -> None:
    content = made[name].content
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    place, parts = 8, {}
    while place < len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        assert struct.unpack(">I", content[place + 8 + size : place + 12 + size]) == (zlib.crc32(kind + body),)
        parts[kind], place = body, place + 12 + size
    width, height = struct.unpack(">II", parts[b"IHDR"][:8])
    assert len(zlib.decompress(parts[b"IDAT"])) == (width + 1) * height
    claimed = "image/jpeg" if name.endswith(".jpg") else "image/png"
    assert made[name].claimed_type == claimed


def test_a_tone_is_half_a_second(made: dict[str, leaflets.Leaflet]) -> None:
    with wave.open(io.BytesIO(made["campaign_26_radio.wav"].content)) as audio:
        assert audio.getnframes() / audio.getframerate() == 0.5
