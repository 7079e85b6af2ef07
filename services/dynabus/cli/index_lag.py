"""`dynabus admin index-lag-limit`: how far an index may be behind its table before that is throttled."""

from __future__ import annotations

from collections.abc import Callable

from dynabus.cli.control import ask
from dynabus.cli.target import Target

Say = Callable[[str], None]


def limit_lag(target: Target, table: str, index: str, seconds: int, say: Say) -> None:
    """0: no limit. Raises Problem: refused, or no cluster."""
    ask(target.require(), "LimitIndexLag", {"TableName": table, "IndexName": index, "Seconds": seconds})
    if seconds:
        say(f"writes of {table} that touch {index} are throttled while it is more than {seconds} s behind")
    else:
        say(f"{index} may be behind {table} for any time")
