"""What a source delivered as an object: a file, or a document."""

from datetime import datetime

from datastack.contract.model import Frozen


class Delivered(Frozen):
    """One version of an object at its source.

    ``key`` is its path there; ``etag`` tells its versions apart; ``bytes`` is its size.
    """

    key: str
    etag: str
    modified_at: datetime
    bytes: int
