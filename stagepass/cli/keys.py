"""`stagepass keys`: the keys that sign passes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.errors import InputError


@click.group()
def keys() -> None:
    """Make the keys that sign passes."""


@keys.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="NAME.key and NAME.pub are written.")
@click.option(
    "--passphrase-env", metavar="VAR", help="Encrypt with the passphrase in this variable."
)
@options.output
def generate(directory: Path, name: str, passphrase_env: str | None, output: str) -> None:
    """
    Write an ECDSA P-256 key pair into DIRECTORY: NAME.key (PKCS#8, mode 0600) and NAME.pub.

    The public half goes into the policy set. A stage key signs nothing but passes of its stage:
    `cosign verify --key` takes any attestation by a key for a signature.
    """
    from stagepass.signing import PrivateKey

    if not name or "/" in name or name.startswith("."):
        raise InputError(f"--name {name!r} is not a file name")
    key = PrivateKey.generate()
    private, public = key.write(directory, name, passphrase(passphrase_env))
    if output == "json":
        click.echo(json.dumps({"key": str(private), "public": str(public), "id": key.public.id}))
    else:
        click.echo(f"wrote {private} (keep it secret) and {public}")


def passphrase(variable: str | None) -> bytes | None:
    """
    The passphrase in the environment variable of that name.

    Raises `InputError` where it is unset or empty: an empty one would leave a new key in the clear.
    """
    if variable is None:
        return None
    if not (value := os.environ.get(variable)):
        raise InputError(
            f"the variable {variable!r} is not set, or is empty",
            where="--passphrase-env",
            hint="leave the option out for a key without a passphrase",
        )
    return value.encode()
