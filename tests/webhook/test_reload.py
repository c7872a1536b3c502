"""The policy in force follows the files: whole sets only, and never back to nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.webhook.reviews import create
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop

# A set is in force within two seconds; the rest is for a machine that does much else.
_SECONDS = 10.0
_WARN = {"pipeline.stages.1.enforcement": "warn"}


@pytest.fixture
def server(tmp_path: Path, shop: Shop) -> Iterator[Server]:
    with Server(tmp_path, shop) as running:
        yield running


def _ready(server: Server) -> dict[str, Any]:
    detail: dict[str, Any] = server.get("/readyz").json
    return detail


def _problem(server: Server) -> str:
    problem: str = _ready(server)["problem"]
    return problem


def _broken(server: Server) -> bool:
    return b"\nstagepass_policy_broken 1.0\n" in server.get("/metrics").body


def _allowed(server: Server) -> bool:
    """Of an image that nobody attested, in `staging`."""
    allowed: bool = server.judge(create(server.shop.image()))["allowed"]
    return allowed


def test_a_new_set_is_in_force_in_every_worker(tmp_path: Path, shop: Shop) -> None:
    with Server(tmp_path, shop, workers=2) as server:
        before = _ready(server)["policyRevision"]
        assert not _allowed(server)

        shop.write(shop.variant(_WARN))

        # One listening socket a worker: of twenty connections, each has some.
        wait_until(lambda: all(_allowed(server) for _ in range(20)), _SECONDS)
        assert _ready(server)["policyRevision"] != before
        assert len(server.log_lines("policy.loaded")) == 4


def test_a_broken_set_leaves_the_last_good_one_in_force_and_is_told_of(server: Server) -> None:
    """By readiness, by a metric and by the log, each with every error at once."""
    shop, good = server.shop, _ready(server)
    assert not _broken(server)

    broken = {**_WARN, "pipeline.stages.2.after": ["stagign"], "defaults.unlisted": "maybe"}
    shop.write(shop.variant(broken))
    wait_until(lambda: _problem(server), _SECONDS)

    detail = _ready(server)
    assert (detail["ready"], detail["policyRevision"]) == (True, good["policyRevision"])
    for part in ("policy.yaml", "stagign", "did you mean 'staging'", "'maybe' is none of deny"):
        assert part in detail["problem"]
    assert _broken(server)
    (line,) = server.log_lines("policy.refused")
    assert (line["level"], line["in_force"]) == ("error", good["policyRevision"])
    assert "\n".join(line["errors"]) == detail["problem"]
    assert len(line["errors"]) >= 2
    assert not _allowed(server)
    assert server.judge(create(shop.passed()))["allowed"] is True


def test_a_repaired_set_is_taken_over(server: Server) -> None:
    shop = server.shop
    shop.write("kind: Nonsense")
    wait_until(lambda: _problem(server), _SECONDS)

    shop.write(shop.text)
    wait_until(lambda: not _problem(server), _SECONDS)
    assert not _broken(server)

    shop.write(shop.variant(_WARN))
    wait_until(lambda: _allowed(server), _SECONDS)
    assert not _problem(server)


def test_without_a_first_good_set_it_is_not_ready_and_admits_nothing(
    tmp_path: Path, shop: Shop
) -> None:
    shop.write("kind: Nonsense")
    with Server(tmp_path, shop, ready=False) as server:
        detail = server.get("/readyz")
        assert (detail.status, detail.json["ready"]) == (503, False)
        assert detail.json["policyRevision"] is None
        assert "Nonsense" in detail.json["problem"]
        assert server.get("/healthz").status == 200
        assert _broken(server)
        for namespace in ("shop", "preview", "watched", "nowhere"):
            response = server.judge(create(shop.passed(), namespace=namespace))
            assert (response["allowed"], response["status"]["code"]) == (False, 503)
            assert response["auditAnnotations"]["codes"] == "POLICY_INVALID"
            assert "could not find out: no policy set" in response["status"]["message"]

        shop.write(shop.text)

        wait_until(lambda: server.get("/readyz").status == 200, _SECONDS)
        assert server.judge(create(shop.passed()))["allowed"] is True
        assert not _broken(server)


def test_a_directory_that_is_not_there_yet_is_waited_for(tmp_path: Path, shop: Shop) -> None:
    away = shop.policy.rename(tmp_path / "away")
    with Server(tmp_path, shop, ready=False) as server:
        assert server.get("/readyz").status == 503

        away.rename(shop.policy)

        wait_until(lambda: server.get("/readyz").status == 200, _SECONDS)


def _mounted(folder: Path, files: dict[str, bytes], version: str) -> None:
    """Write `files` as a kubelet mounts a ConfigMap, and swap them in by the link `..data`."""
    data, link = folder / f"..{version}", folder / "..data"
    data.mkdir(parents=True)
    for name, content in files.items():
        (data / name).write_bytes(content)
    (folder / "..data_tmp").symlink_to(data.name)
    (folder / "..data_tmp").rename(link)
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for old in folder.glob("..[0-9]*"):
        if old.name != data.name:
            shutil.rmtree(old)


def test_a_config_map_is_followed_through_its_links(tmp_path: Path, shop: Shop) -> None:
    keys = {path.name: path.read_bytes() for path in (shop.policy / "keys").iterdir()}
    shutil.rmtree(shop.policy)
    _mounted(shop.policy / "keys", keys, "2026_1")
    _mounted(shop.policy, {"policy.yaml": shop.text.encode()}, "2026_1")
    with Server(tmp_path, shop) as server:
        assert not _allowed(server)

        _mounted(shop.policy, {"policy.yaml": shop.variant(_WARN).encode()}, "2026_2")

        wait_until(lambda: _allowed(server), _SECONDS)
        assert not _problem(server)


def _garbage(key: Path) -> None:
    key.write_text("-----BEGIN PUBLIC KEY-----\nnot base64\n-----END PUBLIC KEY-----\n")


def _private(key: Path) -> None:
    key.write_text("-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n")


def _dangling(key: Path) -> None:
    key.unlink()
    key.symlink_to("nowhere.pub")


def _directory(key: Path) -> None:
    key.unlink()
    key.mkdir()


@pytest.mark.parametrize("spoil", [_garbage, _private, _dangling, _directory, Path.unlink])
def test_a_key_that_cannot_be_read_refuses_the_set(
    tmp_path: Path, shop: Shop, spoil: Callable[[Path], None]
) -> None:
    spoil(shop.policy / "keys" / "test-cluster.pub")
    with Server(tmp_path, shop, ready=False) as server:
        response = server.judge(create(shop.passed()))

        assert ".pub" in _problem(server)
        assert response["auditAnnotations"]["codes"] == "POLICY_INVALID"
        assert response["status"]["code"] == 503


def _loop(policy: Path) -> None:
    (policy / "loop.yaml").symlink_to("loop.yaml")


def _nameless(policy: Path) -> None:
    Path(os.fsdecode(os.fsencode(policy) + b"/\xff.yaml")).write_text("")


def _bottomless(policy: Path) -> None:
    (policy / "deep.yaml").write_text("[" * 100_000)


def _outward(policy: Path) -> None:
    (policy / "out.yaml").symlink_to("/etc/passwd")


def _vast(policy: Path) -> None:
    with (policy / "vast.yaml").open("wb") as file:
        file.truncate(17 << 20)


@pytest.mark.parametrize("strew", [_loop, _nameless, _bottomless, _outward, _vast])
def test_nothing_that_lies_among_the_files_ends_the_watching(
    server: Server, strew: Callable[[Path], None]
) -> None:
    """A watcher that had ended would keep an old set in force for ever, and look healthy."""
    shop = server.shop
    known = set(shop.policy.iterdir())
    strew(shop.policy)
    wait_until(lambda: _problem(server), _SECONDS)
    assert _broken(server)
    assert not _allowed(server)

    for path in set(shop.policy.iterdir()) - known:
        path.unlink()
    shop.write(shop.variant(_WARN))

    wait_until(lambda: _allowed(server), _SECONDS)
    assert not _problem(server)
