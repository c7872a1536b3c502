"""Every vector of the catalogue, B01 to B68, in its order."""

from __future__ import annotations

from tests.vectors import around, evidence, images, requests

ROWS = (*images.ROWS, *requests.ROWS, *around.ROWS, *evidence.ROWS)
