"""`python -m certs`: exit 0 when it is done, 64 when it was refused and nothing was changed."""

from __future__ import annotations

import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from certs import files
from certs.inject import inject, read_bundle
from certs.issue import CA_CERTIFICATE, CA_DAYS, CERTIFICATE, Issued, issue
from certs.names import Names
from stagepass.errors import InputError

REFUSED = 64  # EX_USAGE of sysexits.h, as in the `stagepass` command

_DIRECTORY = click.argument(
    "directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path)
)
_DAYS = click.option(
    "--days",
    type=click.IntRange(1, CA_DAYS),
    default=90,
    show_default=True,
    help="Life of the serving certificate.",
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def cli() -> None:
    """Keep the webhook's serving certificate, and tell the API server which CA to trust."""


@cli.command("issue")
@_DIRECTORY
@click.option("--service", required=True, help="The webhook's Service.")
@click.option("--namespace", required=True, help="The namespace of that Service.")
@click.option("--ip", "ips", multiple=True, help="An address it is also called by; repeatable.")
@click.option("--dns", multiple=True, help="A host name it is also called by; repeatable.")
@_DAYS
@click.option("--force", is_flag=True, help="Replace a serving certificate that is there.")
def issue_(
    directory: Path,
    service: str,
    namespace: str,
    ips: tuple[str, ...],
    dns: tuple[str, ...],
    days: int,
    force: bool,
) -> None:
    """Write tls.crt and tls.key into DIR, signed by its CA.

    The CA is ca.crt and ca.key in DIR; they are made when neither is there.
    """
    names = Names.of_service(service, namespace, dns=dns, ips=ips)
    _report(directory, issue(directory, names, days=days, replace=force, now=datetime.now(UTC)))


@cli.command("rotate")
@_DIRECTORY
@_DAYS
def rotate(directory: Path, days: int) -> None:
    """Renew tls.crt and tls.key in DIR: new key, same names, same CA."""
    names = Names.of_certificate(directory / CERTIFICATE)
    _report(directory, issue(directory, names, days=days, replace=True, now=datetime.now(UTC)))


@cli.command("inject")
@click.argument("manifest", type=_FILE)
@click.option("--ca", required=True, type=_FILE, help="The CA's certificate (ca.crt), as PEM.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Write there (`-`: to standard output) and leave MANIFEST alone.",
)
def inject_(manifest: Path, ca: Path, output: Path | None) -> None:
    """Set caBundle in every webhook of MANIFEST, and nothing else."""
    before = _read(manifest)
    after = inject(before, read_bundle(ca, now=datetime.now(UTC)), where=str(manifest))
    if output == Path("-"):
        click.echo(after, nl=False)
    elif output is None and after == before:
        click.echo(f"{manifest}: has it already")
    else:
        mode = stat.S_IMODE(manifest.stat().st_mode)
        files.replace(output or manifest, after.encode(), mode=mode)
        click.echo(f"{output or manifest}: caBundle is {ca}")


def _read(manifest: Path) -> str:
    try:
        return manifest.read_bytes().decode()  # not read_text: that would rewrite line ends
    except UnicodeDecodeError:
        raise InputError("not UTF-8", where=str(manifest), hint="save it as UTF-8") from None


def _report(directory: Path, issued: Issued) -> None:
    verb = "begun" if issued.new_authority else "reused"
    _say(directory / CA_CERTIFICATE, f"CA {verb}, until", issued.authority.not_valid_after_utc)
    _say(directory / CERTIFICATE, "issued, until", issued.certificate.not_valid_after_utc)


def _say(path: Path, what: str, until: datetime) -> None:
    click.echo(f"{path}: {what} {until:%Y-%m-%dT%H:%M:%SZ}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what went wrong is on stderr."""
    try:
        result = cli.main(arguments, prog_name="python -m certs", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return REFUSED
    except (InputError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        return REFUSED
    return result if isinstance(result, int) else 0  # --help comes back as its exit code


if __name__ == "__main__":
    sys.exit(main())
