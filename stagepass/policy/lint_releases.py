"""Lint: stages whose releases nobody could use, or anybody could get round."""

from __future__ import annotations

from collections.abc import Iterator

from stagepass.manifest import paths_of
from stagepass.policy.lint_finding import Finding, of_stages
from stagepass.policy.model import Pipeline, PolicySet
from stagepass.policy.pointers import gives_up, opens, pointer_text
from stagepass.policy.releases import ManifestMode, kind_text


def release_signers(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """`separation-of-duties`: no owner says what a stage's objects are and lets them in, too."""
    for stage in pipeline.stages:
        if stage.release is None or stage.allow_shared:
            continue
        letting_in = {
            owner
            for need in stage.approvals
            for owner in policy.owners(need.signers) - policy.owners(need.not_by)
        } | policy.owners(stage.signed_by)
        shared = policy.owners(stage.release.signers) & letting_in
        if shared:
            yield Finding(
                of_stages(pipeline, stage),
                "separation-of-duties",
                f"{', '.join(sorted(shared))} may sign the stage's releases, and its passes or"
                " approvals; leave each to other people, or say why not with allowShared: REASON",
            )


def unrecorded_releases(pipeline: Pipeline) -> Iterator[Finding]:
    """
    `release-not-recorded`: where manifests are required, every stage before looks at releases too;
    else its passes name no image set and none of them counts. `release-unused`: no release is named
    by a stage that does not look at manifests.
    """
    for stage in pipeline.stages:
        if stage.release and stage.manifests is ManifestMode.OFF:
            yield Finding(
                of_stages(pipeline, stage),
                "release-unused",
                "it has a release, and manifests are off; set manifests: required, or warn, or take"
                " the release out",
            )
        if stage.manifests is not ManifestMode.REQUIRED:
            continue
        silent = [
            edge.stage
            for edge in pipeline.before(stage)
            if pipeline.stage(edge.stage).manifests is ManifestMode.OFF
        ]
        for name in silent:
            yield Finding(
                of_stages(pipeline, pipeline.stage(name), stage),
                "release-not-recorded",
                f"{stage.name!r} takes passes of a release's image set alone, and {name!r} looks at"
                f" no release; give {name!r} a release, with manifests: warn at least",
            )


def wide_allowances(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """`wide-allowance`: no pointer of `release.allow` opens what decides what runs, or may be done."""
    for stage in pipeline.stages:
        for field in stage.release.fields if stage.release else ():
            for kind in sorted(field.kinds):
                paths = paths_of(*kind, policy.custom_resources)
                what = gives_up(field.pointer, paths) or opens(field.pointer, kind, paths)
                if what:
                    yield Finding(
                        of_stages(pipeline, stage),
                        "wide-allowance",
                        f"{pointer_text(field.pointer)} lets anybody change {what} of every"
                        f" {kind_text(kind)}; name a member further down",
                    )
