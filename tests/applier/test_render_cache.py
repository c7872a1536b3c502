from __future__ import annotations

import threading

import pytest

from applier.failure import Failure, Reason
from applier.render import Object, RenderCache, Sandbox, render, version
from tests.applier.world import stand_in


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return stand_in(tmp_path_factory.mktemp("bin"))


def _object(name: str) -> bytes:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n".encode()


def test_a_render_is_made_once_for_each_key(sandbox: Sandbox) -> None:
    cache = RenderCache()
    made: list[str] = []

    def make(name: str) -> tuple[Object, ...]:
        made.append(name)
        return render({"a.yaml": _object(name)}, ".", sandbox=sandbox)

    def get(name: str) -> str:
        (found,) = cache.get((name, ".", version(sandbox.version)), lambda: make(name))
        return str(found["metadata"]["name"])

    assert [get("a"), get("b"), get("a")] == ["a", "b", "a"]
    assert made == ["a", "b"]


def test_nobody_changes_what_another_gets() -> None:
    cache = RenderCache()
    first = cache.get(("t", ".", "v"), lambda: ({"a": {"b": 1}},))
    first[0]["a"]["b"] = 2

    assert cache.get(("t", ".", "v"), lambda: ()) == ({"a": {"b": 1}},)


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    cache = RenderCache(max_bytes=100)
    for name in "abc":
        cache.get((name, ".", "v"), lambda: ({"x": "y" * 30},))
    cache.get(("b", ".", "v"), lambda: ())
    cache.get(("d", ".", "v"), lambda: ({"x": "y" * 30},))

    assert cache.get(("b", ".", "v"), lambda: ()) != ()
    assert cache.get(("a", ".", "v"), lambda: ()) == ()
    assert cache.get(("huge", ".", "v"), lambda: ({"x": "y" * 200},))  # larger than all of it
    assert cache.get(("huge", ".", "v"), lambda: ()) == ()


def test_a_failure_is_not_kept() -> None:
    cache = RenderCache()

    def fail() -> tuple[dict[str, str], ...]:
        raise Failure(Reason.RENDER_FAILED, "no")

    with pytest.raises(Failure):
        cache.get(("t", ".", "v"), fail)
    assert cache.get(("t", ".", "v"), lambda: ({"a": "b"},)) == ({"a": "b"},)


def test_threads_share_the_cache() -> None:
    cache = RenderCache(max_bytes=200)
    wrong: list[object] = []

    def work() -> None:
        for number in range(300):
            name = f"{number % 7}"
            if cache.get((name, ".", "v"), lambda n=name: ({"n": n * 20},)) != ({"n": name * 20},):  # type: ignore[misc]
                wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
