"""Whether what a spec holds can be called as the host will call it, found out by its signature, before it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tsgap.protocols import DatasetSpec, DiagnosticSpec, MetricSpec


def misfit(spec: Any) -> str:
    """Why the host's call of a spec would fail, or nothing.

    What has no signature that Python can tell, as some built-in functions, is let through; and a refused forecaster,
    which is never built.
    """
    name = spec.name
    if getattr(spec, "refused", ""):
        return ""
    if isinstance(spec, MetricSpec):
        called = "(truth, forecast, scale)" if spec.needs == "mean" else "(truth, quantiles, scale, levels)"
        return _refusal(spec.loss, f"metric {name!r}: its loss", called, called.count(",") + 1)
    if isinstance(spec, DiagnosticSpec):
        return _refusal(spec.measure, f"diagnostic {name!r}: its measure", "(contrast, *, seed)", 1, seed=0)
    if isinstance(spec, DatasetSpec):
        load = _refusal(spec.load, f"data set {name!r}: its load", "()", 0)
        return load or _refusal(spec.card, f"data set {name!r}: its card", "()", 0)
    typed = ", ".join(f"{key}=…" for key in spec.params)
    return _refusal(spec.build, f"{name!r}: its build", f"({typed}) as its params say", 0, **spec.params)


def _refusal(what: Callable[..., Any], who: str, called: str, positional: int, **named: Any) -> str:
    try:
        signature = inspect.signature(what)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(*[None] * positional, **named)
    except TypeError as err:
        title = getattr(what, "__qualname__", type(what).__qualname__)
        return f"{who} cannot be called with {called}: {err}; {title} has the signature {signature}"
    return ""
