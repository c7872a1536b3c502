"""Attested images in manifests that nobody attested: every way that is known, tried at the gate."""
