"""Brings text of any encoding into UTF-8."""

import codecs

from datastack.source.formats.stream import Stream

_BYTE_ORDER_MARKS = (  # longest first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A byte that is none of its encoding comes out as a character at the end of what is for private use, which nobody
# assigns: its row is found by that, where an error would cost the file.
MARKED = r"[\x{10FF80}-\x{10FFFF}]"
_MARK = {0xDC80 + place: 0x10FF80 + place for place in range(128)}  # what "surrogateescape" makes of such a byte
_SHOWN = dict.fromkeys(_MARK.values(), "\ufffd")


class Utf8(Stream):
    """Text in UTF-8. A byte order mark says more than the encoding that was declared.

    ``marked`` tells whether a byte was found that is none of the encoding: see ``MARKED``.
    """

    def __init__(self, stream: Stream, encoding: str) -> None:
        super().__init__(stream.name, self._decoded)
        head = stream.peek(4)
        self._encoding = next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), encoding)
        self._decoder = codecs.getincrementaldecoder(self._encoding)("surrogateescape")
        self._stream, self._ended, self.marked = stream, False, False

    def _decoded(self, size: int) -> bytes:
        text = ""
        while not text and not self._ended:
            block = self._stream.read(size)
            self._ended = not block
            try:
                text = self._decoder.decode(block, final=self._ended)
            except UnicodeDecodeError as error:
                raise self._stream.half_written(f"{self._encoding}: {error.reason}") from error
        try:
            return text.encode()
        except UnicodeEncodeError:
            self.marked = True
            return text.translate(_MARK).encode()


def without_marks(text: str) -> str:
    """Show bytes that are no text as everybody does."""
    return text.translate(_SHOWN)
