"""Compiled loops that read dates, times and booleans from text, exactly: what does not fit is said, value by value.

Dates are those of ISO 8601 (years before 1 count from 0 down), or ``infinity`` and ``-infinity`` as in Postgres, which
are the largest and smallest integers. ``wanted`` holds a byte a value: what is 0 there is passed over; ``fits`` becomes
0 where a value does not fit.
"""

import numpy as np

from datastack.codec.json_strings import byte
from datastack.codec.take import compiled

TRUE_TEXT, FALSE_TEXT, INFINITY_WORD = (np.frombuffer(text, np.uint8) for text in (b"true", b"false", b"infinity"))
FIRST_DAY = -2_440_588  # since 1970: Postgres's first, 4714-11-24 BC
LAST_DAY = 2_145_042_905  # 5874897-12-31
DAY = 86_400_000_000  # microseconds
SECOND = 1_000_000


@compiled
def two_digits(data, at, end):
    """Value of two digits, or -1."""
    if at + 2 > end:
        return -1
    first, second = np.int64(byte(data, at)) - 48, np.int64(byte(data, at + 1)) - 48
    if first < 0 or first > 9 or second < 0 or second > 9:
        return -1
    return first * 10 + second


@compiled
def day_at(data, at, end):
    """Read a date. Return days since 1970, where it ends, and whether it is one."""
    negative = at < end and byte(data, at) == 45
    if negative or (at < end and byte(data, at) == 43):
        at += 1
    first, year = at, 0
    while at < end and 48 <= byte(data, at) <= 57 and at - first < 8:
        year = year * 10 + np.int64(byte(data, at)) - 48
        at += 1
    if at - first < 4 or at - first > 7 or at + 6 > end or byte(data, at) != 45 or byte(data, at + 3) != 45:
        return 0, at, False
    month, day = two_digits(data, at + 1, end), two_digits(data, at + 4, end)
    if negative:
        year = -year
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    if month < 1 or month > 12 or day < 1:
        return 0, at, False
    length = 31
    if month == 2:
        length = 29 if leap else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        length = 30
    if day > length:
        return 0, at, False
    # Days of the proleptic Gregorian calendar, years counted from March.
    shifted = year - 1 if month <= 2 else year
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return days, at + 6, FIRST_DAY <= days <= LAST_DAY


@compiled
def is_word(data, at, word):
    """Whether a word stands here, in any case."""
    same = True
    for k in range(len(word)):
        same &= byte(data, at + k) | 32 == word[k]
    return same


@compiled
def infinite(data, at, end):
    """Sign of ``infinity``, in any case; 0 if it is something else."""
    sign = 1
    if at < end and byte(data, at) == 45:
        sign = -1
        at += 1
    return sign if end - at == len(INFINITY_WORD) and is_word(data, at, INFINITY_WORD) else 0


@compiled
def clock_at(data, at, end):
    """Read a time of day. Return microseconds since midnight, or -1, and where it ends.

    More than six decimals are none, unless they are zeros: nothing is cut. 24:00:00 is the end of a day.
    """
    hour, minute, second, fraction = two_digits(data, at, end), -1, 0, 0
    at += 2
    if at < end and byte(data, at) == 58:
        minute = two_digits(data, at + 1, end)
        at += 3
        if minute >= 0 and at < end and byte(data, at) == 58:
            second = two_digits(data, at + 1, end)
            at += 3
            if second >= 0 and at + 1 < end and (byte(data, at) == 46 or byte(data, at) == 44):
                at += 1
                first, unit = at, SECOND // 10
                while at < end and 48 <= byte(data, at) <= 57:
                    if unit == 0 and byte(data, at) != 48:
                        return -1, at
                    fraction += unit * (np.int64(byte(data, at)) - 48)
                    unit //= 10
                    at += 1
                if at == first:
                    return -1, at
    if hour < 0 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return -1, at
    clock = (hour * 3600 + minute * 60 + second) * SECOND + fraction
    return (clock if clock <= DAY else -1), at


@compiled
def zone_at(data, at, end):
    """Read a zone: Z, +02, +0200 or +02:00. Return microseconds east of UTC, and whether it is one and the last."""
    if at < end and byte(data, at) | 32 == 122:
        return 0, at + 1 == end
    if at >= end or (byte(data, at) != 43 and byte(data, at) != 45):
        return 0, False
    sign = 1 if byte(data, at) == 43 else -1
    hours, minutes = two_digits(data, at + 1, end), 0
    at += 3
    if at < end:
        if byte(data, at) == 58:
            at += 1
        minutes = two_digits(data, at, end)
        at += 2
    right = at == end and 0 <= hours < 24 and 0 <= minutes < 60
    return sign * (hours * 3600 + minutes * 60) * SECOND, right


@compiled
def days(data, starts, ends, wanted, out, fits):
    """Read dates as days since 1970."""
    for i in range(len(starts)):
        out[i] = 0
        if not wanted[i]:
            continue
        day, at, right = day_at(data, starts[i], ends[i])
        if right and at == ends[i]:
            out[i] = day
            continue
        sign = infinite(data, starts[i], ends[i])
        if sign == 0:
            fits[i] = 0
        else:
            out[i] = 2147483647 if sign > 0 else -2147483648


@compiled
def moments(data, starts, ends, wanted, zoned, out, fits):
    """Read times as microseconds since 1970.

    :param zoned: whether each has a zone, or none has.
    """
    largest = 9223372036854775807
    for i in range(len(starts)):
        out[i] = 0
        if not wanted[i]:
            continue
        end = ends[i]
        day, at, right = day_at(data, starts[i], end)
        if not right:
            sign = infinite(data, starts[i], end)
            if sign == 0:
                fits[i] = 0
            else:
                out[i] = largest if sign > 0 else -largest - 1
            continue
        fits[i] = 0
        clock, east = 0, 0
        if at == end:
            if zoned:
                continue
        else:
            if byte(data, at) | 32 != 116 and byte(data, at) != 32:
                continue
            clock, at = clock_at(data, at + 1, end)
            if clock < 0 or clock == DAY:
                continue
            if zoned:
                east, right = zone_at(data, at, end)
                if not right:
                    continue
            elif at != end:
                continue
        if day > 106_751_991:  # beyond it is more than 64 bits hold
            continue
        moment, rest = day * DAY, clock - east
        if (rest > 0 and moment > largest - 1 - rest) or moment + rest < FIRST_DAY * DAY:
            continue
        out[i] = moment + rest
        fits[i] = 1


@compiled
def clocks(data, starts, ends, wanted, out, fits):
    """Read times of day as microseconds since midnight."""
    for i in range(len(starts)):
        out[i] = 0
        if wanted[i]:
            clock, at = clock_at(data, starts[i], ends[i])
            if clock < 0 or at != ends[i]:
                fits[i] = 0
            else:
                out[i] = clock


@compiled
def truths(data, starts, ends, wanted, out, fits):
    """Read booleans from text: true or false, t or f, 1 or 0, in any case."""
    for i in range(len(starts)):
        if not wanted[i]:
            continue
        at, length = starts[i], ends[i] - starts[i]
        fits[i] = 0
        if length == 1:
            char = byte(data, at) | 32
            if char == 116 or byte(data, at) == 49:
                out[i] = 1
                fits[i] = 1
            elif char == 102 or byte(data, at) == 48:
                out[i] = 0
                fits[i] = 1
        elif length == 4 and is_word(data, at, TRUE_TEXT):
            out[i] = 1
            fits[i] = 1
        elif length == 5 and is_word(data, at, FALSE_TEXT):
            out[i] = 0
            fits[i] = 1
