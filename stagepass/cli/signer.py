"""Who signs: the options of every command that does, and the signer they stand for."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

from stagepass.cli import options
from stagepass.cli.files import content
from stagepass.cli.keys import passphrase
from stagepass.cli.signed import storable
from stagepass.clock import SKEW
from stagepass.errors import InputError
from stagepass.signing import PrivateKey, Signer

F = TypeVar("F", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)
_STDIN = Path("-")
_MAX_TOKEN, _MAX_CONFIG = 1 << 16, 1 << 20  # bytes; the public instance's configuration has 14 kB
_INSTALL = "pip install 'stagepass[keyless]'"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the options say; nothing is read before `open`."""

    key: Path | None = None
    passphrase_env: str | None = None
    has_identity: bool = False
    token: Path | None = None
    trust_config: Path | None = None
    offline: bool = False
    flag: str = "--identity"

    def check(self, evidence: Sequence[str], now: datetime | None = None) -> None:
        """
        Raises `click.UsageError` unless it is one key, or one identity that may be asked for.

        What an identity signs stays in a log: that it can be stored as asked is looked at before, and
        that `now` is no other time than that of its certificate.
        """
        is_keyless = self.has_identity or self.token is not None
        if (self.key is not None) == is_keyless:
            raise click.UsageError(
                f"--key and {self.flag} exclude each other"
                if is_keyless
                else f"who signs? Give --key FILE, or {self.flag}"
            )
        if self.passphrase_env is not None and is_keyless:
            raise click.UsageError("--passphrase-env goes with --key")
        if self.trust_config is not None and not is_keyless:
            raise click.UsageError(f"--trust-config goes with {self.flag}")
        if self.offline and is_keyless:
            hint = "a certificate authority and a transparency log have to be asked"
            raise click.UsageError(f"--offline and {self.flag} exclude each other: {hint}")
        if is_keyless and storable(evidence, offline=False)[1].is_legacy:
            hint = "that layout keeps no certificate"
            raise click.UsageError(f"--layout legacy and {self.flag} exclude each other: {hint}")
        if is_keyless and now is not None and abs(now - options.current_time(None)) > SKEW:
            hint = f"over {SKEW.seconds // 60} minutes from the clock, which its certificate has"
            raise click.UsageError(f"--now and {self.flag} exclude each other: {hint}")

    def open(self) -> Signer:
        """
        Read the key, or the token of the identity.

        Raises `InputError` for one that is none, `Unavailable` where the CI gives no token now.
        """
        if self.key is not None:
            return PrivateKey.read(self.key, passphrase(self.passphrase_env))
        token = None if self.token is None else _token(self.token)
        config = None if self.trust_config is None else content(self.trust_config, _MAX_CONFIG)
        made: Signer = keyless_module("sign", self.flag).open_signer(
            token, config, where=str(self.trust_config or ""), state=tuf_state()
        )
        return made


def signing(key_help: str = "The private key (PEM).", flag: str = "--identity") -> Callable[[F], F]:
    """
    Add the options that say who signs; the command gets them as `chosen`, a `Chosen`.

    `flag` is for a command of which `--identity` says something else.
    """

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def checked(
            *arguments: Any,
            key_file: Path | None,
            passphrase_env: str | None,
            as_identity: bool,
            identity_token: Path | None,
            trust_config: Path | None,
            **given: Any,
        ) -> Any:
            offline = bool(given.get("offline"))
            chosen = Chosen(
                key_file, passphrase_env, as_identity, identity_token, trust_config, offline, flag
            )
            chosen.check(given.get("evidence", ()), given.get("now"))
            return command(*arguments, chosen=chosen, **given)

        wrapped: Any = checked
        for option in reversed(_options(key_help, flag)):
            wrapped = option(wrapped)
        made: F = wrapped
        return made

    return decorate


def tuf_state() -> Path:
    """Where the newest metadata of TUF repositories is remembered, for this user."""
    return Path(click.get_app_dir("stagepass")) / "tuf"


def keyless_module(name: str, what: str) -> Any:
    """
    A module of `stagepass.keyless`: 450 CPU-ms to import, and not always installed.

    Raises `InputError` where sigstore is not installed, which `what` needs.
    """
    try:
        return import_module(f"stagepass.keyless.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "stagepass").startswith("stagepass"):
            raise
        raise InputError(f"{what} needs sigstore, which is not installed", hint=_INSTALL) from error


def _options(key_help: str, flag: str) -> list[Callable[[Any], Any]]:
    return [
        click.option("--key", "key_file", type=_PATH, help=key_help),
        click.option("--passphrase-env", metavar="VAR", help="The variable with its passphrase."),
        click.option(
            flag,
            "as_identity",
            is_flag=True,
            help="Instead of --key: sign as what this CI job is, by its OIDC token (Sigstore).",
        ),
        click.option(
            "--identity-token",
            type=click.Path(path_type=Path, allow_dash=True),
            metavar="FILE",
            help=f"The OIDC token for {flag}, or '-': standard input. For the audience 'sigstore'.",
        ),
        click.option(
            "--trust-config",
            type=_PATH,
            metavar="FILE",
            help=f"With {flag}: a Sigstore ClientTrustConfig; by default the public instance's.",
        ),
    ]


def _token(path: Path) -> str:
    data = sys.stdin.buffer.read(_MAX_TOKEN + 1) if path == _STDIN else None
    if data is None:
        data = content(path, _MAX_TOKEN)
    try:
        token = data.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise InputError("not a token: bytes beyond ASCII", where="--identity-token") from error
    if not token or len(data) > _MAX_TOKEN:
        raise InputError("not a token: empty, or over 64 KiB", where="--identity-token")
    return token
