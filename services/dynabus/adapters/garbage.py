"""The cyclic garbage collector, told what a service is: much that stays for ever, little garbage, no cycles.

Requests are freed by their reference counts. By default the collector still looks through the young objects after
every 700 new ones, a few requests, and now and then through all: classes, grammars, caches. That is one twentieth of
a service's time under load, and pauses of milliseconds.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 10_000
"""Between two looks at the young objects: some hundred requests."""

GENERATIONS = (20, 50)
"""How many looks at one generation until the next older one is looked at too."""


def settle() -> None:
    """Call once a service has begun: what is there now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *GENERATIONS)
