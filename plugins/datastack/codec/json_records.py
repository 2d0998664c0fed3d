"""Finds the records of JSON documents, as spans; says what is wrong with them."""

from dataclasses import dataclass

import numpy as np

from datastack.codec import json_kinds, json_split, json_text
from datastack.codec.json_kinds import ARRAY, DEEPEST, OBJECT
from datastack.codec.spans import Spans

MOST_DIGITS = 900  # of a number that is stored as it is, without a closer look
_ABOUT = {
    json_kinds.CUT: "it ends too early",
    json_kinds.UNEXPECTED: "unexpected character",
    json_kinds.CONTROL: "control character in a string",
    json_kinds.ESCAPE: "wrong escape in a string",
    json_kinds.NOT_UTF8: "not UTF-8",
    json_kinds.DEEP: f"nested more than {DEEPEST} levels deep",
    json_kinds.TRAILING: "more after its end",
    json_kinds.BLANK: "it is empty",
}


@dataclass(frozen=True)
class Found:
    """Records: their spans, which document each stands in, and the problem of each document, with its place in it."""

    records: Spans
    documents: np.ndarray
    problems: np.ndarray
    places: np.ndarray


def split(documents: Spans, path: str | None) -> Found:
    """Find the records of documents: a list at a path, or a single object."""
    names, places = _packed(path)
    problems, where = np.zeros(len(documents), np.uint8), np.zeros(len(documents), np.int64)
    stack = np.empty(DEEPEST, np.uint8)
    capacity = 1024 + len(documents) + int((documents.ends - documents.starts).sum()) // 64
    while True:
        starts, ends, owners = (np.empty(capacity, np.int64) for _ in range(3))
        count = json_split.split(
            documents.data,
            documents.starts,
            documents.ends,
            names,
            places,
            stack,
            starts,
            ends,
            owners,
            problems,
            where,
        )
        if count >= 0:
            break
        capacity *= 4
        problems[:], where[:] = 0, 0
    records = Spans(documents.data, starts[:count], ends[:count], np.full(count, OBJECT, np.uint8))
    return Found(records, owners[:count], problems, where - documents.starts)


def _packed(path: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Names of a path one behind the other, and where each begins."""
    steps = [step.encode() for step in path.split(".")] if path else []
    return np.frombuffer(b"".join(steps), np.uint8), np.cumsum([0, *map(len, steps)])


def items_of(lists: Spans) -> tuple[Spans, np.ndarray]:
    """Items of all values that are lists, and the list of each, by number."""
    owners = np.flatnonzero(lists.kinds == ARRAY)
    chosen = lists.take(owners)
    capacity = int((chosen.ends - chosen.starts).sum()) // 2  # an item and a comma, or a bracket
    starts, ends, of = (np.empty(capacity, np.int64) for _ in range(3))
    kinds = np.empty(capacity, np.uint8)
    count = json_split.split_lists(chosen.data, chosen.starts, chosen.ends, starts, ends, kinds, of)
    return Spans(lists.data, starts[:count], ends[:count], kinds[:count]), owners[of[:count]]


def suspects(documents: Spans) -> list[int]:
    """Which texts are not, at a quick look, JSON that a warehouse can store: those need a closer look."""
    problems = np.zeros(len(documents), np.uint8)
    json_text.document_problems(
        documents.data, documents.starts, documents.ends, documents.has_value, MOST_DIGITS,
        np.empty(DEEPEST, np.uint8), problems,
    )  # fmt: skip
    return np.flatnonzero(problems).tolist()


def unstorable(values: Spans) -> np.ndarray:
    """What a warehouse can't store of JSON values: a problem each; ``CONTROL`` for a number that is unusually long."""
    values = values.quoted
    problems = np.zeros(len(values), np.uint8)
    json_text.lasting_problems(values.data, values.starts, values.ends, values.has_value, MOST_DIGITS, problems)
    return problems


def problem_text(problem: int, place: int) -> str:
    """What is wrong with a document or record, for people; never a value of it."""
    if problem == json_kinds.NO_OBJECT:
        return "is JSON, but no object"
    if problem == json_kinds.NO_RECORDS:
        return "has no list of records where one is declared"
    if problem == json_kinds.TWICE:
        return f"has a name twice (at byte {place + 1})"
    return f"is not JSON: {_ABOUT[problem]} (at byte {place + 1})"
