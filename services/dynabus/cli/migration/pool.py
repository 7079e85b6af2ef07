"""Threads that work until the first of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import Any

from dynabus.cli.migration.client import Stopped


@contextmanager
def pool(threads: int, stop: Event) -> Iterator[ThreadPoolExecutor]:
    """A pool; whatever ends its use early (Ctrl-C too) stops its threads at their next request or wait."""
    executor = ThreadPoolExecutor(threads)
    try:
        yield executor
    except BaseException:
        stop.set()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def settle(futures: Iterable[Future[Any]], stop: Event) -> None:
    """Wait for all; the first real error stops the rest and is raised."""
    done, unfinished = wait(list(futures), return_when=FIRST_EXCEPTION)
    if unfinished or any(future.exception() for future in done):
        stop.set()
        done |= wait(unfinished).done
    errors = [error for future in done if not future.cancelled() and (error := future.exception())]
    for error in sorted(errors, key=lambda each: isinstance(each, Stopped)):
        raise error


def run_all(tasks: Iterable[Callable[[], None]], threads: int, stop: Event) -> None:
    """Run every task, so many at a time."""
    with pool(threads, stop) as executor:
        settle([executor.submit(task) for task in tasks], stop)
