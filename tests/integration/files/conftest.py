"""A partner for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.files.partner import Partner, partner_of
from tests.integration.harness import Stack


@pytest.fixture
def partner(stack: Stack, tmp_path: Path) -> Iterator[Partner]:
    """Give a partner with an empty bucket, whose files are sales of weeks."""
    with partner_of(stack, tmp_path) as partner:
        yield partner
