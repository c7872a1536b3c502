"""Renders by what decides them: a tree never changes, so neither does what it renders to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import orjson

from applier.render.documents import Object

Key = tuple[str, str, str]
"""(tree id, path, renderer version)"""


class RenderCache:
    """
    At most `max_bytes` of rendered JSON, the least recently used dropped first; thread-safe.

    Objects are kept as bytes: each caller has its own, so that nobody changes another's.
    """

    def __init__(self, *, max_bytes: int = 64 << 20) -> None:
        self._max, self._size = max_bytes, 0
        self._entries: OrderedDict[Key, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], tuple[Object, ...]]) -> tuple[Object, ...]:
        """The objects for `key`, made where they are not here. A failure of `make` is not kept."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
        if found is None:
            found = orjson.dumps(make())
            self._put(key, found)
        objects: list[dict[str, Any]] = orjson.loads(found)
        return tuple(objects)

    def _put(self, key: Key, content: bytes) -> None:
        with self._lock:
            self._size += len(content) - len(self._entries.pop(key, b""))
            self._entries[key] = content
            while self._size > self._max:
                _, dropped = self._entries.popitem(last=False)
                self._size -= len(dropped)
