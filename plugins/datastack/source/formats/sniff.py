"""Tells what kind of object something is by its content: names and claims are not believed."""

import codecs
import re
import struct

import filetype

HEAD = 64 * 1024  # bytes that are looked at
_EMPTY, _ANY, _TEXT = "inode/x-empty", "application/octet-stream", "text/plain"
_MARKED_TEXT = ((b"%PDF-", "application/pdf"), (b"{\\rtf", "application/rtf"), (b"%!PS", "application/postscript"))
_PDF_WITHIN = 1024  # readers look so far for a PDF's beginning
_HTML = re.compile(
    r"\s*(<!--.*?-->\s*|<\?xml.*?\?>\s*)*<(!doctype\s+html|html|head|body|title|script|meta|table|div|h1|p|a)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_SVG = re.compile(r"\s*(<!--.*?-->\s*|<\?xml.*?\?>\s*|<!doctype\s+svg.*?>\s*)*<svg[\s>]", re.IGNORECASE | re.DOTALL)
_XML = re.compile(r"\s*<\?xml\s")
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OOXML = {
    "word/": f"{_OFFICE}.wordprocessingml.document",
    "xl/": f"{_OFFICE}.spreadsheetml.sheet",
    "ppt/": f"{_OFFICE}.presentationml.presentation",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def media_type(head: bytes) -> str:
    """Media type of an object by its first bytes, up to ``HEAD`` of them."""
    if not head:
        return _EMPTY
    for mark, kind in _MARKED_TEXT:
        if head.startswith(mark):
            return kind
    if (text := _text(head)) is not None:
        return _kind_of_text(text)
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(head)
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "application/pdf"
    return filetype.guess_mime(head) or _ANY


def _text(head: bytes) -> str | None:
    """Text, if it is some: no other kind of file does without control characters. The last character may be cut."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codecs.getincrementaldecoder("utf-16")("replace").decode(head)
    if _CONTROL.search(head):
        return None
    return head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def _kind_of_text(text: str) -> str:
    if _SVG.match(text):
        return "image/svg+xml"
    if _HTML.match(text):
        return "text/html"
    return "application/xml" if _XML.match(text) else _TEXT


def _kind_of_zip(head: bytes) -> str:
    """OpenDocument and EPUB state what they are in their first member; Office documents show it by their folders."""
    names: list[str] = []
    at = head.find(b"PK\x03\x04")
    while at >= 0 and at + 30 <= len(head):
        size, name_length, extra_length = struct.unpack_from("<I4xHH", head, at + 18)
        name = head[at + 30 : at + 30 + name_length].decode("utf-8", "replace")
        if not names and name == "mimetype":
            begin = at + 30 + name_length + extra_length
            stated = head[begin : begin + size].decode("ascii", "replace")
            if re.fullmatch(r"application/[\w.+-]+", stated):
                return stated
        names.append(name)
        at = head.find(b"PK\x03\x04", at + 30)
    for folder, kind in _OOXML.items():
        if any(name.startswith(folder) for name in names):
            return kind
    return "application/zip"
