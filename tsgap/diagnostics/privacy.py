"""Privacy of the real series behind synthetic ones: a search for copies, and an attack that asks who was seen."""

from __future__ import annotations

from tsgap.diagnostics import copies, membership
from tsgap.protocols import DiagnosticSpec

SPECS = (
    DiagnosticSpec("copies", "distances to real windows, and exact and near copies of them: a screen", copies.measure),
    DiagnosticSpec("membership", "whether the series that the generator saw can be told", membership.measure),
)
