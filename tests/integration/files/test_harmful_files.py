"""Archives that are made to do harm are kept as they came, and nothing of them gets any further."""

import gzip
import io
import zipfile

import pytest

from datastack.source.formats.stream import FormatError
from tests.integration.files.partner import Partner, csv_of, name_of

MANY = 96 * 1024 * 1024
_LINE = b"1,n,1.50\n"
BOMB = b"id,name,price\n" + _LINE * (MANY // len(_LINE))


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(("pack", "says"), [
    (lambda: gzip.compress(BOMB), "unpacks to more than 200 times its size: refused"),
    (lambda: zipped("a.csv", BOMB), "unpacks from .* bytes: refused"),
    (lambda: zipped("../../x", csv_of(1)), r"'\.\./\.\./x', which leads out of it: refused"),
], ids=["gzip bomb", "zip bomb", "a way out"])  # fmt: skip
def test_an_archive_that_does_harm(partner: Partner, pack: object, says: str):
    assert callable(pack)
    content = pack()
    partner.put(name_of(1), csv_of(7))
    partner.load()
    before = partner.stack.state()
    partner.put(name_of(1), content)
    landed = partner.extract()
    objects = partner.stack.objects("landing/")
    with pytest.raises(FormatError, match=says) as refused:
        partner.go_on(landed)
    assert str(refused.value).startswith(name_of(1))
    assert partner.stack.objects("landing/") == objects
    assert content in [partner.stack.get(key) for key in partner.landed()]
    assert len(partner.stack.manifests("conformed/")) == 1
    assert partner.stack.state() == before
    partner.put(name_of(1), csv_of(8))
    assert partner.load()[0]["rows"] == 1
    assert partner.ids() == [8]
