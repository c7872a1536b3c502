"""What keeps a set with identities from loading, and what a set without them never loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stagepass.digest import Digest
from stagepass.policy.load import PolicyError
from tests.keyless.world import ENTRY, FROM, WORKFLOW, files, policy, root_of
from tests.policy.signed import ATTESTORS
from tests.repository.sources import ROOT
from tests.simulators.sigstore import Windows
from tests.world import DROP, IMAGE, changed, policy_set, signed_claim, stored, write_policy

OLD_AND_NEW = {"old": root_of("old"), "new": root_of("new")}
DIGEST_OF_ROOT = Digest.of(root_of()).hex


def errors(changes: dict[str, Any], texts: dict[str, str] | None = None) -> list[str]:
    """Of the set with one identity under one root, changed by path below its document."""
    held = files([ENTRY])
    document = changed(json.loads(held["more.yaml"]), changes)
    with pytest.raises(PolicyError) as caught:
        policy_set(ATTESTORS, extra={**held, "more.yaml": json.dumps(document), **(texts or {})})
    return list(map(str, caught.value.errors))


IDENTITY = "attestors.release.identities.0"
AT = "more.yaml: attestors.release.identities[0]"
ROOT_AT = "more.yaml: trustRoots[0]"


class TestTrustRoots:
    def test_a_file_that_was_swapped_is_refused_with_its_digest(self) -> None:
        """Whoever may write a file of the set must not thereby choose whom it trusts."""
        other = root_of("old")

        assert errors({}, {"trust/public-good.json": other.decode()}) == [
            (
                f"{ROOT_AT}.sha256: trust/public-good.json is not the file that was trusted: its sha256"
                f" is another (if the change is meant, write sha256: {Digest.of(other).hex})"
            )
        ]

    def test_a_digest_must_be_written(self) -> None:
        assert f"{ROOT_AT}: the key 'sha256' is missing" in errors({"trustRoots.0.sha256": DROP})

    def test_a_digest_is_64_digits(self) -> None:
        (error,) = errors({"trustRoots.0.sha256": DIGEST_OF_ROOT.upper()})

        assert error.startswith(
            f"{ROOT_AT}.sha256: {DIGEST_OF_ROOT.upper()!r} is not 64 lower-case"
        )
        assert error.endswith("(the first word of `sha256sum FILE`)")

    def test_a_file_that_is_not_there(self) -> None:
        (error,) = errors({"trustRoots.0.file": "trust/none.json"})

        assert error.startswith(
            f"{ROOT_AT}.file: there is no file 'trust/none.json' beside more.yaml"
        )

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (b"", "not JSON"),
            (b"{}", "mediaType None is no trusted root"),
            (root_of()[:-2], "not JSON"),
        ],
    )
    def test_a_file_that_is_no_trusted_root(self, text: bytes, reason: str) -> None:
        changes = {"trustRoots.0.sha256": Digest.of(text).hex}
        (error,) = errors(changes, {"trust/public-good.json": text.decode()})

        assert error.startswith(f"{ROOT_AT}.file: trust/public-good.json: ")
        assert reason in error

    @pytest.mark.parametrize(
        ("part", "words"),
        [("ca", "certificate authority"), ("ct", "certificate transparency log")],
    )
    def test_a_root_without_a_part_that_certificates_need(self, part: str, words: str) -> None:
        text = root_of(windows=Windows(without=frozenset({part})))
        changes = {"trustRoots.0.sha256": Digest.of(text).hex}

        assert errors(changes, {"trust/public-good.json": text.decode()}) == [
            (
                f"{ROOT_AT}: names no {words}, without which no certificate verifies"
                " (take the whole trusted_root.json of the instance)"
            )
        ]

    def test_two_of_one_name(self) -> None:
        twice = [json.loads(files([ENTRY])["more.yaml"])["trustRoots"][0]] * 2

        assert errors({"trustRoots": twice}) == [
            "more.yaml: trustRoots[1].name: two trust roots are called 'public-good'"
        ]

    def test_one_file_under_two_names(self) -> None:
        first = json.loads(files([ENTRY])["more.yaml"])["trustRoots"][0]

        assert errors({"trustRoots": [first, {**first, "name": "twin"}]}) == [
            "more.yaml: trustRoots[1].file: the same file is trust root 'public-good' already"
        ]

    def test_they_may_stand_in_a_document_of_their_own(self) -> None:
        held = files([ENTRY])
        document = json.loads(held["more.yaml"])
        roots = changed(document, {"attestors": DROP})
        alone = changed(document, {"trustRoots": DROP})
        texts = {**held, "more.yaml": json.dumps(alone), "roots.yaml": json.dumps(roots)}
        split = policy_set({**ATTESTORS, FROM: ["release"]}, extra=texts)

        assert split.trust_roots == {"public-good": DIGEST_OF_ROOT}
        assert split.attestors == policy().attestors

    def test_a_document_has_them_or_attestors(self) -> None:
        assert errors({"trustRoots": DROP, "attestors": DROP}) == [
            "more.yaml: wants at least one of trustRoots, attestors"
        ]

    @pytest.mark.parametrize("nobody", [{}, None, []])
    def test_attestors_that_are_written_are_never_none(self, nobody: object) -> None:
        (error,) = errors({"attestors": nobody})

        assert error.startswith("more.yaml: attestors: ")

    def test_a_set_that_loads_says_what_it_trusts(self) -> None:
        assert policy().trust_roots == {"public-good": DIGEST_OF_ROOT}


class TestIdentities:
    def test_without_a_trust_root_it_is_said_what_to_write(self) -> None:
        assert errors({"trustRoots": DROP}) == [
            (
                f"{AT}: an identity needs a trust root to verify under"
                " (write trustRoots: [{name: NAME, file: FILE, sha256: DIGEST}] beside attestors)"
            )
        ]

    def test_a_trust_root_that_nobody_defines(self) -> None:
        assert errors({f"{IDENTITY}.trustRoots": ["public-god"]}) == [
            f"{AT}.trustRoots[0]: no trust root is called 'public-god' (did you mean 'public-good'?)"
        ]

    def test_an_attestor_has_keys_or_identities(self) -> None:
        assert "more.yaml: attestors.release: wants at least one of keys, identities" in errors(
            {"attestors.release": {}}
        )

    @pytest.mark.parametrize(
        ("path", "value", "expected"),
        [
            ("issuer", "*", ".issuer: '*' is no issuer (the exact URL, without *, like https://"),
            ("issuer", DROP, ": the key 'issuer' is missing"),
            ("subject", DROP, ": the key 'subject' is missing"),
            ("subject", "", ".subject: '' is not text"),
            ("subject", "a***b", ".subject: 'a***b' has three stars in a row (write * or **)"),
            ("subject", "a" * 1025, ".subject: a pattern of 1025 characters (at most 1024)"),
            ("owner", DROP, ": the key 'owner' is missing"),
            ("claims", {}, ".claims: wants at least one of builder, "),
            ("claims", {"repo": "x"}, ".claims.repo: unknown key (known: builder, commit"),
            ("subjects", ["x"], ".subjects: unknown key (did you mean 'subject'?)"),
            ("trustRoots", [], ".trustRoots: the list is empty"),
            ("validUntil", "soon", ".validUntil: 'soon' is not an RFC 3339 time in UTC"),
        ],
    )
    def test_what_is_misspelt_is_reported_where_it_stands(
        self, path: str, value: Any, expected: str
    ) -> None:
        found = errors({f"{IDENTITY}.{path}": value})

        assert any(error.startswith(f"{AT}{expected}") for error in found), found

    def test_the_same_identity_twice(self) -> None:
        assert errors({"attestors.release.identities": [ENTRY, ENTRY]}) == [
            (
                "more.yaml: attestors.release.identities[1]: the identity stands twice in 'release'"
                " (write one entry)"
            )
        ]


class TestOwners:
    """Whose a certificate is must never be a guess."""

    def conflict(self, *identities: dict[str, Any], **more: Any) -> bool:
        try:
            policy(*identities, **more)
        except PolicyError as error:
            (found,) = error.errors
            assert found.message == (
                "a certificate could be of 'two' here and of 'one'"
                " (more.yaml: attestors.release.identities[0])"
            )
            assert found.where == "more.yaml: attestors.release.identities[1]"
            return True
        return False

    @pytest.mark.parametrize(
        ("first", "second", "conflicts"),
        [
            ({"subject": "**"}, {}, True),
            ({"subject": "**@**"}, {"subject": "**"}, True),
            ({"subject": "a*"}, {"subject": "*b"}, True),
            ({"subject": "a*"}, {"subject": "b*"}, False),
            ({"subject": f"{WORKFLOW}@**"}, {}, True),
            ({"subject": f"{WORKFLOW}@refs/tags/*"}, {}, False),
            ({"issuer": "https://other.example"}, {}, False),
            ({"claims": {"ref": "refs/heads/*"}}, {"claims": {"ref": "refs/tags/*"}}, False),
            ({"claims": {"ref": "refs/heads/*"}}, {"claims": {"ref": "**"}}, True),
            ({"claims": {"ref": "a"}}, {"claims": {"runner": "b"}}, True),
            ({"claims": {"ref": "a"}}, {}, True),
        ],
    )
    def test_identities_of_two_owners_must_exclude_each_other(
        self, first: dict[str, Any], second: dict[str, Any], conflicts: bool
    ) -> None:
        one, two = {**first, "owner": "one"}, {**second, "owner": "two"}

        assert self.conflict(one, two) is conflicts

    def test_those_of_one_owner_may_overlap(self) -> None:
        assert len(policy({"subject": "**"}, {}).attestors["release"].keys) == 2

    def test_roots_of_different_authorities_keep_them_apart(self) -> None:
        bound = [
            {"owner": owner, "trustRoots": [name]}
            for owner, name in (("one", "old"), ("two", "new"))
        ]

        assert not self.conflict(*bound, roots=OLD_AND_NEW)
        assert self.conflict({"owner": "one"}, bound[1], roots=OLD_AND_NEW)

    def test_two_roots_that_name_one_authority_do_not(self) -> None:
        """Its certificates verify under both."""
        grown = {
            "last": root_of("old"),
            "this": root_of("old", Windows(without=frozenset({"tsa"}))),
        }
        bound = [
            {"owner": owner, "trustRoots": [name]}
            for owner, name in (("one", "last"), ("two", "this"))
        ]

        assert self.conflict(*bound, roots=grown)


def modules_of(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running `code`."""
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


