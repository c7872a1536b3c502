"""An object in a process of its own, so that what it burns is not counted as somebody else's."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

_END_SECONDS = 10.0


class Child:
    """`make(*arguments)` in a new process; a context manager. `call` runs one of its methods."""

    def __init__(self, make: Callable[..., object], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(_END_SECONDS)
        if self._process.is_alive():
            self._process.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    def call(self, method: str, *arguments: object) -> Any:
        """What the method returns. Raises `EOFError` where it failed: the trace is on stderr."""
        self._pipe.send((method, arguments))
        return self._pipe.recv()


def _serve(pipe: Connection, make: Callable[..., object], arguments: tuple[object, ...]) -> None:
    served = make(*arguments)
    while True:
        try:
            method, given = pipe.recv()
        except EOFError:
            return
        pipe.send(getattr(served, method)(*given))
