"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from stagepass.clock import parse_duration, parse_time
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Candidate, Deadline, DirectorySource, EvidenceSource
from stagepass.policy.model import PolicySet

F = TypeVar("F", bound=Callable[..., Any])

DEADLINE_SECONDS = 30.0
"""A person waits longer than an API server: the webhook's own deadline is 8 s."""


class _Parsed(click.ParamType[Any]):
    """A value made by one of our parsers; its `InputError` becomes click's usage error."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse text; pass a default that is a value already through."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except InputError as error:
            self.fail(str(error), param, ctx)


TIME = _Parsed("rfc3339", parse_time)
DURATION = _Parsed("duration", parse_duration)


def _digest_reference(text: str) -> ImageRef:
    image = ImageRef.parse(text)
    if image.digest is None:
        raise InputError(
            f"{text!r} has no digest: tags move",
            hint="write IMAGE@sha256:... as the build printed it",
        )
    return image


def digest_of(image: ImageRef) -> Digest:
    """The digest of an image that `IMAGE` has parsed."""
    if image.digest is None:
        raise InputError(f"{image} has no digest")
    return image.digest


IMAGE = _Parsed("image@digest", _digest_reference)
DIGEST = _Parsed("digest", Digest.parse)
ANY_IMAGE = _Parsed("image", ImageRef.parse)

policy = click.option(
    "--policy",
    "policy_directory",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The policy set: a directory of policy files.",
)
evidence = click.option(
    "--evidence",
    "evidence",
    multiple=True,
    default=("registry",),
    show_default=True,
    metavar="SRC",
    help="Where evidence is: 'registry' or 'dir:PATH'. Repeatable; asked in this order.",
)
offline = click.option("--offline", is_flag=True, help="Open no socket.")
now = click.option(
    "--now",
    type=TIME,
    metavar="RFC3339",
    help="Decide as if it were this time: would it pass on Monday?",
)
output = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="'json' prints one line per object.",
)
stage = click.option("--stage", required=True, help="The stage, as the pipeline names it.")
pipeline = click.option("--pipeline", help="The pipeline, where several have that stage.")
cluster = click.option("--cluster", help="The cluster; by default all that the stage names.")
namespace = click.option(
    "--namespace", help="The namespace; by default the one that the stage names."
)


def deciding(command: F) -> F:
    """Add the options of every command that decides: --policy --evidence --now --offline --output."""
    for option in (output, now, offline, evidence, policy):
        command = option(command)
    return command


def current_time(given: datetime | None) -> datetime:
    """`--now`, or the machine's clock: the one place of the CLI that reads it."""
    return given or datetime.now(UTC)


def load_policy(directory: Path) -> PolicySet:
    """The set in `directory`. Raises `PolicyError`."""
    from stagepass.policy.store import load_directory

    return load_directory(directory)


class _Offline:
    """Stands for a registry that may not be asked: whatever it might hold is not known."""

    def batches(
        self,
        image: ImageRef,
        digest: Digest,  # noqa: ARG002
        wanted: frozenset[str],  # noqa: ARG002
        deadline: Deadline,  # noqa: ARG002
    ) -> Iterator[Sequence[Candidate]]:
        """Never a candidate. Raises `Unavailable`."""
        raise Unavailable(Code.REGISTRY_UNAVAILABLE, f"--offline: {image.host} was not asked")


def sources(names: Sequence[str], *, offline: bool, hosts: frozenset[str]) -> list[EvidenceSource]:
    """The sources that --evidence names. `hosts` are the registries that may be asked."""
    return [_source(name, offline, hosts) for name in names]


def directories(names: Sequence[str]) -> list[DirectorySource]:
    """The directory sources among `names`. Raises `InputError` for a name that is none of both."""
    return [found for name in names if (found := _directory(name)) is not None]


def _directory(name: str) -> DirectorySource | None:
    if name.startswith("dir:") and name != "dir:":
        return DirectorySource(Path(name.removeprefix("dir:")))
    if name != "registry":
        raise InputError(f"--evidence {name!r}", hint="write 'registry' or 'dir:PATH'")
    return None


def _source(name: str, offline: bool, hosts: frozenset[str]) -> EvidenceSource:
    if (directory := _directory(name)) is not None:
        return directory
    if offline:
        return _Offline()
    from stagepass.registry.source import RegistrySource

    return RegistrySource(registry_client(hosts))


def registry_client(hosts: frozenset[str]) -> Any:
    """A client for `hosts`, set up by STAGEPASS_REGISTRIES and DOCKER_CONFIG."""
    from stagepass.registry.auth import Credentials
    from stagepass.registry.client import RegistryClient
    from stagepass.registry.settings import RegistrySettings

    settings = RegistrySettings.parse(os.environ.get("STAGEPASS_REGISTRIES", ""))
    config = os.environ.get("DOCKER_CONFIG")
    return RegistryClient(settings, Credentials.read(Path(config) if config else None), hosts)
