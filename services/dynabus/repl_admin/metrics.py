"""What a ReplAdmin tells Prometheus: read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dynabus.repl_admin.service import ReplAdmin


class ReplAdminMetrics(Collector):
    """Of one process; a standby says that it is none."""

    def __init__(self, admin: ReplAdmin) -> None:
        self._admin = admin

    def collect(self) -> Iterator[GaugeMetricFamily]:
        status = self._admin.status()
        yield GaugeMetricFamily(
            "dynabus_repl_admin_active", "1: it does ReplAdmin's work; 0: it stands by.", float(status["active"])
        )
        silent = GaugeMetricFamily(
            "dynabus_repl_admin_silent_regions", "Regions whose auto-admin does not answer.", len(status["silent"])
        )
        yield silent
        backlog = GaugeMetricFamily(
            "dynabus_repl_admin_backlog_records",
            "Records of a table's stream that a region has not acknowledged.",
            labels=["table", "region"],
        )
        alarms = GaugeMetricFamily(
            "dynabus_repl_admin_link_alarm",
            "1: the stream is about to drop what a region has not acknowledged, or has dropped it.",
            labels=["table", "region"],
        )
        for line in status["links"]:
            backlog.add_metric([line["table"], line["region"]], line["backlog"])
            alarms.add_metric([line["table"], line["region"]], float(bool(line["alarm"])))
        yield from (backlog, alarms)
