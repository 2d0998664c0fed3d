"""Compiled loops that build binary COPY rows, a column at a time.

Every row has a place in ``out``, and ``places`` says where its next value goes; each kernel writes one value of each
row and moves the places on. ``valid`` holds a byte a value, 0 for null. Kernels release the GIL.
"""

import numpy as np

from datastack.codec.take import LIMB, NUMERIC_NEGATIVE, compiled, negated

NUMERIC_NAN, NUMERIC_INFINITY, NUMERIC_MINUS_INFINITY = 0xC000, 0xD000, 0xF000
NAN_TEXT, INFINITY_TEXT = (np.frombuffer(text, np.uint8) for text in (b"NaN", b"Infinity"))


@compiled
def put_2_at(out, at, value):
    """Write a 2-byte integer."""
    out[at] = np.uint8((value >> 8) & 0xFF)
    out[at + 1] = np.uint8(value & 0xFF)


@compiled
def put_4_at(out, at, value):
    """Write a 4-byte integer."""
    out[at] = np.uint8((value >> 24) & 0xFF)
    out[at + 1] = np.uint8((value >> 16) & 0xFF)
    out[at + 2] = np.uint8((value >> 8) & 0xFF)
    out[at + 3] = np.uint8(value & 0xFF)


@compiled
def put_field_counts(out, places, count):
    """Begin each row with its number of fields."""
    for i in range(len(places)):
        put_2_at(out, places[i], count)
        places[i] += 2


@compiled
def put_fixed(out, places, values, width, valid):
    """Write integers of up to 8 bytes."""
    for i in range(len(places)):
        at = np.uint64(places[i])
        if not valid[i]:
            put_4_at(out, places[i], -1)
            places[i] += 4
            continue
        out[at] = 0
        out[at + np.uint64(1)] = 0
        out[at + np.uint64(2)] = 0
        out[at + np.uint64(3)] = np.uint8(width)
        value = np.uint64(values[i])
        shift = np.uint64(8 * (width - 1))
        at += np.uint64(4)
        for k in range(width):
            out[at + np.uint64(k)] = np.uint8((value >> shift) & np.uint64(0xFF))
            shift -= np.uint64(8)
        places[i] += 4 + width


@compiled
def put_bytes(out, places, data, offsets, valid, prefix):
    """Write variable values, each behind a byte 1 if ``prefix`` (the version that jsonb begins with)."""
    for i in range(len(places)):
        if not valid[i]:
            put_4_at(out, places[i], -1)
            places[i] += 4
            continue
        length = offsets[i + 1] - offsets[i]
        put_4_at(out, places[i], length + prefix)
        at = np.uint64(places[i] + 4)
        if prefix:
            out[at] = 1
            at += np.uint64(1)
        source = np.uint64(offsets[i])
        for k in range(np.uint64(length)):
            out[at + k] = data[source + k]
        places[i] += 4 + prefix + length


@compiled
def numeric_of_decimals(values, scale, valid, scratch, out, offsets):
    """Write 128-bit integers times 10^-scale as Postgres's numerics, one behind the other; return their size."""
    total = 0
    offsets[0] = 0
    partial = scale % 4
    divisor = np.uint64(10**partial)
    factor = np.uint64(10 ** (4 - partial)) if partial else np.uint64(1)
    for i in range(len(valid)):
        if not valid[i]:
            offsets[i + 1] = total
            continue
        low, high = np.uint64(values[i, 0]), np.uint64(values[i, 1])
        negative = (high >> np.uint64(63)) != 0
        if negative:
            low, high = negated(low, high)
        groups = 0
        if partial:
            low, high, rest = divided(low, high, divisor)
            scratch[0] = rest * factor
            groups = 1
        while low or high:
            low, high, rest = divided(low, high, np.uint64(10000))
            scratch[groups] = rest
            groups += 1
        weight = groups - (scale + 3) // 4 - 1
        zeros = 0  # groups of zeros at the end are left out, as Postgres does
        while zeros < groups and scratch[zeros] == 0:
            zeros += 1
        put_2_at(out, total, groups - zeros)
        put_2_at(out, total + 2, weight if zeros < groups else 0)
        put_2_at(out, total + 4, NUMERIC_NEGATIVE if negative else 0)
        put_2_at(out, total + 6, scale)
        total += 8
        for k in range(groups - zeros):
            put_2_at(out, total, np.int64(scratch[groups - 1 - k]))
            total += 2
        offsets[i + 1] = total
    return total


