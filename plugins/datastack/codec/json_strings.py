"""Compiled loops that read the strings of JSON as bytes, and pass over blanks; strict (RFC 8259, UTF-8).

What is wrong is a problem's number, see :mod:`datastack.codec.json_kinds`. Kernels release the GIL.
"""

import numpy as np

from datastack.codec.json_kinds import CONTROL, CUT, ESCAPE, ESCAPED, FINE, NOT_UTF8, STRING
from datastack.codec.take import compiled
from datastack.codec.words import HIGHS, ONES, WIDTH, word_at, zeros_below

_PLAIN = np.zeros(256, np.uint8)  # what stands for itself in a string, in one byte
_PLAIN[32:128] = 1
_PLAIN[[34, 92]] = 0
_BLANK = np.zeros(256, np.uint8)
_BLANK[[9, 10, 13, 32]] = 1


@compiled
def byte(data, at):
    """One byte; an unsigned index saves the question whether it counts from the end."""
    return data[np.uint64(at)]


@compiled
def is_blank(char):
    """Whether a byte is a blank between values."""
    return _BLANK[char]


@compiled
def after_blanks(data, at, end):
    """Position of the first byte that is no blank."""
    while at < end and _BLANK[byte(data, at)]:
        at += 1
    return at


@compiled
def hex_value(data, at):
    """Value of four hexadecimal digits, or -1."""
    value = 0
    for k in range(4):
        char = np.int64(byte(data, at + k))
        if 48 <= char <= 57:
            digit = char - 48
        elif 97 <= (char | 32) <= 102:
            digit = (char | 32) - 87
        else:
            return -1
        value = value * 16 + digit
    return value


@compiled
def utf8_length(data, at, end):
    """Bytes of the character that begins here with a byte above 127; 0 if that is not UTF-8 (RFC 3629)."""
    first = byte(data, at)
    if first < 0xC2 or first > 0xF4:
        return 0
    length = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
    if at + length > end:
        return 0
    second = byte(data, at + 1)
    low, high = 0x80, 0xBF
    if first == 0xE0:
        low = 0xA0
    elif first == 0xED:
        high = 0x9F
    elif first == 0xF0:
        low = 0x90
    elif first == 0xF4:
        high = 0x8F
    if second < low or second > high:
        return 0
    for k in range(2, length):
        if byte(data, at + k) & 0xC0 != 0x80:
            return 0
    return length


@compiled
def equal_bytes(word, value):
    """High bits of the bytes that have this value; exact up to the first of them."""
    other = word ^ (ONES * np.uint64(value))
    return (other - ONES) & ~other & HIGHS


@compiled
def after_plain(data, at, end):
    """Position of the first byte that does not stand for itself in a string."""
    while at + WIDTH <= end:
        word = word_at(data, at)
        odd = equal_bytes(word, 34) | equal_bytes(word, 92) | ((word - ONES * np.uint64(32)) & ~word & HIGHS)
        odd |= word & HIGHS
        if odd:
            return at + np.int64(zeros_below(odd) >> np.uint64(3))
        at += WIDTH
    while at < end and _PLAIN[byte(data, at)]:
        at += 1
    return at


@compiled
def string_end(data, at, end):
    """Find the closing quote of a string; ``at`` is behind the opening one. Return position, kind, problem."""
    kind = STRING
    while True:
        at = after_plain(data, at, end)
        if at >= end:
            return at, kind, CUT
        char = byte(data, at)
        if char == 34:
            return at, kind, FINE
        elif char == 92:
            kind = ESCAPED
            if at + 1 >= end:
                return at, kind, CUT
            char = byte(data, at + 1)
            if char == 117:  # u
                if at + 6 > end:
                    return at, kind, CUT
                if hex_value(data, at + 2) < 0:
                    return at, kind, ESCAPE
                at += 6
            elif (
                char == 34 or char == 92 or char == 47 or char == 98 or char == 102
                or char == 110 or char == 114 or char == 116
            ):  # fmt: skip
                at += 2
            else:
                return at, kind, ESCAPE
        elif char < 32:
            return at, kind, CONTROL
        else:
            length = utf8_length(data, at, end)
            if length == 0:
                return at, kind, NOT_UTF8
            at += length
