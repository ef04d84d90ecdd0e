"""Synthetic against real data, without any forecaster: diagnostics explain a gap, none of them decides a verdict."""

from __future__ import annotations

from tsgap.diagnostics.contrast import Contrast, Known, Side
from tsgap.diagnostics.dealing import contrasted
from tsgap.diagnostics.figures import Diagnosed, Figure, Flag, Sample

__all__ = ["Contrast", "Diagnosed", "Figure", "Flag", "Known", "Sample", "Side", "contrasted"]
