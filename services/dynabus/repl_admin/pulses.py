"""Whether other regions answer: each is asked something that changes nothing, every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future

from dynabus.adapters.logs import logger
from dynabus.repl_admin.definitions import Answer, Ask, NotAnswered

PULSE_MS = 5000.0


class Pulses:
    """A duty of ReplAdmin. `silent`: regions whose auto-admin did not answer the last time, and why."""

    def __init__(self, ask: Ask, regions: Callable[[], Collection[str]]) -> None:
        """`regions`: the others."""
        self._ask, self._regions = ask, regions
        self.silent: dict[str, str] = {}
        self._asked: dict[str, Future[Answer]] = {}
        self._due_ms = 0.0

    @property
    def told(self) -> list[dict[str, str]]:
        """The same for status; another thread may ask."""
        return [{"region": region, "why": why} for region, why in sorted({**self.silent}.items())]

    def turn(self, now_ms: float) -> None:
        """Hear who answered, and ask again if it is time; without waiting."""
        for region in [region for region, answer in self._asked.items() if answer.done()]:
            self._heard(region, self._asked.pop(region))
        if now_ms >= self._due_ms:
            self._due_ms = now_ms + PULSE_MS
            regions = self._regions()
            self.silent = {region: why for region, why in self.silent.items() if region in regions}
            for region in regions:
                if region not in self._asked:
                    self._asked[region] = self._ask(region, "DescribePlan", {})

    def _heard(self, region: str, answer: Future[Answer]) -> None:
        error = answer.exception()
        if error is None:
            self.silent.pop(region, None)
        elif not isinstance(error, NotAnswered):
            raise error
        else:
            if region not in self.silent:
                logger().warning("a region does not answer", region=region, reason=str(error))
            self.silent[region] = str(error)
