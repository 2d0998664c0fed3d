"""Compiled loops that take values out of binary COPY rows, a column at a time.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". ``starts`` and ``lengths`` say
where the values of one column stand in ``data``; a length of -1 is null. Kernels release the GIL.
"""

import numba
import numpy as np

# Without numba's runtime, kernels can't allocate, and need not count references: two locked instructions for each array
# at each call, half of the time of a loop over small values. Whoever calls a kernel holds its arrays. Numba does not
# document the option: a version without it says so when kernels are compiled.
compiled = numba.njit(cache=True, nogil=True, boundscheck=False, _nrt=False)  # type: ignore[call-overload]

NUMERIC_NEGATIVE = 0x4000
LIMB = np.uint64(0xFFFFFFFF)


@compiled
def scan_rows(data, size, columns, starts, lengths, limit):
    """Find the values of up to ``limit`` whole rows; return rows, bytes used, and whether the trailer was met.

    Rows of another number of columns give -1 rows.
    """
    used, row = 0, 0
    while row < limit:
        at = used
        if at + 2 > size:
            break
        count = (np.int32(data[at]) << 8) | np.int32(data[at + 1])
        if count == 0xFFFF:
            return row, at + 2, True
        if count != columns:
            return -1, at, False
        at += 2
        whole = True
        for column in range(columns):
            if at + 4 > size:
                whole = False
                break
            length = read_4(data, at)
            at += 4
            starts[column, row] = at
            lengths[column, row] = length
            if length > 0:
                at += length
        if not whole or at > size:
            break
        used = at
        row += 1
    return row, used, False


@compiled
def take_8(data, starts, lengths, shift, out):
    """Take 8-byte integers plus ``shift``; the two infinities of Postgres's timestamps stay what they are.

    Return False if one has another width, or reaches the upper infinity by its shift.
    """
    largest = 9223372036854775806 - shift
    for i in range(len(starts)):
        if lengths[i] != 8:
            if lengths[i] >= 0:
                return False
            out[i] = 0
            continue
        at = np.uint64(starts[i])
        value = np.uint64(0)
        for k in range(8):
            value = (value << np.uint64(8)) | np.uint64(data[at + np.uint64(k)])
        signed = np.int64(value)
        if shift and signed != 9223372036854775807 and signed != -9223372036854775808:
            if signed > largest:
                return False
            signed += shift
        out[i] = signed
    return True


@compiled
def take_4(data, starts, lengths, shift, out):
    """Take 4-byte integers plus ``shift``; the two infinities of Postgres's dates stay what they are."""
    for i in range(len(starts)):
        if lengths[i] != 4:
            if lengths[i] >= 0:
                return False
            out[i] = 0
            continue
        at = np.uint64(starts[i])
        value = np.uint32(0)
        for k in range(4):
            value = (value << np.uint32(8)) | np.uint32(data[at + np.uint64(k)])
        signed = np.int32(value)
        if shift and signed != 2147483647 and signed != -2147483648:
            signed += shift
        out[i] = signed
    return True


