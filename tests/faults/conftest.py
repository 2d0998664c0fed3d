"""The servers of the integration tests, with proxies before them."""

from tests.integration.conftest import servers, stack  # noqa: F401
from tests.integration.files.conftest import partner  # noqa: F401
