"""What is carried between auto-admins, and what an answer is worth that none should give."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from dynabus.core.global_tables import register as registers
from dynabus.repl_admin.definitions import OWN, SILENT_MS, Answer, Definitions

WORD = {
    "TableName": "music",
    "Region": "us",
    "Definition": registers.message_of(registers.with_members(registers.begun("eu", "g"), ["eu", "us"], 1000)),
}


class Stage:
    """One word to tell. `answer`: of the other region."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []
        self.duty = Definitions(self.ask, lambda: ["us"])

    def ask(self, region: str, operation: str, body: Answer) -> Future[Answer]:
        self.asked.append((region, operation))
        future: Future[Answer] = Future()
        future.set_result(self.answer if region != OWN else {"Words": [WORD]})
        return future

    def turns(self, now_ms: float) -> list[tuple[str, str]]:
        self.asked.clear()
        for _ in range(3):
            self.duty.turn(now_ms)
        return self.asked


@pytest.mark.parametrize("answer", [{}, {"Status": "ACTIVE", "Why": ""}, {"message": "what"}, [], None])
def test_an_answer_that_is_none_is_as_good_as_none(answer: Any) -> None:
    stage = Stage(answer)
    assert ("us", "GlobalDefinition") in stage.turns(0.0)
    assert "it answers what is none" in stage.duty.silent["us"]
    assert ("us", "GlobalDefinition") not in stage.turns(SILENT_MS - 1)
    stage.answer = {"Status": "ACTIVE", "Why": "", "Table": "t"}
    assert (OWN, "DefinitionAnswered") in stage.turns(2 * SILENT_MS)
    assert stage.duty.silent == {}
