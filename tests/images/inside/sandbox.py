"""Inside a container of the applier: what its renderer finds there."""

from __future__ import annotations

import shutil
from pathlib import Path

from applier.failure import Failure
from applier.render import Sandbox

try:
    Sandbox.probe(kubectl=Path(shutil.which("kubectl") or "kubectl"))
    print("isolated")
except Failure as failure:
    print(failure.reason.name, failure.message)