LIBRARIES = {"sigstore", "sigstore_models", "rfc3161_client", "pydantic", "tuf", "requests"}


class TestLaziness:
    """Sigstore costs 430 CPU-ms and 30 MB: nobody pays for it who does not use it."""

    VERIFY = (
        "from stagepass.cli.main import run\n"
        "assert run(['verify', {image!r}, '--policy', {policy!r}, '--stage', 'test',"
        " '--evidence', {evidence!r}]) == 0\n"
    )
    WEBHOOK = (
        "from webhook.app import create_app\n"
        "client = create_app({{'STAGEPASS_CLUSTER': 'test', 'STAGEPASS_POLICY': {policy!r},"
        " 'STAGEPASS_EVIDENCE': {evidence!r}}}).test_client()\n"
        "assert client.get('/readyz').status_code == 200\n"
    )

    def loaded(self, code: str, root: Path, extra: dict[str, str] | None = None) -> set[str]:
        write_policy(root / "policy", ATTESTORS, extra=extra)
        evidence = stored(root / "evidence", [signed_claim("https://slsa.dev/provenance/v1", "ci")])
        parts = {"policy": str(root / "policy"), "evidence": f"dir:{evidence}", "image": str(IMAGE)}
        return modules_of(code.format(**parts))

    @pytest.mark.parametrize("code", [VERIFY, WEBHOOK], ids=["stagepass verify", "webhook"])
    def test_a_set_of_keys_never_loads_it(self, code: str, tmp_path: Path) -> None:
        people = {name: text for name, text in files([ENTRY]).items() if name.startswith("keys/")}

        assert self.loaded(code, tmp_path, people) & (LIBRARIES | {"stagepass.keyless"}) == set()

    @pytest.mark.parametrize("code", [VERIFY, WEBHOOK], ids=["stagepass verify", "webhook"])
    def test_a_set_with_an_identity_does(self, code: str, tmp_path: Path) -> None:
        """Else the test above would prove nothing."""
        assert self.loaded(code, tmp_path, files([ENTRY])) >= {"sigstore", "rfc3161_client"}

    def test_where_it_is_not_installed_it_is_said_how_to_install_it(self, tmp_path: Path) -> None:
        write_policy(tmp_path, ATTESTORS, extra=files([ENTRY]))
        code = (
            "import sys\n"
            "sys.modules['sigstore'] = None  # what an import of a missing package meets\n"
            "from stagepass.cli.main import run\n"
            f"raise SystemExit(run(['policy', 'lint', {str(tmp_path)!r}]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
        )

        assert done.returncode == 64
        assert "trust roots and identities need the package 'sigstore" in done.stderr
        assert "pip install 'stagepass[keyless]'" in done.stderr
