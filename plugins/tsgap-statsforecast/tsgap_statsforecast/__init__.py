"""The plugin: which of statsforecast's models can be asked for, and one data set that comes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tsgap.hookspecs import hookimpl
from tsgap.protocols import DatasetSpec, Forecaster, ForecasterSpec
from tsgap_statsforecast import models
from tsgap_statsforecast.refused import REFUSED, refuse

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REFUSED", "air_passengers", "tsgap_datasets", "tsgap_forecasters"]

_REQUIRES = ("statsforecast: pip install 'statsforecast>=2.1.1,<3'",)


@hookimpl
def tsgap_forecasters() -> Iterator[ForecasterSpec]:
    """Eight local forecasters, and those that are refused."""
    offered: list[tuple[str, str, Callable[..., Forecaster], dict[str, Any]]] = [
        ("auto-ets", "exponential smoothing, components chosen by AICc", models.AutoETS, {"model": "ZZZ"}),
        ("holt-winters", "level, trend and season by exponential smoothing", models.HoltWinters, {"error": "A"}),
        ("auto-theta", "the best of four Theta models", models.AutoTheta, {}),
        ("dynamic-optimized-theta", "the dynamic optimised Theta model", models.DynamicOptimizedTheta, {}),
        ("auto-ces", "complex exponential smoothing, season chosen by AICc", models.AutoCES, {}),
        ("mstl", "all seasons by LOESS, the rest by exponential smoothing", models.MSTL, {}),
        (
            "arima",
            "ARIMA (p,d,q)(P,D,Q) of given orders",
            models.ARIMA,
            {"p": 1, "d": 1, "q": 1, "P": 0, "D": 1, "Q": 1},
        ),
        (
            "auto-arima",
            "ARIMA of orders found by a short search",
            models.AutoARIMA,
            {"max_p": 2, "max_q": 2, "max_P": 1, "max_Q": 1, "nmodels": 10},
        ),
    ]
    for name, summary, build, params in offered:
        yield ForecasterSpec(
            name=name,
            summary=summary,
            build=build,
            params=params,
            transfer="learned",
            scope="local",
            deterministic=True,
            min_history=models.two_of_every_season if build is models.MSTL else models.two_seasons,
            requires=_REQUIRES,
            memory="linear",
        )
    for name, reason in REFUSED.items():
        yield ForecasterSpec(name=name, summary="refused", build=refuse, refused=reason)


def air_passengers() -> pd.DataFrame:
    """Monthly totals of international airline passengers, 1949 to 1960, in thousands: `unique_id, ds, y`."""
    from statsforecast.utils import AirPassengersDF

    return AirPassengersDF.assign(unique_id="AirPassengers")


def _air_passengers_card() -> str:
    from tsgap.cards import card_text

    return card_text("air_passengers")


@hookimpl
def tsgap_datasets() -> Iterator[DatasetSpec]:
    """The airline passengers that statsforecast ships."""
    yield DatasetSpec(
        name="air_passengers",
        summary="international airline passengers, monthly, 1949 to 1960",
        load=air_passengers,
        card=_air_passengers_card,
    )
