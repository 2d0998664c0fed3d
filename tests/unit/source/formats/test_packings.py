"""What is packed is unpacked within limits, whatever its name says; what may do harm is refused."""

import gzip
import io
import stat
import struct
import zipfile
from typing import Any

import pytest
import zstandard

from datastack.contract.file_sources import FileStream
from datastack.source.formats.stream import FormatError
from tests.unit.source.formats.reading import read, rows, stream, workbook, zipped

CSV = b"id,name,price,sold\n1,x,2,2026-01-01\n"
MEGABYTE = 1024 * 1024


def refused(content: bytes, says: str, more: dict[str, Any] | None = None, by: FileStream | None = None) -> None:
    with pytest.raises(FormatError, match=says) as refusal:
        read(content, by or stream("csv", more))
    assert str(refusal.value).startswith("in/sales.csv")


def ids(content: bytes, more: dict[str, Any] | None = None) -> list[str]:
    return [row["id"] for row in rows(read(content, stream("csv", more)))]


BOMB = b"id,name,price,sold\n" + b"1,x,2,2026-01-01\n" * 6_000_000


@pytest.mark.parametrize("pack", [
    lambda content: gzip.compress(content, 9),
    lambda content: zstandard.ZstdCompressor(level=9).compress(content),
    lambda content: zipped(a__csv=content),
], ids=["gzip", "zstd", "zip"])  # fmt: skip
def test_bombs(pack: Any):
    packed = pack(BOMB)
    assert len(packed) < len(BOMB) / 200
    refused(packed, "unpacks (to more than 200 times its size|from .*): refused")


def test_a_bomb_that_lies_about_its_size():
    """A zip's index may say that a file is small: what counts is what comes out."""
    packed = bytearray(zipped(a__csv=BOMB))
    index = packed.rfind(b"PK\x01\x02")
    packed[index + 24 : index + 28] = struct.pack("<I", 1000)
    refused(bytes(packed), "cut short or damaged|unpacks to more than")


@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress, lambda content: zipped(a__csv=content)])
def test_the_declared_limit(pack: Any):
    content = CSV + b"".join(b"%d,x,2,2026-01-01\n" % number for number in range(10_000))
    assert len(ids(pack(content))) == 10_001
    refused(pack(content), "unpacks (to more than 100000 bytes|from .*): refused", {"max_unpacked_bytes": 100_000})


@pytest.mark.parametrize("name", [
    "../../etc/passwd", "/etc/passwd", "a/../../b.csv", "..\\b.csv", "C:\\b.csv", "c:b.csv", "\\\\host\\b.csv",
])  # fmt: skip
def test_names_that_lead_out_of_an_archive(name: str):
    refused(zipped(**{name: CSV}), "leads out of it: refused")
    refused(zipped(**{"a__csv": CSV, name: CSV}), "leads out of it: refused", {"member": "*.csv"})


def test_links_in_an_archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("a.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refused(out.getvalue(), "holds a link, 'a.csv': refused")


def test_encrypted_archives():
    packed = bytearray(zipped(a__csv=CSV))
    packed[packed.rfind(b"PK\x01\x02") + 8] |= 1  # the index's flag
    refused(bytes(packed), "is encrypted. Ask for a file without a password")


@pytest.mark.parametrize("content", [
    gzip.compress(gzip.compress(CSV)),
    gzip.compress(zipped(a__csv=CSV)),
    zipped(a__csv=gzip.compress(CSV)),
    zipped(a__zip=zipped(a__csv=CSV)),
    zstandard.ZstdCompressor().compress(gzip.compress(CSV)),
])  # fmt: skip
def test_archives_in_archives(content: bytes):
    refused(content, "is an archive in an archive")


@pytest.mark.parametrize(("content", "kind"), [
    (b"BZh91AY&SY", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"Rar!\x1a\x07", "RAR"),
])  # fmt: skip
def test_packings_that_are_not_read(content: bytes, kind: str):
    refused(content, f"is packed by {kind}, which is not read. Ask for gzip")


def test_an_archive_of_several_files():
    several = zipped(**{"b.csv": CSV.replace(b"\n1", b"\n2"), "a.csv": CSV, "read.me": b"x", "__MACOSX/a.csv": b"x"})
    refused(several, "holds 3 files, not one: b.csv, a.csv, read.me. Declare which to read as `member`")
    assert ids(several, {"member": "*.csv"}) == ["1", "2"]  # in the order of their names
    refused(several, "holds no file like 'x/\\*.csv', only", {"member": "x/*.csv"})
    assert ids(zipped(**{"in/a.csv": CSV, ".DS_Store": b"x"})) == ["1"]
    refused(zipped(), "holds 0 files")


def test_a_damaged_archive():
    packed = bytearray(zipped(a__csv=CSV * 1000))
    packed[100] ^= 0xFF
    refused(bytes(packed), "cut short or damaged")


def test_garbage_after_the_end():
    refused(gzip.compress(CSV) + b"garbage", "cut short or damaged")


def test_an_error_of_the_source_is_its_own():
    """A lake that fails is no damaged file."""
    from datastack.source.formats.reader import read_file
    from tests.unit.source.formats.reading import SALES

    packed = io.BytesIO(gzip.compress(b"id,name,price,sold\n" + b"1,x,2,2026-01-01\n" * 100_000))

    def failing(size: int) -> bytes:
        if packed.tell() > 500:
            raise OSError("reading s3://lake/x failed")
        return packed.read(min(size, 300))

    with pytest.raises(OSError, match="reading s3://lake/x failed"):
        list(read_file("in/sales.csv", failing, stream("csv"), SALES))


def test_a_workbook_is_no_archive_and_may_be_in_one():
    book = workbook([["id", "name"], [1, "x"]])
    for content in (book, gzip.compress(book), zipped(sales__xlsx=book)):
        assert [row["id"] for row in rows(read(content, stream("excel")))] == ["1"]
    refused(book, "holds .* files, not one")  # as CSV


def test_a_workbook_may_be_a_bomb_too():
    book = io.BytesIO(workbook([["id"], [1]]))
    with zipfile.ZipFile(book, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/x.bin", b"\0" * 100 * MEGABYTE)
    refused(book.getvalue(), "unpacks from .* bytes: refused", by=stream("excel"))
