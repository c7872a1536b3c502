"""`stagepass trust`: trust roots for policy sets, and what signers get of the same instances."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import click

from stagepass import wholefile
from stagepass.cli import options
from stagepass.cli.files import content
from stagepass.cli.report import printable
from stagepass.cli.signer import keyless_module, tuf_state
from stagepass.cli.trust_entries import Naming
from stagepass.cli.trust_roots import Trusted, changes, listed
from stagepass.errors import InputError
from stagepass.trustroot import MAX_BYTES

_PATH = click.Path(path_type=Path)
_PUBLIC_GOOD = "https://tuf-repo-cdn.sigstore.dev"
_DENIED = 1


@click.group()
def trust() -> None:
    """Trust roots: bring those of a policy set up to date, show them, and make what signers take."""


@trust.command()
@click.argument("file", type=_PATH)
@click.option(
    "--url",
    default=_PUBLIC_GOOD,
    show_default=True,
    help="The TUF repository of a Sigstore instance; https.",
)
@click.option(
    "--root",
    "root_file",
    type=_PATH,
    metavar="ROOT.json",
    help="Its first root, had from whoever runs it; sigstore brings the public instances' along.",
)
@click.option(
    "--policy",
    "policy_directory",
    type=_PATH,
    metavar="DIR",
    help="The policy set that names FILE, or will: says what to change in it.",
)
@options.output
def update(
    file: Path, url: str, root_file: Path | None, policy_directory: Path | None, output: str
) -> int:
    """
    Write what a Sigstore instance trusts now into FILE, which `trustRoots` of a policy set names.

    It is fetched by TUF: a repository that is older than what was seen before, expired, signed by
    others or changed on the way is refused with exit code 1, and FILE stays as it was; so it does, with
    64, where a log has the id of another key. What was seen is remembered in stagepass/tuf of the user's
    configuration directory ($XDG_CONFIG_HOME).
    """
    roots = keyless_module("roots", "trust update")
    root = None if root_file is None else content(root_file, MAX_BYTES)
    naming = Naming.of(file, policy_directory)
    before = content(file, MAX_BYTES) if file.exists() else None
    try:
        (data,) = roots.fetch(
            url, [roots.TRUSTED_ROOT], tuf_state(), root, str(root_file or "")
        ).values()
    except roots.Untrusted as error:
        click.secho(f"refused: {error}", err=True, fg="red")
        return _DENIED
    new = listed(data)
    for each in new:
        if each.id_matches_key is False:
            hint = "nothing was written; ask whoever runs the instance"
            raise InputError(each.doubt, hint=hint)
    _doubts(new)
    if data != before:
        _write(file, data)
    Updated(file, data, before, new, naming).show(output)
    return 0


@trust.command()
@click.argument("file", type=_PATH)
@click.option(
    "--trusted-root",
    required=True,
    type=_PATH,
    metavar="ROOT",
    help="The instance's trusted_root.json: whom to trust.",
)
@click.option(
    "--signing-config",
    required=True,
    type=_PATH,
    metavar="CONFIG",
    help="Its signing_config.json: whom to ask.",
)
@options.output
def config(file: Path, trusted_root: Path, signing_config: Path, output: str) -> int:
    """
    Write into FILE what --trust-config takes of a Sigstore instance: its root and its services.

    Nothing is written unless somebody could sign by it. Nobody is asked.
    """
    sign = keyless_module("sign", "trust config")
    data, authority = sign.joined(
        content(trusted_root, MAX_BYTES),
        content(signing_config, MAX_BYTES),
        root_from=str(trusted_root),
        signing_from=str(signing_config),
    )
    _write(file, data)
    if output == "json":
        click.echo(json.dumps({"file": str(file), "certificateAuthority": authority}))
    else:
        click.echo(f"{file}: written")
    return 0


@trust.command()
@click.argument("file", type=_PATH)
@options.output
def show(file: Path, output: str) -> int:
    """
    List the certificate authorities, logs and time stamp authorities of FILE, a trusted root.

    SHA256 is of an authority's whole chain (DER, one certificate after the other), or of a log's key.
    """
    data = content(file, MAX_BYTES)
    try:
        found = listed(data)
    except InputError as error:
        raise InputError(error.message, where=str(file), hint=error.hint) from error
    if output == "json":
        said = {"file": str(file), "sha256": _sha256(data)}
        click.echo(json.dumps({**said, "trusted": [each.to_json() for each in found]}))
    else:
        _table(found)
        click.echo(f"sha256 {_sha256(data)}")
    _doubts(found)
    return 0


@dataclass(frozen=True, slots=True)
class Updated:
    """What `update` did; `naming` is how a policy set names the file."""

    file: Path
    data: bytes
    before: bytes | None
    trusted: list[Trusted]
    naming: Naming

    def show(self, output: str) -> None:
        """Say so."""
        digest = _sha256(self.data)
        differences = self._differences()
        entry = self.naming.entry(digest)
        stale = [where for where, had in self.naming.entries if had != digest]
        if output == "json":
            line = {
                "file": str(self.file),
                "sha256": digest,
                "changed": self.data != self.before,
                "changes": differences,
                "entry": entry,
                "policyFile": self.naming.policy_file,
                "entriesToChange": stale,
            }
            click.echo(json.dumps(line))
            return
        state = "is up to date" if self.data == self.before else "written"
        click.echo(f"{self.file}: {state}\nsha256 {digest}")
        for difference in differences:
            click.echo(f"  {printable(difference)}")
        for where in stale:
            click.echo(f"{where}: change sha256")
        if not self.naming.entries:
            policy_file = self.naming.policy_file
            where = "" if policy_file is None else f"  # in {policy_file}"
            click.echo(f"trustRoots:{where}\n  {entry}")

    def _differences(self) -> list[str]:
        if self.before is None:
            return []
        try:
            return changes(listed(self.before), self.trusted)
        except InputError as error:
            return [f"it held no trusted root: {error}"]


def _doubts(found: list[Trusted]) -> None:
    for each in found:
        if each.doubt:
            click.secho(f"warning: {printable(each.doubt)}", err=True, fg="yellow")


def _table(found: list[Trusted]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("KIND", "NAME", "SINCE", "UNTIL", "ID", "SHA256"):
        table.add_column(heading, overflow="fold")
    for each in found:
        said = each.to_json()
        row = (each.kind, each.name, said["since"], said["until"] or "-", each.id, each.sha256)
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    console = Console()
    Console(width=None if console.is_terminal else 320).print(table)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> None:
    try:
        wholefile.replace(path, data)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(path)) from error
