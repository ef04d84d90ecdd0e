"""What tsgap itself offers, forecasters and all other kinds: through the same door as strangers'."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tsgap.defaults.datasets import tsgap_datasets
from tsgap.hookspecs import hookimpl
from tsgap.protocols import DiagnosticSpec, ForecasterSpec, GeneratorSpec, MetricSpec

__all__ = ["tsgap_datasets", "tsgap_diagnostics", "tsgap_forecasters", "tsgap_generators", "tsgap_metrics"]


@hookimpl
def tsgap_forecasters() -> Iterable[ForecasterSpec]:
    """The host's own forecasters."""
    from tsgap.defaults import boosting, linear, naive, probe

    return (*naive.SPECS, *linear.SPECS, *boosting.SPECS, *probe.SPECS)


@hookimpl
def tsgap_generators() -> Iterable[GeneratorSpec]:
    """The host's own generators."""
    from tsgap.defaults import gaussian_processes, generators, mixing, seasonal, simulations, surrogates

    own = (generators, surrogates, mixing, seasonal, simulations, gaussian_processes)
    return tuple(spec for module in own for spec in module.SPECS)


@hookimpl
def tsgap_metrics() -> Iterable[MetricSpec]:
    """The host's own metrics."""
    from tsgap.metrics import METRICS

    return METRICS


@hookimpl
def tsgap_diagnostics() -> Iterable[DiagnosticSpec]:
    """The host's own diagnostics."""
    from tsgap.diagnostics import alignment, copies, covering, drift, membership, memory, noise, plausibility, shift

    own: tuple[Any, ...] = (shift, drift, alignment, covering, plausibility, memory, noise, copies, membership)
    return tuple(spec for module in own for spec in module.SPECS)
