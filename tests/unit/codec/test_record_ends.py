"""Records are split at their brackets and quotes, 64 bytes at a time: as one does byte by byte."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from datastack.codec.json_kinds import CUT, FINE
from datastack.codec.json_scan import loose_end

# Long pieces move the others over the blocks' borders.
PIECES = ("{", "}", "[", "]", '"', "\\", '\\"', "\\\\", ",", "é", "x" * 61, '"' + "[" * 63 + '"', " " * 130)


def _walked(text: bytes, first: int, end: int) -> tuple[int, int]:
    """What a bracket's end is by one step for each byte."""
    level, quoted, at = 0, False, first
    while at < end:
        char = text[at : at + 1]
        if char == b'"':
            quoted = not quoted
        elif quoted:
            at += char == b"\\"
        else:
            level += (char in b"{[") - (char in b"}]")
            if level == 0:
                return at + 1, FINE
        at += 1
    return end, CUT


@settings(deadline=None, max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=60), *[st.integers(0, 70)] * 3)
def test_an_end_is_found_as_byte_by_byte(pieces: list[str], before: int, behind: int, beyond: int):
    text = ("]" * before + "{" + "".join(pieces) + "}" * behind).encode()
    end = len(text) - min(behind, beyond)  # what stands behind the end does not count
    data = np.frombuffer(text, np.uint8)
    assert loose_end(data, before, end) == _walked(text, before, end)
