"""
The applier's threat list, G01 to G40: what must come of each, and the tests that prove it.

    python -m tests.applier.vectors
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.applier.vector import Outcome, Vector, at

REFUSED, INERT, NOT_APPLICABLE = Outcome.REFUSED, Outcome.INERT, Outcome.NOT_APPLICABLE

_TREES = "cluster/test_applier_hostile_trees.py"
_LOOP = "cluster/test_applier_hostile.py"
_KUSTOMIZE = "applier/test_render_kustomize.py"
_STANDS = at(_TREES, "test_a_hostile_row_stands_still_for_its_reason_and_is_never_applied")
_INERT = (
    *at(_TREES, "test_what_must_be_inert_is_delivered_as_it_is_written"),
    *at(_TREES, "test_no_trap_was_sprung_and_nobody_was_called"),
)
_UNTRIED = _STANDS + at(
    _TREES,
    "test_nothing_else_was_even_tried",
    "test_nothing_but_the_applier_was_in_its_way",
)
_LIMITS = "cluster/test_applier_limits.py"
_BOUNDED = (
    "test_no_child_took_more_than_its_limit",
    "test_neighbours_were_served_while_all_of_it_went_on",
)
_HOOKS = at("applier/test_hostile.py", "test_hooks_filters_and_attributes_are_inert")
_LISTING = at("applier/test_hostile.py", "test_a_hostile_tree_is_refused_by_its_listing")
_SCAN = at("applier/test_hostile.py", "test_hostile_files_are_refused_before_anything_runs")
_NO_FILE = at(_KUSTOMIZE, "test_behind_the_scan_there_is_no_file_and_no_repository")
_NO_NETWORK = at(_KUSTOMIZE, "test_behind_the_scan_there_is_no_network")
_BROUGHT = at(_LOOP, "test_what_a_source_may_not_bring_refuses_the_version_as_a_whole")
_NO_SOURCE = at("applier/test_refused.py", "test_what_no_source_may_bring")
_CLUSTER_KINDS = at(
    "applier/test_refused.py", "test_what_even_a_source_with_all_cluster_kinds_may_not_bring"
)
_NO_HELM = "charts are not rendered: their files are refused as no Kubernetes objects"

_GIT = (
    Vector("G01", "hooks in what is fetched", INERT, _INERT + _HOOKS),
    Vector("G02", "core.hooksPath, core.fsmonitor", INERT, _INERT + _HOOKS),
    Vector(
        "G03", "filters: LFS, smudge", INERT, _INERT + _HOOKS + _STANDS,
        "attributes do nothing, an LFS pointer is refused",
    ),
    Vector("G04", "export-ignore, export-subst", INERT, _INERT + _HOOKS),
    Vector("G05", "submodules", REFUSED, _STANDS + _LISTING),
    Vector("G06", "symbolic links", REFUSED, _STANDS + _LISTING),
    Vector(
        "G07", "refs whose names are options", INERT,
        _INERT + at("applier/test_git.py", "test_a_ref_is_a_plain_full_name"),
        "on the server it is never named, in the policy it is refused",
    ),
    Vector(
        "G08", "remote URLs from content", INERT,
        (
            *_INERT,
            *at(_TREES, "test_git_was_asked_for_the_repositories_of_the_policy_alone"),
            *at("applier/test_git_auth.py", "test_a_url_that_is_not_plain_is_refused"),
        ),
    ),
    Vector(
        "G09", "redirects, alternates, bundle-URI, other transports", REFUSED,
        (
            *_STANDS,
            *at("applier/test_hostile.py", "test_a_server_sends_us_nowhere_else"),
            *at("applier/test_hostile.py", "test_alternates_of_a_mirror_are_refused"),
        ),
    ),
    Vector("G10", "names, depth and number of entries", REFUSED, _STANDS + _LISTING),
    Vector(
        "G11", "large blobs, many files, delta bombs, bad packs", REFUSED,
        (
            *_STANDS,
            *at(_LIMITS, "test_a_pack_that_takes_too_much_becomes_a_dead_letter", *_BOUNDED),
            *at("applier/test_git_transport.py",
                "test_a_pack_over_the_limit_is_refused_and_leaves_nothing"),
            *at("applier/test_git_bombs.py",
                "test_what_keeps_a_processor_busy_is_refused_and_then_left_alone"),
        ),
    ),
)  # fmt: skip

_RENDERING = (
    Vector("G12", "bases outside of the root", REFUSED, _STANDS + _SCAN + _NO_FILE),
    Vector("G13", "generators that read files outside", REFUSED, _STANDS + _SCAN + _NO_FILE),
    Vector("G14", "cycles of bases", REFUSED, _STANDS + _SCAN),
    Vector("G15", "a thousand levels, 10^9 uses of bases", REFUSED, _STANDS + _SCAN),
    Vector(
        "G16", "a patch of everything", INERT,
        _INERT + at(_KUSTOMIZE, "test_a_patch_of_everything_stays_within_the_files"),
    ),
    Vector(
        "G17", "YAML with two meanings, alias bombs", REFUSED,
        (
            *_STANDS,
            *at("applier/test_hostile.py", "test_yaml_with_two_meanings_is_refused"),
            *at(_KUSTOMIZE, "test_behind_the_scan_an_alias_bomb_ends_at_a_limit"),
        ),
    ),
    Vector(
        "G18", "lists of lists, generateName, one object twice", REFUSED,
        _STANDS + at("applier/test_hostile.py", "test_objects_that_are_none_are_refused"),
    ),
    Vector("G19", "remote bases", REFUSED, _STANDS + _SCAN + _NO_NETWORK),
    Vector("G20", "helmCharts, helmGlobals", REFUSED, _STANDS + _SCAN),
    Vector("G21", "exec and container functions, plugins", REFUSED, _STANDS + _SCAN),
    Vector("G22", "openapi.path", REFUSED, _STANDS + _SCAN),
    Vector(
        "G23", "HELM_*, KUSTOMIZE_*, XDG_*, GIT_* of the applier", INERT,
        (
            *_INERT,
            *at("applier/test_render.py", "test_a_child_has_an_environment_of_its_own"),
            *at("applier/test_git_transport.py",
                "test_nothing_of_the_caller_s_environment_reaches_git"),
        ),
    ),
    Vector("G24", "Helm's lookup", NOT_APPLICABLE, _STANDS + _SCAN, _NO_HELM),
    Vector("G25", "Helm's getHostByName", NOT_APPLICABLE, _STANDS + _NO_NETWORK, _NO_HELM),
    Vector("G26", "Helm's .Files.Get, tpl, hooks", NOT_APPLICABLE, _STANDS + _SCAN, _NO_HELM),
    Vector(
        "G27", "a kubeconfig with an exec plugin", INERT,
        _INERT + _STANDS + at(_KUSTOMIZE, "test_a_kubeconfig_beside_the_files_is_not_used"),
        "beside the manifests it is ignored, as one of them refused",
    ),
    Vector(
        "G28", "a renderer that takes too much", REFUSED,
        (
            *_STANDS,
            *at(_LIMITS, "test_a_render_that_takes_too_much_becomes_a_dead_letter",
                "test_a_child_that_was_killed_is_run_once_more_and_no_more",
                "test_the_child_got_at_nothing", *_BOUNDED),
            *at("applier/test_render.py", "test_a_child_that_takes_too_much_is_ended"),
        ),
        "memory, output and computing by Kustomize itself as well, the others by a program in its place",
    ),
)  # fmt: skip

_OBJECTS = (
    Vector("G29", "objects in other namespaces", REFUSED, _BROUGHT + _NO_SOURCE),
    Vector("G30", "cluster-scoped kinds", REFUSED, _BROUGHT + _CLUSTER_KINDS),
    Vector("G31", "roles that grant everything, escalation", REFUSED, _UNTRIED + _NO_SOURCE),
    Vector(
        "G32", "the gate's and the applier's own objects", REFUSED,
        _BROUGHT + at(_LOOP, "test_not_even_a_policy_that_names_it_opens_our_own_namespace"),
    ),
    Vector("G33", "Flux and Argo objects that apply for us", REFUSED, _UNTRIED + _NO_SOURCE),
    Vector(
        "G34", "ownerReferences, finalizers, managedFields, status", REFUSED, _UNTRIED + _NO_SOURCE
    ),
    Vector(
        "G35", "accidents that prune", REFUSED,
        at(
            _LOOP,
            "test_an_accident_in_git_deletes_nothing",
            "test_a_kind_whose_deletion_takes_data_along_is_not_deleted",
            "test_an_object_that_an_operator_copied_with_our_label_is_left_alone",
        ) + at("applier/test_plan.py", "test_a_renamed_application_is_a_mass_prune"),
    ),
    Vector(
        "G36", "fields of another manager", REFUSED,
        at(_LOOP, "test_a_field_of_another_manager_is_reported_by_its_name_until_a_takeover"),
    ),
    Vector(
        "G37", "objects that a webhook denies", REFUSED,
        at(_LOOP, "test_a_denial_by_admission_is_tried_a_few_times_and_then_a_dead_letter"),
    ),
)  # fmt: skip

_HISTORY = (
    Vector(
        "G38", "force-pushes", REFUSED,
        at(_LOOP, "test_a_branch_that_was_set_back_or_swapped_is_not_followed"),
    ),
    Vector(
        "G39", "freeze, fork, mix-and-match", REFUSED,
        at("policy/test_watermark.py", "test_neither_sequence_ever_falls")
        + at("cluster/test_policy_delivery.py",
             "test_an_older_set_is_refused_after_a_restart_without_any_state")
        + at("policy/test_revocations.py",
             "test_a_list_that_expired_denies_everything_or_warns")
        + at("cluster/test_applier.py", "test_what_is_not_attested_is_not_applied")
        + at("cluster/test_applier_freeze.py",
             "test_without_a_heartbeat_that_counts_what_runs_is_kept_and_nothing_enters",
             "test_no_pass_is_signed_without_a_heartbeat_and_one_restarts_no_soak",
             "test_a_restart_forgets_no_heartbeat")
        + at("applier/test_heartbeat.py",
             "test_what_is_no_heartbeat_does_not_count",
             "test_a_server_that_withholds_the_head_is_given_away"),
        "an older policy is refused and an old list of revocations denies; a fork brings nothing "
        "without evidence; without a signed heartbeat, where policy asks for one, nothing enters",
    ),
    Vector(
        "G40", "secrets in logs, letters and events", REFUSED,
        at(_LOOP, "test_a_secret_is_applied_and_its_content_written_nowhere_else")
        + at(_KUSTOMIZE, "test_what_kustomize_quotes_is_no_secret")
        + at("applier/test_git_auth.py", "test_messages_hold_no_userinfo_and_no_secret"),
        "they are applied, and quoted nowhere",
    ),
)  # fmt: skip

VECTORS = (*_GIT, *_RENDERING, *_OBJECTS, *_HISTORY)


def table() -> Table:
    """All of them: number, attack, what must come of it with its note, tests."""
    made = Table(title="Hostile Git, renders and histories", row_styles=["", "dim"])
    for name in ("id", "attack", "expected", "tested by"):
        made.add_column(name, overflow="fold")
    for vector in VECTORS:
        expected = f"{vector.outcome}: {vector.note}" if vector.note else str(vector.outcome)
        tests = "\n".join(name.removeprefix("tests/") for name in vector.tests)
        made.add_row(vector.id, *map(escape, (vector.what, expected, tests)))
    return made


if __name__ == "__main__":
    Console(width=None if sys.stdout.isatty() else 200).print(table())
