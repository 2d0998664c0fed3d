"""A compiled loop that takes declared fields out of JSON records.

What is declared is a tree of names. Its nodes are numbered, the record itself is 0; each has a hash of its parent and
name in ``table``. A node's value goes to its ``slot``, if that is not negative; the slots of what is below it are those
from ``lows`` to ``highs``, so that it is an object if there are any.
"""

import numpy as np

from datastack.codec.json_kinds import (
    ASTRAY,
    CUT,
    DEEPEST,
    ESCAPED,
    FINE,
    LONGEST_NAME,
    MISSING,
    NO_OBJECT,
    NULL,
    OBJECT,
    STRING,
    TRAILING,
    TWICE,
    UNEXPECTED,
)
from datastack.codec.json_scan import value_end
from datastack.codec.json_strings import after_blanks, byte, string_end
from datastack.codec.json_text import unescape
from datastack.codec.take import compiled


@compiled
def place_of(parent, data, first, last, mask):
    """Where in the table the search for a name begins."""
    found = np.uint64(14695981039346656037) ^ np.uint64(parent)
    for k in range(first, last):
        found = (found ^ np.uint64(byte(data, k))) * np.uint64(1099511628211)
    return np.int64((found ^ (found >> np.uint64(29))) & np.uint64(mask))


@compiled
def is_named(node, data, first, last, names, name_starts):
    """Whether a node has this name."""
    begun = name_starts[node]
    if name_starts[node + 1] - begun != last - first:
        return False
    same = True
    for k in range(last - first):
        same &= names[begun + k] == byte(data, first + k)
    return same


@compiled
def is_written(node, data, first, end, names, name_starts):
    """Whether the name of a node stands here with a quote behind it; only for names that need no escapes."""
    begun, length = name_starts[node], name_starts[node + 1] - name_starts[node]
    if first + length >= end or byte(data, first + length) != 34:
        return False
    for k in range(length):
        name = byte(names, begun + k)
        if name != byte(data, first + k) or name == 92 or name == 34 or name < 32:
            return False
    return True


@compiled
def child_of(parent, data, first, last, names, name_starts, parents, table):
    """Node of a name below a node, or -1."""
    mask = len(table) - 1
    place = place_of(parent, data, first, last, mask)
    while table[place] >= 0:
        node = table[place]
        if parents[node] == parent and is_named(node, data, first, last, names, name_starts):
            return node
        place = (place + 1) & mask
    return -1


@compiled
def take_fields(
    data, starts, ends, begin, names, name_starts, parents, slots, lows, highs, table, usual, seen, counts, stamp,
    closed, open_nodes, stack, scratch, out_starts, out_ends, out_kinds, problems, where,
):  # fmt: skip
    """Take the fields of records from ``begin`` on; check all of each record.

    :param usual: for each node, the one that followed it last time; in the second half, the one that came first.
    :param seen: for each node, the number of the record that had it last; ``stamp[0]`` is that number.
    :param counts: for each node without slot or nodes below it, how many records had it.
    :param closed: whether unknown names on the top level are passed over instead of told.
    :return: how many records are done; less than there are at a name that nobody knows. Its place is in ``where`` and
        ``problems`` of that record: first byte, and length.
    """
    nodes = len(parents)
    for row in range(begin, len(starts)):
        stamp[0] += 1
        for slot in range(len(out_kinds)):
            out_kinds[slot, row] = MISSING
        at, end = starts[row], ends[row]
        problem = FINE
        depth = 0
        at = after_blanks(data, at, end)
        if at >= end:
            problem = CUT
        elif byte(data, at) != 123:
            begun = at
            at, _, problem = value_end(data, at, end, DEEPEST, stack)
            if problem == FINE:
                at = after_blanks(data, at, end)
                at, problem = (at, TRAILING) if at < end else (begun, NO_OBJECT)
        else:
            open_nodes[0], parent, last = 0, 0, nodes
            at = after_blanks(data, at + 1, end)
            fresh = True
            while True:
                if at >= end:
                    problem = CUT
                    break
                char = byte(data, at)
                if char == 125:
                    at += 1
                    slot = slots[parent]
                    if slot >= 0:
                        out_ends[slot, row] = at
                    last = parent
                    depth -= 1
                    if depth < 0:
                        break
                    parent = open_nodes[depth]
                    fresh = False
                    at = after_blanks(data, at, end)
                    continue
                if not fresh:
                    if char != 44:
                        problem = UNEXPECTED
                        break
                    at = after_blanks(data, at + 1, end)
                    if at >= end:
                        problem = CUT
                        break
                    char = byte(data, at)
                if char != 34:
                    problem = UNEXPECTED
                    break
                key = at + 1
                node = usual[nodes + parent] if fresh else usual[last] if last >= 0 else -1
                fresh = False
                if node >= 0 and parents[node] == parent and is_written(node, data, key, end, names, name_starts):
                    at = key + name_starts[node + 1] - name_starts[node]
                else:
                    at, kind, problem = string_end(data, key, end)
                    if problem:
                        break
                    if kind == ESCAPED and at - key <= LONGEST_NAME:
                        length, _ = unescape(data, key, at, scratch, 0)
                        node = child_of(parent, scratch, 0, length, names, name_starts, parents, table)
                    else:
                        node = child_of(parent, data, key, at, names, name_starts, parents, table)
                    if node < 0 and depth == 0 and not closed:
                        for known in range(nodes):
                            if seen[known] == stamp[0]:
                                counts[known] -= 1
                        where[row], problems[row] = key, at - key
                        return row
                    if node >= 0:
                        if last == nodes:
                            usual[nodes + parent] = node
                        elif last >= 0:
                            usual[last] = node
                if node >= 0:
                    if seen[node] == stamp[0]:
                        at, problem = key - 1, TWICE
                        break
                    seen[node] = stamp[0]
                    counts[node] += 1
                    last = node
                at = after_blanks(data, at + 1, end)
                if at >= end:
                    problem = CUT
                    break
                if byte(data, at) != 58:
                    problem = UNEXPECTED
                    break
                at = after_blanks(data, at + 1, end)
                if at >= end:
                    problem = CUT
                    break
                begun = at
                if node >= 0 and lows[node] < highs[node] and byte(data, at) == 123:
                    slot = slots[node]
                    if slot >= 0:
                        out_starts[slot, row], out_kinds[slot, row] = at, OBJECT
                    depth += 1
                    open_nodes[depth], parent, last = node, node, nodes
                    fresh = True
                    at = after_blanks(data, at + 1, end)
                    continue
                at, kind, problem = value_end(data, at, end, DEEPEST - 1 - depth, stack)
                if problem:
                    break
                if node >= 0:
                    slot = slots[node]
                    if slot >= 0:
                        quote = 1 if kind in (STRING, ESCAPED) else 0
                        out_starts[slot, row], out_ends[slot, row], out_kinds[slot, row] = (
                            begun + quote,
                            at - quote,
                            kind,
                        )
                    if kind != NULL:
                        for slot in range(lows[node], highs[node]):
                            out_kinds[slot, row] = ASTRAY
                at = after_blanks(data, at, end)
            if problem == FINE and depth < 0:
                at = after_blanks(data, at, end)
                if at < end:
                    problem = TRAILING
        problems[row], where[row] = problem, at
    return len(starts)
