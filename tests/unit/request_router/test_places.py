"""The header by which clients say, and are told, what they have seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.request_router.served import AUTHORIZED, Served, serving

from dynabus.core.errors import validation_error


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as found:
        found.router.saw = "t1/0.1.33"
        yield found


def with_header(value: str) -> bytes:
    return AUTHORIZED + b"X-Dynabus-Place: %s\r\n" % value.encode()


def test_whoever_sends_it_is_told(served: Served) -> None:
    assert served.send(b"{}", extra=with_header(""))[1]["x-dynabus-place"] == "t1/0.1.33"
    _, headers, _ = served.send(b"{}", extra=with_header("t1/0.1.20,t2/5.1.7"))
    assert headers["x-dynabus-place"] == "t2/5.1.7,t1/0.1.33"


def test_whoever_does_not_is_not(served: Served) -> None:
    assert "x-dynabus-place" not in served.send(b"{}")[1]


def test_with_an_error_too(served: Served) -> None:
    """A failed condition is a read."""
    served.router.outcome = validation_error("no")
    status, headers, _ = served.send(b"{}", extra=with_header("t2/5.1.7"))
    assert (status, headers["x-dynabus-place"]) == (400, "t2/5.1.7,t1/0.1.33")


def test_what_is_no_place_is_refused(served: Served) -> None:
    status, answer = served.post(b"{}", extra=with_header("what"))
    assert status == 400
    assert answer["__type"].endswith("#ValidationException")
    assert answer["message"] == "x-dynabus-place: 'what' is not <table id>/<partition>.<generation>.<offset>"
    assert served.router.reached == []
