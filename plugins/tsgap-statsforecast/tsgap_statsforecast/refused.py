"""Models of statsforecast that cannot take part, each with its reason and what to use instead."""

from __future__ import annotations

from tsgap.errors import ForecastError
from tsgap.protocols import Forecaster

_INSTEAD = (
    "For intermittent data use auto-ets, linear or gradient-boosting, which do learn from the training series, "
    "with seasonal-naive or naive beside them."
)
_REFITS = (
    "statsforecast estimates its parameters on the very history that it forecasts: training would not matter, "
    "and a gap of 0 would say nothing about the training data. "
)
_FIXED = (
    "its smoothing weights are given and not learned, so that no training series could change its forecasts: "
    "a gap of 0 would say nothing about the training data. "
)
_SMOOTH = "Use auto-ets, which learns the same weights on the training series (model=ANN for no trend and no season)."

#: Name → why it is refused.
REFUSED: dict[str, str] = {
    "adida": _REFITS + _INSTEAD,
    "auto-mfles": _REFITS + "Use mstl or auto-ets.",
    "auto-tbats": _REFITS + "Use mstl, which takes several seasons, or auto-ces.",
    "croston-classic": _FIXED + _INSTEAD,
    "croston-optimized": _REFITS + _INSTEAD,
    "croston-sba": _FIXED + _INSTEAD,
    "garch": _REFITS + "It models the variance of a series around 0, not its mean.",
    "imapa": _REFITS + _INSTEAD,
    "mfles": _REFITS + "Use mstl or auto-ets.",
    "seasonal-exponential-smoothing": _FIXED + _SMOOTH,
    "seasonal-exponential-smoothing-optimized": _REFITS + _SMOOTH,
    "ses-optimized": _REFITS + _SMOOTH,
    "simple-exponential-smoothing": _FIXED + _SMOOTH,
    "tbats": _REFITS + "Use mstl, which takes several seasons, or auto-ces.",
    "tsb": _FIXED + _INSTEAD,
}


def refuse(**params: object) -> Forecaster:
    """Stands where a model would be built; always raises `ForecastError`."""
    raise ForecastError("this model cannot carry over what it learned in training; tsgap forecasters says why")
