"""Compiled loops that copy texts out of JSON."""

from datastack.codec.json_kinds import CONTROL, CUT, ESCAPED, FINE, NUL, SURROGATE, TRAILING
from datastack.codec.json_scan import value_end
from datastack.codec.json_strings import after_blanks, byte, hex_value
from datastack.codec.take import compiled


@compiled
def unescape(data, at, end, out, to):
    """Copy a checked string without its escapes; return where its copy ends, and the problem of what it holds.

    Half a surrogate pair, which UTF-8 does not have, becomes a question mark.
    """
    problem = FINE
    while at < end:
        char = byte(data, at)
        if char != 92:
            out[to] = char
            to += 1
            at += 1
            continue
        char = byte(data, at + 1)
        if char != 117:
            if char == 98:
                char = 8
            elif char == 102:
                char = 12
            elif char == 110:
                char = 10
            elif char == 114:
                char = 13
            elif char == 116:
                char = 9
            out[to] = char
            to += 1
            at += 2
            continue
        point = hex_value(data, at + 2)
        at += 6
        if 0xD800 <= point < 0xDC00 and at + 6 <= end and byte(data, at) == 92 and byte(data, at + 1) == 117:
            low = hex_value(data, at + 2)
            if 0xDC00 <= low < 0xE000:
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
                at += 6
        if point == 0:
            problem = NUL
        if 0xD800 <= point < 0xE000:
            problem = SURROGATE
            point = 63
        if point < 0x80:
            out[to] = point
            to += 1
        elif point < 0x800:
            out[to] = 0xC0 | (point >> 6)
            out[to + 1] = 0x80 | (point & 0x3F)
            to += 2
        elif point < 0x10000:
            out[to] = 0xE0 | (point >> 12)
            out[to + 1] = 0x80 | ((point >> 6) & 0x3F)
            out[to + 2] = 0x80 | (point & 0x3F)
            to += 3
        else:
            out[to] = 0xF0 | (point >> 18)
            out[to + 1] = 0x80 | ((point >> 12) & 0x3F)
            out[to + 2] = 0x80 | ((point >> 6) & 0x3F)
            out[to + 3] = 0x80 | (point & 0x3F)
            to += 4
    return to, problem


@compiled
def copy_texts(data, starts, ends, kinds, valid, out, offsets, problems):
    """Copy texts one behind the other, those in strings without escapes; return their size.

    :param valid: a byte a value: what is 0 there is left out.
    :param problems: gets the problem of each, where it has one.
    """
    total = 0
    offsets[0] = 0
    for i in range(len(starts)):
        if valid[i]:
            if kinds[i] == ESCAPED:
                total, problem = unescape(data, starts[i], ends[i], out, total)
                if problem:
                    problems[i] = problem
            else:
                first = starts[i]
                for k in range(ends[i] - first):
                    out[total + k] = byte(data, first + k)
                total += ends[i] - first
        offsets[i + 1] = total
    return total


@compiled
def lasting_problem(data, at, end, digits):
    """What a warehouse can't store of a checked JSON value: problem, or FINE.

    :param digits: a number with more characters, or an exponent of more than three digits, is a problem: CONTROL.
    """
    while at < end:
        char = byte(data, at)
        if char == 34:
            at += 1
            while byte(data, at) != 34:
                if byte(data, at) != 92:
                    at += 1
                    continue
                if byte(data, at + 1) != 117:
                    at += 2
                    continue
                point = hex_value(data, at + 2)
                at += 6
                if point == 0:
                    return NUL
                if 0xD800 <= point < 0xE000:
                    low = hex_value(data, at + 2) if byte(data, at) == 92 and byte(data, at + 1) == 117 else 0
                    if point >= 0xDC00 or low < 0xDC00 or low >= 0xE000:
                        return SURROGATE
                    at += 6
            at += 1
        elif char == 45 or 48 <= char <= 57:
            begun, exponent = at, 0
            while at < end and (
                48 <= byte(data, at) <= 57
                or byte(data, at) == 43
                or 45 <= byte(data, at) <= 46
                or byte(data, at) | 32 == 101
            ):
                if byte(data, at) | 32 == 101:
                    exponent = at
                at += 1
            if at - begun > digits or (exponent and at - exponent > 5):
                return CONTROL
        else:
            at += 1
    return FINE


@compiled
def lasting_problems(data, starts, ends, valid, digits, problems):
    """Find what a warehouse can't store of each value, see :func:`lasting_problem`; strings with their quotes."""
    for i in range(len(starts)):
        if valid[i]:
            problem = lasting_problem(data, starts[i], ends[i], digits)
            if problem:
                problems[i] = problem


@compiled
def document_problems(data, starts, ends, valid, digits, stack, problems):
    """Check JSON documents whole, and what a warehouse can't store of each."""
    for i in range(len(starts)):
        if not valid[i]:
            continue
        at, problem = after_blanks(data, starts[i], ends[i]), CUT
        if at < ends[i]:
            at, _, problem = value_end(data, at, ends[i], len(stack), stack)
            if not problem:
                problem = TRAILING if after_blanks(data, at, ends[i]) < ends[i] else FINE
            if not problem:
                problem = lasting_problem(data, starts[i], ends[i], digits)
        problems[i] = problem
