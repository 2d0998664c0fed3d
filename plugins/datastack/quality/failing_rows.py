"""Collects, while Soda verifies a contract, the SQL of the rows that its failed checks are about."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from datastack.contract.sql import sql

_FOUND = ("FAILED", "WARN")


@contextmanager
def collecting() -> Iterator[dict[str, str]]:
    """Fill a mapping from identities of failed checks to SQL, until the end of the block. One block at a time."""
    collector = _registered()
    collector.found = {}
    try:
        yield collector.found
    finally:
        collector.found = {}


@cache
def _registered() -> "_Collector":
    from soda_core.contracts.impl.contract_verification_impl import ContractVerificationHandlerRegistry

    collector = _Collector()
    ContractVerificationHandlerRegistry.register(collector)  # Soda's way to do something with results; for the process
    return collector


class _Collector:
    """A ContractVerificationHandler of Soda, but not by inheritance: Soda takes seconds to import."""

    requires_result_handles = False

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def provides_post_processing_stages(self) -> list[Any]:
        """None: Soda's cloud is not used."""
        return []

    def handle(self, contract_impl: Any, contract_verification_result: Any, **_: Any) -> None:
        """Note the SQL of each check that found something."""
        failed = {each.check.identity for each in contract_verification_result.check_results if _has_failed(each)}
        for check in contract_impl.all_check_impls:
            if check.identity in failed and (query := _query(contract_impl, check)):
                self.found[check.identity] = query

    def handle_session(self, items: list[Any], **_: Any) -> None:
        """Do so for several contracts."""
        for item in items:
            self.handle(item.contract_impl, item.verification_result)


def _has_failed(result: Any) -> bool:
    return result.outcome.name in _FOUND


def _query(contract: Any, check: Any) -> str | None:
    """SQL of the rows that a check counted; None for a check that is not about rows."""
    dialect = contract.data_source_impl.sql_dialect
    if check.type == "failed_rows" and (query := check.failed_rows_check_yaml.query):
        return str(query).rstrip("; \n")
    if getattr(check, "ref_query", None):
        from soda_core.common.sql_dialect import SELECT, STAR

        query = check.ref_query.build_query(check.scope.cte, SELECT(STAR(alias=check.ref_query.referencing_alias)))
        return str(dialect.build_select_sql(query)).rstrip("; \n")
    table = ".".join(map(dialect.quote_default, [*contract.dataset_prefix[-1:], contract.dataset_name]))
    within = [part for part in (contract.filter, check.check_yaml.filter) if part]
    if check.type == "duplicate":
        names = getattr(check.check_yaml, "columns", None) or [check.column_impl.column_yaml.name]
        keys = ", ".join(map(dialect.quote_default, names))
        within += [f"{keys} is not null"] if check.column_impl else []
        return sql("gates/keys_twice", key=keys, table=table, current=_all(within))
    if check.type not in ("missing", "invalid", "failed_rows"):
        return None
    condition = dialect.build_expression_sql(check.get_threshold_metric_impl().sql_condition_expression())
    return sql("gates/rows_where", table=table, condition=_all([*within, condition]))


def _all(conditions: list[str]) -> str:
    return " and ".join(f"({each})" for each in conditions) or "true"
