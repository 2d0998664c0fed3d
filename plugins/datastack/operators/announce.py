"""Updates raw assets that are known only when a run has begun."""

from collections.abc import Callable, Sequence
from typing import Any

from airflow.sdk import Asset, AssetAlias, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException


class AnnounceOperator(BaseOperator):
    """Updates the raw assets of streams that other tasks have loaded; skipped if there are none.

    :param streams: a mapping with ``source`` and ``stream`` for each of them. What tasks of a mapped group return is a
        list if there are several of them, the only one as it is, or nothing.
    :param asset: makes a stream's asset.
    """

    template_fields: Sequence[str] = ("streams",)

    def __init__(self, *, streams: Any, asset: Callable[[str, str], Asset], **kwargs: Any) -> None:
        super().__init__(outlets=[AssetAlias("maintained")], **kwargs)
        self.streams = streams
        self.asset = asset

    def execute(self, context: Any) -> None:
        """Name the assets; they are updated when the task has succeeded."""
        streams = [self.streams] if isinstance(self.streams, dict) else self.streams or []
        if not streams:
            raise AirflowSkipException("no stream was changed")
        [alias] = self.outlets
        for each in streams:
            self.log.info("%s.%s is updated", each["source"], each["stream"])
            context["outlet_events"][alias].add(self.asset(each["source"], each["stream"]))