@compiled
def divided(low, high, divisor):
    """Divide a 128-bit integer by a small one: low and high half of the quotient, and the rest."""
    if high == 0:
        return low // divisor, high, low % divisor
    rest = high >> np.uint64(32)
    d, rest = rest // divisor, rest % divisor
    rest = (rest << np.uint64(32)) | (high & LIMB)
    c, rest = rest // divisor, rest % divisor
    rest = (rest << np.uint64(32)) | (low >> np.uint64(32))
    b, rest = rest // divisor, rest % divisor
    rest = (rest << np.uint64(32)) | (low & LIMB)
    a, rest = rest // divisor, rest % divisor
    return (b << np.uint64(32)) | a, (d << np.uint64(32)) | c, rest


@compiled
def numeric_of_text(data, starts, valid, out, offsets):
    """Write numerics from their text, as ``-12.50``, ``NaN``, ``Infinity``; return their size.

    ``starts`` are Arrow's offsets. The text is what Postgres writes: no exponent, no blanks. Anything else gives -1.
    """
    total = 0
    offsets[0] = 0
    for i in range(len(valid)):
        if not valid[i]:
            offsets[i + 1] = total
            continue
        at, end = starts[i], starts[i + 1]
        sign = 0
        if at < end and data[at] == 45:  # -
            sign = NUMERIC_NEGATIVE
            at += 1
        if at < end and (data[at] == 78 or data[at] == 73):  # N, I
            if is_text(data, at, end, NAN_TEXT) and not sign:
                sign = NUMERIC_NAN
            elif is_text(data, at, end, INFINITY_TEXT):
                sign = NUMERIC_MINUS_INFINITY if sign else NUMERIC_INFINITY
            else:
                return -1
            put_4_at(out, total, 0)
            put_2_at(out, total + 4, sign)
            put_2_at(out, total + 6, 0)
            total += 8
            offsets[i + 1] = total
            continue
        point = at
        while point < end and data[point] != 46:
            point += 1
        whole, scale = point - at, max(end - point - 1, 0)
        if whole + scale == 0:
            return -1
        groups_before, groups_after = (whole + 3) // 4, (scale + 3) // 4
        put_2_at(out, total, groups_before + groups_after)
        put_2_at(out, total + 2, groups_before - 1)
        put_2_at(out, total + 4, sign)
        put_2_at(out, total + 6, scale)
        total += 8
        group = 0
        for k in range(4 * (groups_before + groups_after)):
            position = k - (4 * groups_before - whole)  # among the digits, the point left out
            digit = 0
            if 0 <= position < whole + scale:
                digit = data[at + position + (1 if position >= whole else 0)] - 48
                if digit < 0 or digit > 9:
                    return -1
            group = group * 10 + digit
            if k % 4 == 3:
                put_2_at(out, total, group)
                total += 2
                group = 0
        offsets[i + 1] = total
    return total


@compiled
def is_text(data, start, end, text):
    """Whether these bytes stand there, and no others."""
    if end - start != len(text):
        return False
    same = True
    for k in range(len(text)):
        same &= data[start + k] == text[k]
    return same


@compiled
def arrays_of_items(list_offsets, valid, data, item_offsets, item_valid, out, offsets):
    """Write one-dimensional text arrays, one behind the other; return their size."""
    total = 0
    offsets[0] = 0
    for i in range(len(valid)):
        if not valid[i]:
            offsets[i + 1] = total
            continue
        first, last = list_offsets[i], list_offsets[i + 1]
        nulls = 0
        for item in range(first, last):
            if not item_valid[item]:
                nulls = 1
        put_4_at(out, total, 1 if last > first else 0)
        put_4_at(out, total + 4, nulls)
        put_4_at(out, total + 8, 25)  # the oid of text
        total += 12
        if last > first:
            put_4_at(out, total, last - first)
            put_4_at(out, total + 4, 1)
            total += 8
        for item in range(first, last):
            if not item_valid[item]:
                put_4_at(out, total, -1)
                total += 4
                continue
            length = item_offsets[item + 1] - item_offsets[item]
            put_4_at(out, total, length)
            total += 4
            for k in range(length):
                out[total + k] = data[item_offsets[item] + k]
            total += length
        offsets[i + 1] = total
    return total


@compiled
def uuids_of_text(data, starts, valid, out):
    """Write UUIDs from their usual text; return False if one is something else."""
    for i in range(len(valid)):
        if not valid[i]:
            continue
        if starts[i + 1] - starts[i] != 36:
            return False
        at, half = 16 * i, 0
        for k in range(36):
            char = np.int64(data[starts[i] + k])
            if k == 8 or k == 13 or k == 18 or k == 23:
                if char != 45:
                    return False
                continue
            if 48 <= char <= 57:
                digit = char - 48
            elif 97 <= (char | 32) <= 102:
                digit = (char | 32) - 87
            else:
                return False
            if half:
                out[at] |= np.uint8(digit)
                at += 1
            else:
                out[at] = np.uint8(digit << 4)
            half = 1 - half
    return True
