"""What comes one after the other, in `for` and in `async for`, `with` and `async with`: one code for both worlds."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from types import TracebackType
from typing import Generic, Self, TypeVar

C = TypeVar("C")


class End(Enum):
    """Nothing more comes."""

    END = "end"


class Iteration(ABC, Generic[C]):
    """For one thread or task. `__anext__` runs the code of `__next__` in a thread of its own."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._asked: asyncio.Future[C | End] | None = None
        self._stopping = False
        """Whoever waits for the next one need not wait for longer."""

    @abstractmethod
    def _next(self) -> C | End:
        """The next one, waited for however long it takes; anything once `_stopping`."""

    @abstractmethod
    def _leave(self, *, processed: bool) -> None:
        """The block ends; `processed`: without an error, and with everything in hand done."""

    def _end(self) -> None:
        """No thread is needed any more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    # -- for, with --------------------------------------------------------------------------------------------

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> C:
        found = self._next()
        if isinstance(found, End):
            raise StopIteration
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._leave(processed=kind is None)

    # -- async for, async with --------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> C:
        if self._asked is None:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="dynabus-client")
            self._asked = asyncio.get_running_loop().run_in_executor(self._pool, self._next)
        # Who is cancelled while waiting finds it when he asks again: it was not handed to anybody.
        try:
            found = await asyncio.shield(self._asked)
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._asked = None
            raise
        self._asked = None
        if isinstance(found, End):
            raise StopAsyncIteration
        return found

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stopping = True
        processed = kind is None and self._asked is None
        if self._pool is None:
            self._leave(processed=processed)
        else:
            leave = lambda: self._leave(processed=processed)  # noqa: E731  # run_in_executor passes no keywords
            await asyncio.get_running_loop().run_in_executor(self._pool, leave)
