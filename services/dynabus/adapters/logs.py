"""Logs of a service: one JSON object a line on standard error, with the request id where there is one.

    {"time": "2026-01-31T12:00:00.123Z", "level": "info", "service": "node-1", "event": "leading", "term": 7}

`event` is a short fixed phrase, everything that varies is a field, so that logs can be searched and counted.
`bind_request(request_id)` puts the id on every line until the context ends; it travels in each hop's message.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import orjson
import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

KAFKA_LINE_EVERY_S = 5.0

KAFKA_DECIDED = "enable.gapless.guarantee is experimental"
"""Of a warning at each start: the setting is chosen with that in mind (`log_propagator/sender.py`)."""

_FIRST = ("time", "level", "service", "event")


def configure_logs(service: str, level: str = "info", out: BinaryIO | None = None) -> None:
    """Set up, once a process, structlog (to standard error, or `out`) and Python's logging, which libraries
    use, librdkafka among them through `kafka_logger`."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _service_field(service),
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(file=out or sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    root.setLevel(max(LEVELS[level], logging.WARNING))


def logger() -> Any:
    """A logger; call it as `log.info("leading", partition="…", term=7)`."""
    return structlog.get_logger()


def kafka_logger() -> logging.Logger:
    """For the `logger=` of confluent-kafka's clients: librdkafka's own lines become fields like ours.

    While Kafka is away each client says so many times a second; one line of a kind in five seconds says it as well.
    """
    found = logging.getLogger("librdkafka")
    if not found.filters:
        found.addFilter(_Seldom())
    return found


@contextmanager
def bind_request(request_id: str) -> Iterator[None]:
    """Put the request's id on all lines that are logged inside."""
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        yield


def _service_field(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    """JSON with what a person looks for first in front; what orjson does not know is written as its repr."""
    ordered = {key: event.pop(key) for key in _FIRST if key in event}
    return orjson.dumps({**ordered, **event}, default=repr, option=orjson.OPT_NON_STR_KEYS)


class _Seldom(logging.Filter):
    """Lets one line of each kind pass in `KAFKA_LINE_EVERY_S`; librdkafka's kind is the line's first word.

    What we decided on knowing it never passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if KAFKA_DECIDED in said:
            return False
        kind = said.partition(" ")[0]
        due = record.created - self._passed_s.get(kind, float("-inf")) >= KAFKA_LINE_EVERY_S
        if due:
            self._passed_s[kind] = record.created
        return due


class _Forward(logging.Handler):
    """Lines of Python's logging, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(min(record.levelno, logging.ERROR), record.getMessage(), logger=record.name)
