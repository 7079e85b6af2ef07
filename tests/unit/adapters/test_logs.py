"""Logs: librdkafka repeats itself, our logs do not."""

from __future__ import annotations

import logging

from dynabus.adapters.logs import KAFKA_LINE_EVERY_S, kafka_logger


def line(text: str, created_s: float) -> logging.LogRecord:
    record = logging.LogRecord("librdkafka", logging.ERROR, "", 0, text, None, None)
    record.created = created_s
    return record


def test_one_line_of_a_kind_passes_in_a_while() -> None:
    logger = kafka_logger()
    assert kafka_logger() is logger
    assert len(logger.filters) == 1
    assert logger.filter(line("FAIL [node-1#consumer-3] refused", 100.0))
    assert not logger.filter(line("FAIL [node-1#producer-1] refused", 100.5))
    assert logger.filter(line("GETPID [node-1#producer-1] retrying", 100.5))
    assert logger.filter(line("FAIL [node-1#consumer-3] refused", 100.0 + KAFKA_LINE_EVERY_S))


def test_a_warning_about_what_was_decided_is_left_out() -> None:
    said = "CONFWARN [p#producer-6] [thrd:app]: Configuration property {} is experimental: When set"
    assert not kafka_logger().filter(line(said.format("enable.gapless.guarantee"), 500.0))
    assert kafka_logger().filter(line(said.format("group.protocol"), 500.0))
