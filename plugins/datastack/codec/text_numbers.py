"""Compiled loops that read numbers from text, exactly: what does not fit is said, value by value.

``wanted`` holds a byte a value: what is 0 there is passed over. ``fits`` becomes 0 where a value does not fit.
"""

import numpy as np

from datastack.codec.json_scan import digits_end
from datastack.codec.json_strings import byte
from datastack.codec.take import LIMB, compiled, negated, too_large

MOST_EXPONENT = 1_000_000


@compiled
def number_parts(data, at, end):
    """Take a number apart, also one with a plus, leading zeros, or no digit on one side of its point.

    :return: whether it is one, whether it is negative, where its digits begin and end, where its point is (or the
        digits' end), and its exponent.
    """
    negative = False
    if at < end and (byte(data, at) == 45 or byte(data, at) == 43):
        negative = byte(data, at) == 45
        at += 1
    first = at
    at = digits_end(data, at, end)
    point, digits = at, at - first
    if at < end and byte(data, at) == 46:
        at = digits_end(data, at + 1, end)
        digits += at - point - 1
    last = at
    if digits == 0:
        return False, negative, first, last, point, 0
    exponent = 0
    if at < end and byte(data, at) | 32 == 101:
        at += 1
        below = False
        if at < end and (byte(data, at) == 43 or byte(data, at) == 45):
            below = byte(data, at) == 45
            at += 1
        if at == end:
            return False, negative, first, last, point, 0
        while at < end and 48 <= byte(data, at) <= 57:
            exponent = min(exponent * 10 + np.int64(byte(data, at)) - 48, MOST_EXPONENT)
            at += 1
        if below:
            exponent = -exponent
    return at == end, negative, first, last, point, exponent


@compiled
def scaled(data, first, last, point, shift):
    """Digits as a 128-bit integer times 10^shift, low half first; and whether that is exact and below 2^127.

    :param shift: places that the point moves to the right.
    """
    ten = np.uint64(10)
    while first < last and (byte(data, first) == 48 or byte(data, first) == 46) and first != point:
        first += 1  # zeros in front
    behind = max(last - point - 1, 0)
    count = last - first - (1 if first <= point < last else 0)  # of digits
    steps = count - behind + shift  # digits that count, from the first one on
    a, b, c, d = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    at = first
    begun = False
    k = 0
    while k < max(steps, count):
        digit = np.uint64(0)
        if k < count:
            if at == point:
                at += 1
            digit = np.uint64(byte(data, at)) - np.uint64(48)
            at += 1
        k += 1
        if k > steps:
            if digit:
                return np.uint64(0), np.uint64(0), False
            continue
        begun |= digit != np.uint64(0)
        if not begun:
            if k >= count:
                break
            continue
        a = a * ten + digit
        b = b * ten + (a >> np.uint64(32))
        c = c * ten + (b >> np.uint64(32))
        d = d * ten + (c >> np.uint64(32))
        a, b, c, d = a & LIMB, b & LIMB, c & LIMB, d
        if d >> np.uint64(31):
            return np.uint64(0), np.uint64(0), False
    return a | (b << np.uint64(32)), c | (d << np.uint64(32)), True


@compiled
def small(data, first, last, point, shift):
    """Digits as an integer times 10^shift, where there are at most 18 of them; and whether that was possible."""
    count = last - first - (1 if point < last else 0)
    behind = max(last - point - 1, 0)
    move = shift - behind
    if count > 18 or move < 0 or count + move > 18:
        return 0, False
    value = 0
    for k in range(first, last):
        if k != point:
            value = value * 10 + np.int64(byte(data, k)) - 48
    for _ in range(move):
        value *= 10
    return value, True


@compiled
def whole_numbers(data, starts, ends, wanted, low, high, out, fits):
    """Read whole numbers from ``low`` to ``high``, however they are written: 1, 1.0, 1e2."""
    for i in range(len(starts)):
        out[i] = 0
        if not wanted[i]:
            continue
        right, negative, first, last, point, exponent = number_parts(data, starts[i], ends[i])
        fits[i] = 0
        if not right:
            continue
        value, done = small(data, first, last, point, exponent)
        if not done:
            lower, higher, exact = scaled(data, first, last, point, exponent)
            if not exact or higher or lower > np.uint64(1 << 63):
                continue
            if lower == np.uint64(1 << 63):
                if not negative:
                    continue
                value, negative = np.int64(-(1 << 63)), False
            else:
                value = np.int64(lower)
        if negative:
            value = -value
        if low <= value <= high:
            out[i] = value
            fits[i] = 1


@compiled
def decimals(data, starts, ends, wanted, precision, scale, out, fits):
    """Read numbers as 128-bit integers times 10^-scale, low half first."""
    limit = 10 ** min(precision, 18)
    for i in range(len(starts)):
        out[i, 0], out[i, 1] = 0, 0
        if not wanted[i]:
            continue
        right, negative, first, last, point, exponent = number_parts(data, starts[i], ends[i])
        fits[i] = 0
        if not right:
            continue
        value, done = small(data, first, last, point, exponent + scale)
        if done:
            if precision < 18 and value >= limit:
                continue
            if negative:
                value = -value
            out[i, 0], out[i, 1] = value, value >> 63
            fits[i] = 1
            continue
        low, high, exact = scaled(data, first, last, point, exponent + scale)
        if not exact or too_large(low, high, precision):
            continue
        if negative:
            low, high = negated(low, high)
        out[i, 0], out[i, 1] = np.int64(low), np.int64(high)
        fits[i] = 1


@compiled
def are_numbers(data, starts, ends, wanted, fits):
    """Which values are numbers with digits."""
    for i in range(len(starts)):
        if wanted[i]:
            right, _, _, _, _, _ = number_parts(data, starts[i], ends[i])
            fits[i] = right


@compiled
def are_identities(data, starts, ends, wanted, fits):
    """Which values are whole numbers as everybody writes them: digits, perhaps after a minus; not -0."""
    for i in range(len(starts)):
        if wanted[i]:
            at = starts[i] + (1 if byte(data, starts[i]) == 45 else 0)
            fits[i] = (
                at < ends[i] and digits_end(data, at, ends[i]) == ends[i] and (byte(data, at) != 48 or at == starts[i])
            )
