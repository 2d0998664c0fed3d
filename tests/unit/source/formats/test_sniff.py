"""What kind of object something is shows in its bytes."""

import io
import zipfile

import openpyxl
import pytest

from datastack.source.formats.sniff import media_type


def zip_of(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            stored = zipfile.ZIP_STORED if name == "mimetype" else None
            archive.writestr(name, "application/vnd.oasis.opendocument.text" if stored is not None else "x", stored)
    return out.getvalue()


def xlsx() -> bytes:
    out = io.BytesIO()
    openpyxl.Workbook().save(out)
    return out.getvalue()


@pytest.mark.parametrize(("content", "kind"), [
    (b"", "inode/x-empty"),
    (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
    (b"%PDF-1.4\nall ASCII", "application/pdf"),
    (b"\x00junk\n%PDF-1.4\n", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n" + bytes(40), "image/png"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "image/jpeg"),
    (b"GIF89a\x01\x00\x01\x00", "image/gif"),
    (b"ID3\x03" + bytes(30), "audio/mpeg"),
    (b"OggS\x00\x02" + bytes(30), "audio/ogg"),
    (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/x-wav"),
    (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(40), "video/mp4"),
    (b"\x1f\x8b\x08\x00" + bytes(10), "application/gzip"),
    (xlsx(), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (zip_of("[Content_Types].xml", "word/document.xml"),
     "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (zip_of("mimetype", "content.xml"), "application/vnd.oasis.opendocument.text"),
    (zip_of("a.txt"), "application/zip"),
    (b"\n <!-- x --><!DOCTYPE HTML>\n<html>", "text/html"),
    (b"<html><body>404 Not Found</body></html>", "text/html"),
    (b"<?xml version='1.0'?><svg xmlns='x'/>", "image/svg+xml"),
    (b"<?xml version='1.0'?><a/>", "application/xml"),
    (b"{\\rtf1\\ansi", "application/rtf"),
    (b"BMW sells cars", "text/plain"),  # no bitmap
    (b"MZ is no program", "text/plain"),
    ("h\u00e9llo".encode("utf-16"), "text/plain"),
    ("h\u00e9llo".encode("latin-1"), "text/plain"),
    ("x\u20ac".encode()[:-1], "text/plain"),  # cut within a character
    (b"abc\x00def", "application/octet-stream"),
])  # fmt: skip
def test_media_types(content: bytes, kind: str):
    assert media_type(content) == kind
