"""What a command of `stagepass release` is about: which stage's rule, which release, which repository."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click

from stagepass.cli import options, release_files
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, did_you_mean
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import ReleaseRule
from stagepass.release.model import Release
from stagepass.release.store import repository_of

repository = click.option(
    "--repository",
    type=options.ANY_IMAGE,
    metavar="REPO",
    help="The repository of the releases; by default the policy's `release.repository`.",
)
policy = click.option(
    "--policy",
    "policy_directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Verify by this set.",
)


@dataclass(frozen=True, slots=True)
class Operand:
    """A release as the command line names it: an artifact's digest, or a directory that `build` filled."""

    text: str
    repository: ImageRef
    digest: Digest
    built: Release | None

    @classmethod
    def of(cls, text: str, given: ImageRef | None, policy_set: PolicySet | None) -> Operand:
        """From `REPOSITORY@sha256:HEX` or a directory. Raises `InputError`."""
        if Path(text).is_dir():
            built, _ = release_files.read(Path(text))
            where = given or default_repository(policy_set, built.pipeline, built.stage)
            return cls(text, where, built.artifact_digest, built)
        image = ImageRef.parse(text)
        if image.digest is None:
            hint = "write REPOSITORY@sha256:..., as `release attest` printed it"
            raise InputError(f"{text!r} is no directory and has no digest", hint=hint)
        return cls(text, replace(image, digest=None), image.digest, None)


def stage_of(policy_set: PolicySet, pipeline: str, stage: str) -> ReleaseRule:
    """The rule of a stage for releases. Raises `InputError` where there is none."""
    stages = {p.name: {s.name: s for s in p.stages} for p in policy_set.pipelines}
    if pipeline not in stages:
        hint = did_you_mean(pipeline, list(stages))
        raise InputError(f"the policy has no pipeline {pipeline!r}", hint=hint)
    if stage not in stages[pipeline]:
        hint = did_you_mean(stage, list(stages[pipeline]))
        raise InputError(f"the pipeline {pipeline!r} has no stage {stage!r}", hint=hint)
    if (rule := stages[pipeline][stage].release) is None:
        hint = "add `release: {from: [...]}` to the stage"
        raise InputError(f"the stage {pipeline}/{stage} takes no releases", hint=hint)
    return rule


def default_repository(policy_set: PolicySet | None, pipeline: str, stage: str) -> ImageRef:
    """The repository that policy gives the releases of a stage; `NOWHERE` without policy."""
    return repository_of(None if policy_set is None else stage_of(policy_set, pipeline, stage))
