"""What sqlfluff needs of dbt's `adapter` to render our dispatched macros."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import pass_context
from jinja2.runtime import Context

# The dialect that .sqlfluff lints for.
DIALECT = "postgres"


@pass_context
def dispatch(context: Context, macro_name: str, macro_namespace: str) -> Callable[..., str]:
    """Find the macro that dbt would call, `<dialect>__<macro_name>`. Raises KeyError if there is none."""
    return context[f"{DIALECT}__{macro_name}"]
