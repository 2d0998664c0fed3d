"""Takes files out of what they are packed in, known by its first bytes and not by its name, within limits.

Nothing is unpacked to disk, but for the archive itself, which must be read from its end.
"""

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from datastack.source.files.globs import is_left_alone, matches
from datastack.source.formats.stream import FormatError, Stream, spooled

_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_NOT_READ = {
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"\x04\x22\x4d\x18": "LZ4",
}
_HEAD = 8
_RATIO = 200  # beyond it, what unpacks to more than this many bytes was made to do harm
_SURELY = 64 * 1024 * 1024
_WORKBOOK = ("[Content_Types].xml", "mimetype")


@dataclass(frozen=True)
class Limits:
    """What a file may unpack to. ``member`` is a glob of the files to read in an archive of several."""

    unpacked_bytes: int
    member: str | None = None
    is_workbook: bool = False


def unpacked(stream: Stream, limits: Limits) -> Iterator[Stream]:
    """Yield what is packed in a file, or the file itself; read each before the next one.

    :raises FormatError: if it is cut short, encrypted, an archive in an archive, too large, or made to do harm.
    """
    head = stream.peek(_HEAD)
    for magic, kind in _NOT_READ.items():
        if head.startswith(magic):
            raise stream.fail(f"is packed by {kind}, which is not read. Ask for gzip, zstd or zip, or as it is")
    if kind := next((kind for magic, kind in _COMPRESSED.items() if head.startswith(magic)), ""):
        yield _not_packed(_decompressed(stream, kind, limits), limits)
    elif head.startswith(_ZIP):
        yield from _members(stream, limits)
    else:
        yield Stream(stream.name, _bounded(stream, stream.read, limits))


def _not_packed(stream: Stream, limits: Limits) -> Stream:
    head = stream.peek(_HEAD)
    if head.startswith((*_COMPRESSED, *_NOT_READ)) or (head.startswith(_ZIP) and not limits.is_workbook):
        raise stream.fail("is an archive in an archive, which is not read")
    return stream


def _decompressed(packed: Stream, kind: str, limits: Limits) -> Stream:
    reader = pa.CompressedInputStream(pa.PythonFile(packed, "r"), kind)

    def read(size: int) -> bytes:
        try:
            return bytes(reader.read(size))
        except OSError as error:
            if packed.error:
                raise packed.error from error
            raise packed.half_written(f"{kind}: {error}") from error

    return Stream(packed.name, _bounded(packed, read, limits, lambda: packed.count))


def _bounded(
    stream: Stream, read: Callable[[int], bytes], limits: Limits, packed: Callable[[], int] | None = None
) -> Callable[[int], bytes]:
    """Count what is unpacked, and stop what is too much of it.

    :param packed: how many bytes it was made of so far.
    """
    count = 0

    def bounded(size: int) -> bytes:
        nonlocal count
        found = read(size)
        count += len(found)
        if count > limits.unpacked_bytes:
            raise stream.fail(
                f"unpacks to more than {limits.unpacked_bytes} bytes: refused. If it may be that large, raise the "
                "stream's max_unpacked_bytes"
            )
        if packed and count > _SURELY and count > _RATIO * max(packed(), 1):
            raise stream.fail(f"unpacks to more than {_RATIO} times its size: refused, as a file made to fill disks is")
        return found

    return bounded


def _members(stream: Stream, limits: Limits) -> Iterator[Stream]:
    with spooled(stream, limits.unpacked_bytes, "an archive") as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError) as error:
            raise stream.half_written(f"zip: {error}") from error
        with archive:
            if limits.is_workbook and any(name in _WORKBOOK for name in archive.namelist()):
                _check_sizes(stream, archive.infolist(), limits)
                _check_whole(stream, archive)
                file.seek(0)
                yield Stream(stream.name, file.read)
                return
            chosen = _chosen(stream, archive.infolist(), limits)
            _check_sizes(stream, chosen, limits)
            for info in chosen:
                yield _not_packed(_member(stream, archive, info, limits), limits)


def _chosen(stream: Stream, found: list[zipfile.ZipInfo], limits: Limits) -> list[zipfile.ZipInfo]:
    """Files to read: all that are declared, or the only one there is."""
    for info in found:
        _check_name(stream, info)
    files = [info for info in found if not info.is_dir() and not _is_litter(info.filename)]
    if limits.member:
        files = [info for info in files if matches(info.filename, limits.member)]
        if not files:
            raise stream.fail(f"holds no file like {limits.member!r}, only {_names(found)}")
    elif len(files) != 1:
        raise stream.fail(f"holds {len(files)} files, not one: {_names(files)}. Declare which to read as `member`")
    return sorted(files, key=lambda info: info.filename)


def _check_name(stream: Stream, info: zipfile.ZipInfo) -> None:
    """Refuse names that lead elsewhere: nothing is written by them, but who sends them means harm."""
    name = info.orig_filename.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        raise stream.fail(f"holds a file that is named {info.orig_filename[:80]!r}, which leads out of it: refused")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise stream.fail(f"holds a link, {info.orig_filename[:80]!r}: refused")
    if info.flag_bits & 0x1:
        raise stream.fail("is encrypted. Ask for a file without a password, over a channel that is closed")


def _check_sizes(stream: Stream, infos: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Refuse what says itself that it is too large, before anything is read."""
    total, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if total > limits.unpacked_bytes or (total > _SURELY and total > _RATIO * max(packed, 1)):
        raise stream.fail(f"unpacks from {packed} to {total} bytes: refused. See the stream's max_unpacked_bytes")


def _check_whole(stream: Stream, archive: zipfile.ZipFile) -> None:
    try:
        bad = archive.testzip()
    except _ZIP_ERRORS as error:
        raise _zip_error(stream, error) from error
    if bad:
        raise stream.half_written(f"zip: {bad} has another checksum")


def _member(stream: Stream, archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> Stream:
    name = f"{stream.name}, {info.filename}"
    try:
        file: Any = archive.open(info)
    except _ZIP_ERRORS as error:
        raise _zip_error(stream, error) from error

    def read(size: int) -> bytes:
        try:
            return bytes(file.read(size))
        except _ZIP_ERRORS as error:
            raise _zip_error(stream, error) from error

    return Stream(name, _bounded(stream, read, limits, lambda: info.compress_size))


_ZIP_ERRORS = (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, zlib.error)


def _zip_error(stream: Stream, error: Exception) -> FormatError:
    if isinstance(error, FormatError):
        return error
    if isinstance(error, NotImplementedError):
        return stream.fail(f"is packed in a way that is not read ({error}). Ask for a zip by deflate")
    return stream.half_written(f"zip: {error}")


def _is_litter(name: str) -> bool:
    return is_left_alone(name) or name.startswith("__MACOSX/")


def _names(infos: list[zipfile.ZipInfo]) -> str:
    return ", ".join(info.filename[:80] for info in infos[:5]) + ("…" if len(infos) > 5 else "") or "nothing"