@compiled
def take_numeric(data, starts, lengths, precision, scale, out):
    """Take numerics as 128-bit integers times 10^-scale, low half first.

    Return False if one is not exact in that precision and scale, or is NaN or infinite.
    """
    ten = np.uint64(10)
    for i in range(len(starts)):
        out[i, 0] = 0
        out[i, 1] = 0
        if lengths[i] < 0:
            continue
        at = np.uint64(starts[i])
        digits = (np.int64(data[at]) << 8) | np.int64(data[at + np.uint64(1)])
        weight = np.int64(np.int16((np.uint16(data[at + np.uint64(2)]) << 8) | np.uint16(data[at + np.uint64(3)])))
        sign = (np.int64(data[at + np.uint64(4)]) << 8) | np.int64(data[at + np.uint64(5)])
        if sign != 0 and sign != NUMERIC_NEGATIVE:
            return False
        exponent = 4 * (weight - digits + 1) + scale  # the digits as an integer, times 10^exponent
        if digits and 4 * weight + 1 + scale > precision + 3:
            return False
        at += np.uint64(8)
        if 4 * digits + max(exponent, 0) <= 18:  # fits 64 bits
            value = np.int64(0)
            for _ in range(digits):
                value = value * 10000 + ((np.int64(data[at]) << 8) | np.int64(data[at + np.uint64(1)]))
                at += np.uint64(2)
            while exponent > 0:
                value *= 10
                exponent -= 1
            while exponent < 0:
                if value % 10:
                    return False
                value //= 10
                exponent += 1
            if precision < 18 and value >= 10**precision:
                return False
            if sign:
                value = -value
            out[i, 0] = value
            out[i, 1] = value >> 63
            continue
        # Four limbs of 32 bits, lowest first; the fifth catches what is too large.
        a, b, c, d, over = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
        steps = digits * 4 + exponent  # decimal digits to bring in, one at a time
        group = np.int64(0)
        for k in range(max(steps, digits * 4)):
            digit = np.uint64(0)
            if k < digits * 4:
                if k % 4 == 0:
                    group = (np.int64(data[at]) << 8) | np.int64(data[at + np.uint64(1)])
                    at += np.uint64(2)
                    divisor = 1000
                digit = np.uint64(group // divisor % 10)
                divisor //= 10
            if k >= steps:
                if digit:
                    return False
                continue
            a = a * ten + digit
            b = b * ten + (a >> np.uint64(32))
            c = c * ten + (b >> np.uint64(32))
            d = d * ten + (c >> np.uint64(32))
            over = over * ten + (d >> np.uint64(32))
            a, b, c, d = a & LIMB, b & LIMB, c & LIMB, d & LIMB
            if over:
                return False
        low, high = a | (b << np.uint64(32)), c | (d << np.uint64(32))
        if too_large(low, high, precision):
            return False
        if sign:
            low, high = negated(low, high)
        out[i, 0] = np.int64(low)
        out[i, 1] = np.int64(high)
    return True


@compiled
def too_large(low, high, precision):
    """Whether a 128-bit integer has more than ``precision`` decimal digits."""
    a, b, c, d = np.uint64(1), np.uint64(0), np.uint64(0), np.uint64(0)
    ten = np.uint64(10)
    for _ in range(precision):
        a = a * ten
        b = b * ten + (a >> np.uint64(32))
        c = c * ten + (b >> np.uint64(32))
        d = d * ten + (c >> np.uint64(32))
        a, b, c, d = a & LIMB, b & LIMB, c & LIMB, d & LIMB
    limit_low, limit_high = a | (b << np.uint64(32)), c | (d << np.uint64(32))
    return high > limit_high or (high == limit_high and low >= limit_low)


@compiled
def negated(low, high):
    """Two's complement of a 128-bit integer."""
    low, high = ~low + np.uint64(1), ~high
    if low == 0:
        high += np.uint64(1)
    return low, high


@compiled
def offsets_of(lengths, skipped, offsets):
    """Offsets of variable values one behind the other, without their first ``skipped`` bytes; return their sum."""
    total = 0
    offsets[0] = 0
    for i in range(len(lengths)):
        if lengths[i] > skipped:
            total += lengths[i] - skipped
        offsets[i + 1] = total
    return total


@compiled
def take_bytes(data, starts, skipped, offsets, out):
    """Copy variable values to where ``offsets`` say."""
    for i in range(len(starts)):
        length = offsets[i + 1] - offsets[i]
        if length > 0:
            source, target = np.uint64(starts[i] + skipped), np.uint64(offsets[i])
            for k in range(np.uint64(length)):
                out[target + k] = data[source + k]


@compiled
def count_items(data, starts, lengths, offsets):
    """Offsets of the items of one-dimensional text arrays; -1 if one has more dimensions."""
    total = 0
    offsets[0] = 0
    for i in range(len(starts)):
        if lengths[i] >= 0:
            dimensions = read_4(data, starts[i])
            if dimensions > 1:
                return -1
            if dimensions == 1:
                if read_4(data, starts[i] + 16) != 1:  # a lower bound of its own can't be kept
                    return -1
                total += read_4(data, starts[i] + 12)
        offsets[i + 1] = total
    return total


@compiled
def find_items(data, starts, lengths, item_starts, item_lengths):
    """Find the items that :func:`count_items` counted."""
    item = 0
    for i in range(len(starts)):
        if lengths[i] < 0 or read_4(data, starts[i]) == 0:
            continue
        at = starts[i] + 20
        for _ in range(read_4(data, starts[i] + 12)):
            length = read_4(data, at)
            item_starts[item] = at + 4
            item_lengths[item] = length
            at += 4 + max(length, 0)
            item += 1


@compiled
def read_4(data, at):
    """Read a signed 4-byte integer."""
    return np.int32(
        (np.uint32(data[at]) << 24)
        | (np.uint32(data[at + 1]) << 16)
        | (np.uint32(data[at + 2]) << 8)
        | np.uint32(data[at + 3])
    )


@compiled
def take_small(data, starts, lengths, width, out):
    """Take integers of 1 or 2 bytes."""
    for i in range(len(starts)):
        if lengths[i] != width:
            if lengths[i] >= 0:
                return False
            out[i] = 0
            continue
        at = np.uint64(starts[i])
        value = np.uint16(data[at])
        if width == 2:
            value = (value << np.uint16(8)) | np.uint16(data[at + np.uint64(1)])
        out[i] = value
    return True
