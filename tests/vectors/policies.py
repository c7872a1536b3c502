"""Policy sets that somebody tampered with: each refused whole, the last good one still in force."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.vectors.bench import Bench
from tests.vectors.row import Case, Door
from tests.webhook.reviews import create
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop
from tests.world import signer

_REFUSED = "verify exits 64; webhook keeps the last good set: admitted"
_SIGNATURE = "policy-set.sigstore.json"
_SECONDS = 10.0


def _text(*changes: tuple[str, str]) -> Callable[[Path], Any]:
    """In the policy file, the first of each pair becomes the second."""

    def change(policy: Path) -> None:
        file = policy / "policy.yaml"
        text = file.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)

    return change


def _file(name: str, data: bytes) -> Callable[[Path], Any]:
    return lambda policy: (policy / name).write_bytes(data)


_CHANGES: dict[str, Callable[[Path], Any]] = {
    "empty file": _file("policy.yaml", b""),
    "unknown key": _text(("unlisted: deny", "unlisted: deny\nallow: all")),
    "duplicate key": _text(("unlisted: deny", "unlisted: deny\nunlisted: audit")),
    "anchor and alias": _text(
        ("signedBy: [test-cluster]", "signedBy: &who [test-cluster]"),
        ("signedBy: [staging-cluster]", "signedBy: *who"),
    ),
    "tab": _text(("unlisted: deny", "\tunlisted: deny")),
    "after a stage that is not there": _text(("stage: staging", "stage: stagign")),
    "stages in a circle": _text(
        ("signedBy: [test-cluster]}", "signedBy: [test-cluster], after: [staging]}")
    ),
    "key file emptied": _file("keys/staging-cluster.pub", b""),
    "revocation list emptied": _file("revoked.json", b""),
}


def _signed(change: Callable[[Bench, Path, Path], Any]) -> Callable[[Bench], str]:
    """A gate that wants the root key's signature, and a set that changes while it runs."""

    def run(bench: Bench) -> str:
        home = bench.directory / secrets.token_hex(4)
        shop = Shop(home / "shop")
        for name in ("root", "stranger"):
            (home / f"{name}.key").write_bytes(signer(name).private_pem)
        (home / "root.pub").write_bytes(signer("root").public_pem)
        _sign(bench, shop.policy, home / "root.key")
        first = home / "first"
        shutil.copytree(shop.policy, first)
        _sign(bench, shop.policy, home / "root.key")
        (home / "state").mkdir()
        settings = {"POLICY_ROOT_KEY": str(home / "root.pub"), "STATE_DIR": str(home / "state")}
        with Server(home / "gate", shop, **settings) as server:
            change(bench, shop.policy, first)
            wait_until(lambda: server.get("/readyz").json["problem"], _SECONDS)
            allowed = [server.judge(create(i()))["allowed"] for i in (shop.passed, shop.image)]
        return "last good set" if allowed == [True, False] else f"D, U: {allowed}"

    return run


def _sign(bench: Bench, policy: Path, key: Path) -> None:
    """Sign the set with this key."""
    code, text = bench.command("policy", "sign", str(policy), "--key", str(key))
    assert code == 0, text


def _by_a_stranger(bench: Bench, policy: Path, _: Path) -> None:
    (policy / _SIGNATURE).unlink()
    _sign(bench, policy, policy.parents[1] / "stranger.key")


_SIGNED: dict[str, Callable[[Bench, Path, Path], Any]] = {
    "signature gone": lambda _, policy, __: (policy / _SIGNATURE).unlink(),
    "signed by another key": _by_a_stranger,
    "file altered after signing": lambda _, policy, __: _file("policy.yaml", b"# nothing")(policy),
    "older signed set": lambda _, policy, first: shutil.copytree(first, policy, dirs_exist_ok=True),
}

TAMPERED = (
    *(
        Case(name, Door.POLICY, lambda bench, change=change: bench.with_policy(change), _REFUSED)
        for name, change in _CHANGES.items()
    ),
    *(
        Case(f"root key: {name}", Door.WEBHOOK, _signed(change), "last good set")
        for name, change in _SIGNED.items()
    ),
)
