"""tsgap: does a forecaster trained on synthetic time series work on real ones, and how many steps ahead?"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

#: public name → module that holds it; imported at first use, so that `import tsgap` stays light.
_HOMES = {
    "Dataset": "tsgap.panel",
    "Panel": "tsgap.panel",
    "Forecast": "tsgap.protocols",
    "Forecaster": "tsgap.protocols",
    "ForecasterSpec": "tsgap.protocols",
    "Generator": "tsgap.protocols",
    "GeneratorSpec": "tsgap.protocols",
    "MetricSpec": "tsgap.protocols",
    "DiagnosticSpec": "tsgap.protocols",
    "DatasetSpec": "tsgap.protocols",
    "ForecastError": "tsgap.errors",
    "TsgapError": "tsgap.errors",
    "hookimpl": "tsgap.hookspecs",
    "register": "tsgap.plugins",
    "sweep": "tsgap.sweeps",
    "load": "tsgap.run",
    "Run": "tsgap.run",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tsgap' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
