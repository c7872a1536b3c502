"""How the ConfigMap with the evidence of an application is called: whoever grants rights has to know it."""

from __future__ import annotations

import re

from applier.application import Application
from applier.objects import label_value
from stagepass.digest import Digest

PREFIX = "stagepass-evidence-"

_NAME = re.compile(
    r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.ASCII
)


def mirror_name(application: Application) -> str:
    """`PIPELINE.STAGE` where that can be part of a ConfigMap's name, else a hash that is no such pair."""
    label = label_value(application.pipeline.name, application.stage.name)
    if _NAME.fullmatch(label):
        return label
    return f"x-{Digest.of(label.encode()).hex[:32]}"
