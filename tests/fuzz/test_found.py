"""What the fuzzer found in Dynabus, each as the smallest request that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.fuzz.headers import usual
from tests.fuzz.judge import fault
from tests.fuzz.requests import Request
from tests.fuzz.targets import InProcess


@pytest.fixture
def target() -> Iterator[InProcess]:
    with closing(InProcess()) as target:
        target.begin()
        yield target


def deep(levels: int) -> str:
    return '{"L":[' * levels + '{"N":"1"}' + "]}" * levels


@pytest.mark.parametrize("levels", [100, 200, 254, 300, 500])
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("BatchWriteItem", '{"RequestItems":{"!":[{"PutRequest":{"Item":{"a":%s}}}]}}'),
        ("BatchWriteItem", '{"RequestItems":{"!":[{"DeleteRequest":{"Key":{"a":%s}}}]}}'),
        ("BatchGetItem", '{"RequestItems":{"!":{"Keys":[{"a":%s}]}}}'),
        ("BatchGetItem", '{"RequestItems":{"!":%s}}'),
    ],
)
def test_a_refusal_that_echoes_the_request_bears_deep_ones(
    target: InProcess, operation: str, body: str, levels: int
) -> None:
    request = Request(operation, usual(operation), (body % deep(levels)).encode())
    answer = target.ask(request)
    assert answer.status == 400
    assert fault(answer) is None
