"""A compiled loop that finds the records of JSON documents."""

from datastack.codec.json_kinds import (
    ARRAY,
    BLANK,
    CUT,
    DEEPEST,
    FINE,
    NO_OBJECT,
    NO_RECORDS,
    OBJECT,
    TRAILING,
    TWICE,
    UNEXPECTED,
)
from datastack.codec.json_scan import loose_end, scalar_end, value_end
from datastack.codec.json_strings import after_blanks, byte, string_end
from datastack.codec.take import compiled


@compiled
def split(data, starts, ends, steps, step_starts, stack, out_starts, out_ends, out_documents, problems, where):
    """Find the list of records of each document, or its only record; return how many there are.

    What is around the records is checked strictly, they themselves are not looked into. A document with a problem gives
    none; ``problems`` and ``where`` have its problem and where that is.

    :param steps: names of the path to the records one behind the other, at ``step_starts``.
    :return: the number of records, or -1 if they don't fit into the output.
    """
    total = 0
    for document in range(len(starts)):
        first = total
        at, end = starts[document], ends[document]
        if at + 3 <= end and byte(data, at) == 0xEF and byte(data, at + 1) == 0xBB and byte(data, at + 2) == 0xBF:
            at += 3
        at, problem = into(data, at, end, steps, step_starts, stack)
        if problem == FINE:
            if byte(data, at) == 91:
                at = after_blanks(data, at + 1, end)
                empty = at < end and byte(data, at) == 93
                while not empty:
                    record = at
                    at, problem = loose_end(data, at, end)
                    if problem:
                        break
                    if total == len(out_starts):
                        return -1
                    out_starts[total], out_ends[total], out_documents[total] = record, at, document
                    total += 1
                    at = after_blanks(data, at, end)
                    if at >= end:
                        problem = CUT
                        break
                    if byte(data, at) == 93:
                        break
                    if byte(data, at) != 44:
                        problem = UNEXPECTED
                        break
                    at = after_blanks(data, at + 1, end)
                if not problem:
                    at += 1
            elif byte(data, at) == 123:
                record = at
                if len(step_starts) == 1:  # all of the document: whoever takes its fields sees where it ends
                    at = end
                else:
                    at, problem = loose_end(data, at, end)
                if total == len(out_starts):
                    return -1
                out_starts[total], out_ends[total], out_documents[total] = record, at, document
                total += 1
            else:
                begun = at
                at, _, problem = value_end(data, at, end, DEEPEST, stack)
                if not problem:
                    at, problem = begun, NO_RECORDS if len(step_starts) > 1 else NO_OBJECT
        if not problem:
            at, problem = out_of(data, at, end, steps, step_starts, stack)
        if problem:
            problems[document], where[document] = problem, at
            total = first
    return total


@compiled
def into(data, at, end, steps, step_starts, stack):
    """Follow the path to its value. Return position and problem."""
    at = after_blanks(data, at, end)
    if at >= end:
        return at, BLANK
    for step in range(len(step_starts) - 1):
        if byte(data, at) != 123:
            begun = at
            at, _, problem = value_end(data, at, end, DEEPEST, stack)
            return (at, problem) if problem else (begun, NO_RECORDS)
        at, found, problem = next_key(data, at + 1, end, steps, step_starts[step], step_starts[step + 1], stack, True)
        if problem or not found:
            return at, problem if problem else NO_RECORDS
    return at, FINE


@compiled
def out_of(data, at, end, steps, step_starts, stack):
    """Check what stands behind the records. Return position and problem."""
    for back in range(len(step_starts) - 1):
        step = len(step_starts) - 2 - back
        at, found, problem = next_key(data, at, end, steps, step_starts[step], step_starts[step + 1], stack, False)
        if problem:
            return at, problem
        if found:
            return at, TWICE
    at = after_blanks(data, at, end)
    return at, TRAILING if at < end else FINE


@compiled
def next_key(data, at, end, steps, first, last, stack, fresh):
    """Go on in an object until the value of a name, or until behind its end. Return position, whether found, problem.

    :param fresh: whether ``at`` is behind the opening bracket, and not behind a value.
    """
    while True:
        at = after_blanks(data, at, end)
        if at >= end:
            return at, False, CUT
        if byte(data, at) == 125:
            return at + 1, False, FINE
        if not fresh:
            if byte(data, at) != 44:
                return at, False, UNEXPECTED
            at = after_blanks(data, at + 1, end)
            if at >= end:
                return at, False, CUT
        fresh = False
        if byte(data, at) != 34:
            return at, False, UNEXPECTED
        key = at + 1
        at, _, problem = string_end(data, key, end)
        if problem:
            return at, False, problem
        found = at - key == last - first
        for k in range(last - first):
            if not found:
                break
            found = byte(data, key + k) == steps[first + k]
        at = after_blanks(data, at + 1, end)
        if at >= end:
            return at, False, CUT
        if byte(data, at) != 58:
            return at, False, UNEXPECTED
        at = after_blanks(data, at + 1, end)
        if at >= end:
            return at, False, CUT
        if found:
            return at, True, FINE
        at, _, problem = value_end(data, at, end, DEEPEST, stack)
        if problem:
            return at, False, problem


@compiled
def split_lists(data, starts, ends, out_starts, out_ends, out_kinds, owners):
    """Find the items of lists that are known to be right, strings without their quotes; return how many there are."""
    total = 0
    for i in range(len(starts)):
        end = ends[i]
        at = after_blanks(data, starts[i] + 1, end)
        while byte(data, at) != 93:
            begun, char = at, byte(data, at)
            if char == 123 or char == 91:
                at, _ = loose_end(data, at, end)
                out_starts[total], out_ends[total], out_kinds[total] = begun, at, OBJECT if char == 123 else ARRAY
            else:
                at, kind, _ = scalar_end(data, at, end)
                quote = 1 if char == 34 else 0
                out_starts[total], out_ends[total], out_kinds[total] = begun + quote, at - quote, kind
            owners[total] = i
            total += 1
            at = after_blanks(data, at, end)
            if byte(data, at) == 44:
                at = after_blanks(data, at + 1, end)
    return total
