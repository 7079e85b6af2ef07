"""What routers and storage nodes tell alike of admission, for Prometheus."""

from __future__ import annotations

from prometheus_client.core import CounterMetricFamily

from dynabus.core.admission.throttled import Throttled

KINDS = ("read", "write")
"""Labels of what comes in pairs, by dimension."""


def throttled_requests(name: str, limit: str, throttled: Throttled) -> CounterMetricFamily:
    """Requests that went beyond a limit, by table and reason. Called in any thread."""
    family = CounterMetricFamily(
        name,
        f"Requests that were refused for a {limit}, or would have been (report)",
        labels=("table", "reason"),
    )
    for (table, reason), count in list(throttled.counts.items()):
        family.add_metric((table, reason), count)
    return family
