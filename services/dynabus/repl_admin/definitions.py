"""What regions tell each other of global tables: taken from the own auto-admin, told to another one, answered back.

| answer of the region             | then                                                       |
|----------------------------------|------------------------------------------------------------|
| ACTIVE, GONE                     | the own auto-admin is told, and asks for this no more      |
| CREATING, DELETING               | the same, and it is told again after a second              |
| REFUSED                          | the same after ten: somebody may have mended what it lacks |
| with a newer word about it       | the own auto-admin is told that instead; again in a second |
| none                             | told again after two seconds                               |

Each step may be done twice, and a successor begins with the question what there is to tell. Pure but for `ask`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any, NamedTuple

from dynabus.adapters.logs import logger
from dynabus.core.global_tables.register import stamps_of

OWN = ""
"""Instead of a region: the own one."""

LOOK_MS = 500.0
"""Between two questions for what there is to tell."""

PASSING_MS, SILENT_MS, REFUSED_MS = 1000.0, 2000.0, 10_000.0

Answer = dict[str, Any]
Ask = Callable[[str, str, dict[str, Any]], "Future[Answer]"]
"""(region, operation, body) of a question to its auto-admin; the future raises NotAnswered."""


class NotAnswered(Exception):
    """The region is away, or refuses: one line that says why."""


class Word(NamedTuple):
    """Under way to a region."""

    body: dict[str, Any]
    answer: Future[Answer]


class Definitions:
    """A duty of ReplAdmin. `silent`: regions that did not answer, and why. `refused`: tables that cannot have a
    setting of their global tables, and why."""

    def __init__(self, ask: Ask, regions: Callable[[], Collection[str]]) -> None:
        """`regions`: the others."""
        self._ask, self._regions = ask, regions
        self.silent: dict[str, str] = {}
        self.refused: list[dict[str, str]] = []
        self._looking: Future[Answer] | None = None
        self._words: dict[tuple[str, str], Word] = {}
        self._told_back: list[Future[Answer]] = []
        self._not_before_ms: dict[tuple[str, str], float] = {}
        self._look_ms = 0.0

    def turn(self, now_ms: float) -> None:
        """Do what there is to do, without waiting."""
        for key in [key for key, word in self._words.items() if word.answer.done()]:
            self._answered(key, self._words.pop(key), now_ms)
        self._told_back = [each for each in self._told_back if not _is_done(each)]
        if self._looking is not None and self._looking.done():
            self._found(self._looking, now_ms)
            self._looking = None
        if self._looking is None and now_ms >= self._look_ms and not self._told_back and self._regions():
            self._look_ms = now_ms + LOOK_MS
            self._looking = self._ask(OWN, "PendingDefinitions", {})

    def _found(self, looking: Future[Answer], now_ms: float) -> None:
        try:
            words = looking.result()["Words"]
            self.refused = [
                {"table": each["TableName"], "why": each["Why"]} for each in looking.result().get("Refused", ())
            ]
        except NotAnswered as silence:
            logger().warning("this region's auto-admin does not answer", reason=str(silence))
            return
        for body in words:
            key = (body["TableName"], body["Region"])
            if key not in self._words and now_ms >= self._not_before_ms.get(key, 0.0):
                self._words[key] = Word(body, self._ask(body["Region"], "GlobalDefinition", _told(body)))
        wanted = {(body["TableName"], body["Region"]) for body in words}
        self._not_before_ms = {key: at_ms for key, at_ms in self._not_before_ms.items() if key in wanted}

    def _answered(self, key: tuple[str, str], word: Word, now_ms: float) -> None:
        name, region = key
        try:
            answer = word.answer.result()
            status, why, table = (str(answer[member]) for member in ("Status", "Why", "Table"))
        except (NotAnswered, KeyError, TypeError) as fault:
            silence = fault if isinstance(fault, NotAnswered) else NotAnswered(f"it answers what is none: {fault!r}")
            if region not in self.silent:
                logger().warning("a region does not answer", region=region, reason=str(silence))
            self.silent[region] = str(silence)
            self._not_before_ms[key] = now_ms + SILENT_MS
            return
        self.silent.pop(region, None)
        pause_ms = {"ACTIVE": 0.0, "GONE": 0.0, "REFUSED": REFUSED_MS}.get(status, PASSING_MS)
        if "Definition" in answer:
            # The own auto-admin may refuse it.
            pause_ms = max(pause_ms, PASSING_MS)
        self._not_before_ms[key] = now_ms + (pause_ms if not why else REFUSED_MS)
        if "Definition" in answer:
            # Not that it was answered, too: if this gets lost, the region is to be told again.
            newer = {"TableName": name, "Definition": answer["Definition"]}
            self._told_back.append(self._ask(OWN, "GlobalDefinition", newer))
        else:
            said = {"TableName": name, "Region": region, "Stamps": stamps_of(word.body["Definition"])}
            said |= {"Status": status, "Why": why, "Table": table}
            self._told_back.append(self._ask(OWN, "DefinitionAnswered", said))
        # At once, so that what follows from the answer is told without a pause.
        self._look_ms = now_ms


def _told(body: dict[str, Any]) -> dict[str, Any]:
    return {member: body[member] for member in ("TableName", "Definition")}


def _is_done(future: Future[Answer]) -> bool:
    """What was not told is told with the next answer, since it will be asked for again."""
    if not future.done():
        return False
    if isinstance(error := future.exception(), NotAnswered):
        logger().warning("not told to this region's auto-admin", reason=str(error))
    elif error is not None:
        raise error
    return True
