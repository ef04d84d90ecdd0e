"""tsgap: does a forecaster trained on synthetic time series work on real ones, and how many steps ahead?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsgap.augments import Augmentations, Saturation, augment, saturation
    from tsgap.diagnosing import Diagnostics, diagnose
    from tsgap.diagnostics import Contrast, Diagnosed, Figure, Sample
    from tsgap.errors import ForecastError, TsgapError
    from tsgap.hookspecs import hookimpl
    from tsgap.merging import merge
    from tsgap.panel import Dataset, Panel
    from tsgap.plugins import register
    from tsgap.protocols import (
        DatasetSpec,
        DiagnosticSpec,
        Forecast,
        Forecaster,
        ForecasterSpec,
        Generator,
        GeneratorSpec,
        MetricSpec,
    )
    from tsgap.run import Run, load
    from tsgap.selfchecks import SelfCheck, selfcheck
    from tsgap.sweeps import sweep
    from tsgap.synthesis import synth

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
    "diagnose": "tsgap.diagnosing",
    "Diagnostics": "tsgap.examinations",
    "Contrast": "tsgap.diagnostics",
    "Diagnosed": "tsgap.diagnostics",
    "Figure": "tsgap.diagnostics",
    "Sample": "tsgap.diagnostics",
    "augment": "tsgap.augments",
    "Augmentations": "tsgap.augments",
    "saturation": "tsgap.augments",
    "Saturation": "tsgap.augments",
    "selfcheck": "tsgap.selfchecks",
    "SelfCheck": "tsgap.selfchecks",
    "sweep": "tsgap.sweeps",
    "synth": "tsgap.synthesis",
    "load": "tsgap.run",
    "merge": "tsgap.merging",
    "Run": "tsgap.run",
}

__all__ = [
    "Augmentations",
    "Contrast",
    "Dataset",
    "DatasetSpec",
    "Diagnosed",
    "DiagnosticSpec",
    "Diagnostics",
    "Figure",
    "Forecast",
    "ForecastError",
    "Forecaster",
    "ForecasterSpec",
    "Generator",
    "GeneratorSpec",
    "MetricSpec",
    "Panel",
    "Run",
    "Sample",
    "Saturation",
    "SelfCheck",
    "TsgapError",
    "__version__",
    "augment",
    "diagnose",
    "hookimpl",
    "load",
    "merge",
    "register",
    "saturation",
    "selfcheck",
    "sweep",
    "synth",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tsgap' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
