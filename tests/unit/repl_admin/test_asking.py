"""Questions to auto-admins whose answers are none."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.repl_admin import asking as module
from dynabus.repl_admin.asking import Address, Asking
from dynabus.repl_admin.definitions import OWN, NotAnswered


class Client:
    """`fault`: of each answer."""

    fault: Exception

    def __init__(self, *_: Any) -> None: ...

    def ask(self, *_: Any) -> dict[str, Any]:
        raise self.fault


@pytest.mark.parametrize("fault", [KeyError("message"), TypeError("list"), ValueError("no JSON")])
def test_an_answer_that_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    monkeypatch.setattr(module, "ControlClient", Client)
    monkeypatch.setattr(module, "reach_kafka", lambda _: None)
    monkeypatch.setattr(Client, "fault", fault, raising=False)
    asking = Asking(Address(KafkaSettings("here:9092"), "repl-admin"), lambda _: None, 100)
    with pytest.raises(NotAnswered, match="here:9092 answers what is none"):
        asking.ask(OWN, "PendingDefinitions", {}).result(10)
