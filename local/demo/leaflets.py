"""What the partner made for campaigns, as files of several kinds: written by hand, without a library for each."""

import io
import math
import struct
import wave
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from local.demo import dataset

RATE = 8000  # samples a second
BAR_WIDTH, BAR_HEIGHT = 4, 60  # pixels


@dataclass(frozen=True)
class Leaflet:
    """A file.

    :param claimed_type: what the partner says it is, which need not be true.
    """

    key: str
    content: bytes
    claimed_type: str
    metadata: dict[str, str] = field(default_factory=dict)


def leaflets(weeks: int) -> list[Leaflet]:
    """Return a few campaigns' files, the same ones at every call.

    One is claimed, by its name too, to be what it is not.
    """
    campaigns = {row["campaign_id"]: row for row in dataset.campaigns(weeks).to_pylist()}
    coupons = dataset.coupons()

    def make(number: int, ending: str, content: bytes, claimed_type: str) -> Leaflet:
        metadata = {"campaign-id": str(number), "language": "en"}
        return Leaflet(f"leaflets/campaign_{number:02d}{ending}", content, claimed_type, metadata)

    def words(number: int) -> list[str]:
        campaign = campaigns[number]
        span = f"From {campaign['start_date']} to {campaign['end_date']}"
        mine = coupons.filter(pc.equal(coupons["campaign_id"], number))
        return [f"Campaign {number} ({campaign['campaign_type']})", span, f"{mine.num_rows} coupons"]

    def bars(number: int) -> bytes:
        return png(str(pc.min(coupons.filter(pc.equal(coupons["campaign_id"], number))["coupon_upc"]).as_py()))

    return [
        make(8, ".pdf", pdf(words(8)), "application/pdf"),
        make(13, ".pdf", pdf(words(13)), "application/pdf"),
        make(18, "_barcode.png", bars(18), "image/png"),
        make(22, "_terms.txt", "\n".join([*words(22), ""]).encode(), "text/plain"),
        make(24, "_barcode.jpg", bars(24), "image/jpeg"),  # a PNG all the same
        make(26, "_radio.wav", tone(440), "audio/wav"),
    ]


def pdf(lines: Sequence[str]) -> bytes:
    """Return a page with some lines of plain text (ISO 32000-1, 7.5)."""
    shown = " ".join(f"({line.translate(ESCAPED)}) '" for line in lines)
    page = f"BT /F1 24 Tf 30 TL 60 740 Td {shown} ET".encode("latin-1")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 5 0 R>>>>/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(page), page),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    content, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(content))
    return content + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end


ESCAPED = str.maketrans({"\\": r"\\", "(": r"\(", ")": r"\)"})


def png(digits: str) -> bytes:
    """Return a picture of digits as black and white bars, four a digit (ISO/IEC 15948)."""
    bits = "".join(f"{int(digit):04b}" for digit in digits)
    row = b"\0" + b"".join((b"\0" if bit == "1" else b"\xff") * BAR_WIDTH for bit in bits)
    header = struct.pack(">IIBBBBB", len(row) - 1, BAR_HEIGHT, 8, 0, 0, 0, 0)  # 8 bits of grey
    parts: list[tuple[bytes, Any]] = [(b"IHDR", header), (b"IDAT", zlib.compress(row * BAR_HEIGHT)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
              for name, body in parts]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tone(hertz: int) -> bytes:
    """Return half a second of a tone as WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(RATE)
        samples = (int(20000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(RATE // 2))
        audio.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return out.getvalue()
