"""A short run of the fuzzer; `python -m tests.fuzz` is the long one."""

from __future__ import annotations

from contextlib import closing

from tests.fuzz.__main__ import Fuzzer
from tests.fuzz.requests import request
from tests.fuzz.targets import InProcess

REQUESTS = 300
"""About half a second."""


def test_whatever_comes_the_answer_is_an_answer() -> None:
    with closing(InProcess()) as target:
        assert Fuzzer(target, 1, 1, "").run(0, REQUESTS).faults == 0


def test_a_number_is_a_request() -> None:
    assert [request(5, number) for number in range(50)] == [request(5, number) for number in range(50)]
