"""The hooks of the entry-point group `tsgap`: plural nouns that yield frozen specs."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from tsgap.protocols import DatasetSpec, DiagnosticSpec, ForecasterSpec, GeneratorSpec, MetricSpec

#: Name of the pluggy project and of the entry-point group.
PROJECT = "tsgap"

hookspec = pluggy.HookspecMarker(PROJECT)
#: Decorator for a plugin's hook implementations.
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tsgap_forecasters() -> Iterable[ForecasterSpec]:
    """Forecasters that a sweep can train and score."""
    return ()


@hookspec
def tsgap_generators() -> Iterable[GeneratorSpec]:
    """Generators fitted on the real training part: sources of synthetic series."""
    return ()


@hookspec
def tsgap_metrics() -> Iterable[MetricSpec]:
    """Elementwise losses with an aggregate."""
    return ()


@hookspec
def tsgap_diagnostics() -> Iterable[DiagnosticSpec]:
    """Comparisons of synthetic with real data that need no forecaster."""
    return ()


@hookspec
def tsgap_datasets() -> Iterable[DatasetSpec]:
    """Real data sets with a data card."""
    return ()
