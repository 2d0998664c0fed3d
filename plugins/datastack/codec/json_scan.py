"""Compiled loops that find where values of JSON end: strict (RFC 8259, UTF-8), of bounded depth, without any object.

Positions are those in ``data``. Kernels release the GIL. What is wrong is a problem's number.
"""

import numpy as np

from datastack.codec.json_kinds import (
    ARRAY,
    CUT,
    DEEP,
    FALSE,
    FINE,
    MISSING,
    NULL,
    NUMBER,
    OBJECT,
    TRUE,
    UNEXPECTED,
)
from datastack.codec.json_strings import after_blanks, byte, is_blank, string_end
from datastack.codec.take import compiled
from datastack.codec.words import BLOCK, block_bits, zeros_below


@compiled
def digits_end(data, at, end):
    """Position behind digits."""
    while at < end and 48 <= byte(data, at) <= 57:
        at += 1
    return at


@compiled
def number_end(data, at, end):
    """Find the end of a number. Return position and problem."""
    if byte(data, at) == 45:
        at += 1
    first = at
    at = digits_end(data, at, end)
    if at == first:
        return at, CUT if at >= end else UNEXPECTED
    if byte(data, first) == 48 and at > first + 1:
        return first + 1, UNEXPECTED
    if at < end and byte(data, at) == 46:
        first = at + 1
        at = digits_end(data, first, end)
        if at == first:
            return at, CUT if at >= end else UNEXPECTED
    if at < end and byte(data, at) | 32 == 101:
        at += 1
        if at < end and (byte(data, at) == 43 or byte(data, at) == 45):
            at += 1
        first = at
        at = digits_end(data, first, end)
        if at == first:
            return at, CUT if at >= end else UNEXPECTED
    return at, FINE


@compiled
def word_end(data, at, end):
    """Find the end of ``true``, ``false`` or ``null``. Return position, kind, problem."""
    first = byte(data, at)
    if at + 4 <= end:
        a, b, c = byte(data, at + 1), byte(data, at + 2), byte(data, at + 3)
        if first == 116 and a == 114 and b == 117 and c == 101:
            return at + 4, TRUE, FINE
        if first == 110 and a == 117 and b == 108 and c == 108:
            return at + 4, NULL, FINE
        if first == 102 and a == 97 and b == 108 and c == 115 and at + 5 <= end and byte(data, at + 4) == 101:
            return at + 5, FALSE, FINE
    return at, MISSING, UNEXPECTED


@compiled
def scalar_end(data, at, end):
    """Find the end of a string, number or word that begins here. Return position, kind, problem."""
    char = byte(data, at)
    if char == 34:
        at, kind, problem = string_end(data, at + 1, end)
        return at + 1, kind, problem
    if char == 45 or 48 <= char <= 57:
        at, problem = number_end(data, at, end)
        return at, NUMBER, problem
    return word_end(data, at, end)


@compiled
def value_end(data, at, end, depth, stack):
    """Find the end of a value of any kind that begins here. Return position, kind, problem.

    :param depth: levels that it may have.
    :param stack: for the engine's use: a byte a level.
    """
    char = byte(data, at)
    if char != 123 and char != 91:
        return scalar_end(data, at, end)
    whole = OBJECT if char == 123 else ARRAY
    level = 0
    opened = True  # behind an opening bracket
    if depth < 1:
        return at, whole, DEEP
    stack[0] = char
    at += 1
    while True:
        at = after_blanks(data, at, end)
        if at >= end:
            return at, whole, CUT
        char = byte(data, at)
        in_object = stack[level] == 123
        if opened and char == (125 if in_object else 93):  # an empty one: nothing to read
            opened = False
        else:
            if in_object:
                if char != 34:
                    return at, whole, UNEXPECTED
                at, _, problem = string_end(data, at + 1, end)
                if problem:
                    return at, whole, problem
                at = after_blanks(data, at + 1, end)
                if at >= end:
                    return at, whole, CUT
                if byte(data, at) != 58:
                    return at, whole, UNEXPECTED
                at = after_blanks(data, at + 1, end)
                if at >= end:
                    return at, whole, CUT
                char = byte(data, at)
            if char == 123 or char == 91:
                level += 1
                if level >= depth:
                    return at, whole, DEEP
                stack[level] = char
                opened = True
                at += 1
                continue
            at, _, problem = scalar_end(data, at, end)
            if problem:
                return at, whole, problem
            opened = False
        while True:  # behind a value: close what ends here
            at = after_blanks(data, at, end)
            if at >= end:
                return at, whole, CUT
            char = byte(data, at)
            if char == 44:
                at += 1
                break
            if char != (125 if stack[level] == 123 else 93):
                return at, whole, UNEXPECTED
            at += 1
            level -= 1
            if level < 0:
                return at, whole, FINE


@compiled
def loose_end(data, at, end):
    """Find the end of a value without looking into it: by its brackets and quotes. Return position and problem."""
    if at >= end:
        return end, CUT
    char = byte(data, at)
    if char == 123 or char == 91:
        return brackets_end(data, at, end)
    first = at
    if char == 34:
        at += 1
        while at < end and byte(data, at) != 34:
            at += 2 if byte(data, at) == 92 else 1
        return (at + 1, FINE) if at < end else (end, CUT)
    while at < end:
        char = byte(data, at)
        if char == 44 or char == 93 or char == 125 or is_blank(char):
            break
        at += 1
    return at, UNEXPECTED if at == first else FINE


@compiled
def parities(word):
    """A bit for each: whether the bits up to it that are set are odd in number."""
    for shift in (1, 2, 4, 8, 16, 32):
        word ^= word << np.uint64(shift)
    return word


@compiled
def brackets_end(data, at, end):
    """Find where as many brackets are closed as opened from here on, but for those in strings; see :func:`loose_end`.

    A block at a time: what stands in strings is told by the number of quotes before it.
    """
    level, quoted = 0, False
    while at < end:
        until = min(at + BLOCK, end)
        if at + BLOCK <= end and not block_bits(data, at, 0, 92):
            strings = parities(block_bits(data, at, 0, 34))
            if quoted:
                strings = ~strings
            opened = block_bits(data, at, 32, 123) & ~strings  # { and [, which differ in that bit
            closed = block_bits(data, at, 32, 125) & ~strings
            brackets = opened | closed
            while brackets:
                lowest = brackets & (~brackets + np.uint64(1))
                level += 1 if opened & lowest else -1
                if level == 0:
                    return at + np.int64(zeros_below(brackets)) + 1, FINE
                brackets ^= lowest
            quoted = (strings >> np.uint64(BLOCK - 1)) != 0
            at = until
        while at < until:  # the last block, or one with a backslash
            char = byte(data, at)
            if char == 34:
                quoted = not quoted
            elif quoted:
                if char == 92:
                    at += 1
            elif char == 123 or char == 91:
                level += 1
            elif char == 125 or char == 93:
                level -= 1
                if level == 0:
                    return at + 1, FINE
            at += 1
    return end, CUT
