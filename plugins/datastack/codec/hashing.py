"""Compiled loops that mix a column's values into the hashes of its rows, as Postgres's hash_record_extended does.

Postgres hashes values by Bob Jenkins' lookup3 (https://burtleburtle.net/bob/c/lookup3.c) with a start of its own, 0 for
null, and a row as ``31 * hash of the columns before + hash of the value``. It keeps these functions stable, as hash
partitions rely on them: equal numbers of different types have equal hashes. ``valid`` holds 0 for null.
"""

import numpy as np

from datastack.codec.take import compiled

START = np.uint32(0x9E3779B9) + np.uint32(3923095)
ALL_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
ROW = np.uint64(31)


@compiled
def rotated(value, bits):
    """Rotate 32 bits to the left."""
    return (value << np.uint32(bits)) | (value >> np.uint32(32 - bits))


@compiled
def finished(a, b, c):
    """Mix three words for the last time; return 64 bits."""
    c = np.uint32((c ^ b) - rotated(b, 14))
    a = np.uint32((a ^ c) - rotated(c, 11))
    b = np.uint32((b ^ a) - rotated(a, 25))
    c = np.uint32((c ^ b) - rotated(b, 16))
    a = np.uint32((a ^ c) - rotated(c, 4))
    b = np.uint32((b ^ a) - rotated(a, 14))
    c = np.uint32((c ^ b) - rotated(b, 24))
    return (np.uint64(b) << np.uint64(32)) | np.uint64(c)


@compiled
def word(data, at, count):
    """Up to four bytes as a little-endian word."""
    result = np.uint32(0)
    for k in range(count):
        result |= np.uint32(data[at + np.uint64(k)]) << np.uint32(8 * k)
    return result


@compiled
def hash_bytes(data, start, end):
    """Hash bytes."""
    left = end - start
    a = np.uint32(START + np.uint32(left))
    b, c = a, a
    at = np.uint64(start)
    while left >= 12:
        a = np.uint32(a + word(data, at, 4))
        b = np.uint32(b + word(data, at + np.uint64(4), 4))
        c = np.uint32(c + word(data, at + np.uint64(8), 4))
        a = np.uint32((a - c) ^ rotated(c, 4))
        c = np.uint32(c + b)
        b = np.uint32((b - a) ^ rotated(a, 6))
        a = np.uint32(a + c)
        c = np.uint32((c - b) ^ rotated(b, 8))
        b = np.uint32(b + a)
        a = np.uint32((a - c) ^ rotated(c, 16))
        c = np.uint32(c + b)
        b = np.uint32((b - a) ^ rotated(a, 19))
        a = np.uint32(a + c)
        c = np.uint32((c - b) ^ rotated(b, 4))
        b = np.uint32(b + a)
        at += np.uint64(12)
        left -= 12
    a = np.uint32(a + word(data, at, min(left, 4)))
    if left > 4:
        b = np.uint32(b + word(data, at + np.uint64(4), min(left - 4, 4)))
    if left > 8:  # the lowest byte of c is kept for the length
        c = np.uint32(c + (word(data, at + np.uint64(8), left - 8) << np.uint32(8)))
    return finished(a, b, c)


@compiled
def hash_integer(value):
    """Hash a whole number of up to 64 bits; of what fits 32 bits, only those count."""
    low, high = np.uint32(value & 0xFFFFFFFF), np.uint32((value >> 32) & 0xFFFFFFFF)
    low ^= high if value >= 0 else ~high
    a = np.uint32(START + np.uint32(4))
    return finished(np.uint32(a + low), a, a)


@compiled
def mix_integers(hashes, values, shift, valid):
    """Mix in whole numbers less ``shift``; the smallest and the largest of their width stay what they are."""
    for i in range(len(hashes)):
        value = np.uint64(0)
        if valid[i]:
            number = np.int64(values[i])
            if shift and not is_infinite(number, values.itemsize):
                number -= shift
            value = hash_integer(number)
        hashes[i] = hashes[i] * ROW + value


@compiled
def is_infinite(number, width):
    """Whether a date or a time stands for one of Postgres's infinities."""
    if width == 4:
        return number == 2147483647 or number == -2147483648
    return number == 9223372036854775807 or number == -9223372036854775808


@compiled
def mix_floats(hashes, values, numbers, valid, scratch):
    """Mix in floating-point numbers, given as such and as their 64 bits: zeros are equal, and so are NaNs."""
    for i in range(len(hashes)):
        value = np.uint64(0)
        if valid[i] and numbers[i] != 0:
            bits = np.uint64(values[i])
            if numbers[i] != numbers[i]:
                bits = np.uint64(0x7FF8000000000000)
            for k in range(8):
                scratch[k] = np.uint8((bits >> np.uint64(8 * k)) & np.uint64(0xFF))
            value = hash_bytes(scratch, 0, 8)
        hashes[i] = hashes[i] * ROW + value


@compiled
def mix_bytes(hashes, data, offsets, valid):
    """Mix in text or bytes."""
    for i in range(len(hashes)):
        value = hash_bytes(data, offsets[i], offsets[i + 1]) if valid[i] else np.uint64(0)
        hashes[i] = hashes[i] * ROW + value


@compiled
def mix_numerics(hashes, data, offsets, valid, scratch):
    """Mix in numerics in their binary form, see ``put.numeric_of_decimals``; sign and scale do not count."""
    for i in range(len(hashes)):
        value = np.uint64(0)
        if valid[i]:
            at = offsets[i]
            count = (np.int64(data[at]) << 8) | np.int64(data[at + 1])
            weight = np.int64(np.int16((np.uint16(data[at + 2]) << 8) | np.uint16(data[at + 3])))
            first, last = 0, count
            while first < last and not (data[at + 8 + 2 * first] or data[at + 9 + 2 * first]):
                first += 1
            while last > first and not (data[at + 6 + 2 * last] or data[at + 7 + 2 * last]):
                last -= 1
            is_finite = data[at + 4] < 0xC0
            if is_finite and first == last:
                value = ALL_ONES  # zero
            elif is_finite:
                for k in range(first, last):
                    scratch[2 * (k - first)] = data[at + 9 + 2 * k]
                    scratch[2 * (k - first) + 1] = data[at + 8 + 2 * k]
                value = hash_bytes(scratch, 0, 2 * (last - first)) ^ np.uint64(weight - first)
        hashes[i] = hashes[i] * ROW + value


@compiled
def mix_lists(hashes, starts, data, offsets, item_valid, valid):
    """Mix in lists of text."""
    for i in range(len(hashes)):
        value = np.uint64(0)
        if valid[i]:
            value = np.uint64(1)
            for item in range(starts[i], starts[i + 1]):
                one = hash_bytes(data, offsets[item], offsets[item + 1]) if item_valid[item] else np.uint64(0)
                value = value * ROW + one
        hashes[i] = hashes[i] * ROW + value


@compiled
def total(hashes):
    """Sum modulo 2^64 of the rows' hashes, each hashed again.

    Without that, the sum would be one of the columns' sums: values that changed places between rows would not count.
    """
    result = np.uint64(0)
    for i in range(len(hashes)):
        result += hash_integer(np.int64(hashes[i]))
    return result
