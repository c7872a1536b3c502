"""Annotations of a layer under `sha256-HEX.att`: signed by nobody, so they decide nothing."""

from __future__ import annotations

import pytest

from stagepass.evidence import Attestation, Candidate
from stagepass.registry.source import RegistrySource
from tests.registry import reference
from tests.registry.shop import search
from tests.registry.test_legacy import ENVELOPES, KEYS, SUBJECT, store
from tests.simulators.registry import Registry

LOG = "dev.sigstore.cosign/bundle"
ANNOTATIONS: dict[str, dict[str, str]] = {
    "none": {},
    "another signature": {"dev.cosignproject.cosign/signature": "AAAA"},
    "a log entry that is none": {"dev.cosignproject.cosign/signature": "", LOG: "junk"},
    "a log entry of another envelope": {
        LOG: '{"SignedEntryTimestamp":"AA==","Payload":{"body":"e30=","integratedTime":1}}',
    },
    "another type": {"predicateType": "https://example.com/other"},
}


@pytest.mark.parametrize("annotations", ANNOTATIONS.values(), ids=ANNOTATIONS)
def test_no_annotation_keeps_an_envelope_from_counting(
    annotations: dict[str, str], registry: Registry, source: RegistrySource
) -> None:
    store(registry, SUBJECT, ENVELOPES[0], annotations=annotations)
    ((bundle,),), error = search(source, reference(registry.host, SUBJECT))

    assert error is None
    assert isinstance(KEYS.verify(Candidate(bundle, "here"), SUBJECT), Attestation)
