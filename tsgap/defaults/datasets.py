"""Real data sets that come with statsmodels: always there, without a network."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from tsgap.cards import card_text
from tsgap.hookspecs import hookimpl
from tsgap.protocols import DatasetSpec

if TYPE_CHECKING:
    import pandas as pd


def co2() -> pd.DataFrame:
    """Weekly CO2 at Mauna Loa, 1958 to 2001, ppm."""
    data = _statsmodels("co2")
    return _long({"co2": data["co2"].to_numpy()}, data.index)


def elnino() -> pd.DataFrame:
    """Monthly sea surface temperature in the region Nino 1+2, 1950 to 2010, degrees Celsius."""
    import pandas as pd

    data = _statsmodels("elnino").set_index("YEAR")
    stamps = pd.date_range(f"{int(data.index[0])}-01-01", periods=data.size, freq="MS")
    return _long({"sst": data.to_numpy().ravel()}, stamps)


def elec_equip() -> pd.DataFrame:
    """Monthly turnover index of electrical equipment in the euro area, 1995 to 2016."""
    data = _statsmodels("elec_equip")
    return _long({"turnover": data.iloc[:, 0].to_numpy()}, data.index)


def macrodata() -> pd.DataFrame:
    """Twelve quarterly series of the economy of the United States, 1959 to 2009."""
    import pandas as pd

    data = _statsmodels("macrodata")
    stamps = pd.to_datetime({"year": data["year"], "month": 3 * data["quarter"] - 2, "day": 1})
    series = data.drop(columns=["year", "quarter"])
    return _long({str(name): series[name].to_numpy() for name in series}, stamps)


def fertility() -> pd.DataFrame:
    """Yearly births per woman by country and region, 1960 to 2013."""
    import pandas as pd

    data = _statsmodels("fertility").set_index("Country Code")
    years = [c for c in data.columns if str(c).isdigit()]
    stamps = pd.to_datetime([f"{y}-01-01" for y in years])
    return _long({str(code): data.loc[code, years].to_numpy(dtype="float64") for code in data.index}, stamps)


def sunspots() -> pd.DataFrame:
    """Yearly number of sunspots, 1700 to 2008."""
    data = _statsmodels("sunspots")
    return _long({"sunspots": data["SUNACTIVITY"].to_numpy()}, _years(data["YEAR"]))


def nile() -> pd.DataFrame:
    """Yearly flow of the Nile at Aswan, 1871 to 1970, 10^8 cubic metres."""
    data = _statsmodels("nile")
    return _long({"volume": data["volume"].to_numpy()}, _years(data["year"]))


def _statsmodels(name: str) -> pd.DataFrame:
    data: pd.DataFrame = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data
    return data


def _years(years: pd.Series[Any]) -> pd.DatetimeIndex:
    import pandas as pd

    return pd.to_datetime([f"{int(y)}-01-01" for y in years])


def _long(series: dict[str, Any], stamps: Any) -> pd.DataFrame:
    import pandas as pd

    frames = [pd.DataFrame({"unique_id": name, "ds": stamps, "y": values}) for name, values in series.items()]
    return pd.concat(frames, ignore_index=True)


_LOADERS: tuple[Callable[[], pd.DataFrame], ...] = (co2, elnino, elec_equip, macrodata, fertility, sunspots, nile)


@hookimpl
def tsgap_datasets() -> Iterable[DatasetSpec]:
    """The data sets of statsmodels that have a card."""
    for load in _LOADERS:
        name = load.__name__
        yield DatasetSpec(name, str(load.__doc__).rstrip("."), load, partial(card_text, name))
