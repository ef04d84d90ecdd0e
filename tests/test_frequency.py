import pandas as pd
import pytest

from tsgap.errors import DataError, UsageError
from tsgap.frequency import canonical, family, horizons, parts, seasons_for

PANDAS_NAMES = [
    "h", "2h", "min", "15min", "s", "D", "3D", "B", "W-SUN", "W-MON", "2W-THU", "MS", "ME", "2MS", "BMS", "BME",
    "QS-JAN", "QS-FEB", "QE-DEC", "QE-NOV", "BQS-JAN", "BQE-DEC", "YS-JAN", "YE-DEC", "YE-JUN", "BYS-JAN", "BYE-DEC",
]  # fmt: skip


@pytest.mark.parametrize("name", PANDAS_NAMES)
def test_names_that_pandas_uses_stay_as_they_are_and_pandas_reads_them(name):
    assert canonical(name) == name
    assert pd.tseries.frequencies.to_offset(name).freqstr == name


@pytest.mark.parametrize(
    ("old", "new"),
    [("H", "h"), ("T", "min"), ("15T", "15min"), ("S", "s"), ("L", "ms"), ("M", "ME"), ("BM", "BME"), ("Q", "QE-DEC"),
     ("Q-NOV", "QE-NOV"), ("A", "YE-DEC"), ("Y", "YE-DEC"), ("A-JUN", "YE-JUN"), ("AS", "YS-JAN"), ("W", "W-SUN"),
     ("QS", "QS-JAN"), ("YS", "YS-JAN"), ("YE", "YE-DEC"), ("d", "D"), ("step", "step"), (" D ", "D")],
)  # fmt: skip
def test_old_and_short_names_mean_the_new_ones(old, new):
    assert canonical(old) == new


@pytest.mark.parametrize(("long", "short"), [("60min", "h"), ("24h", "D"), ("3600s", "h"), ("90min", "90min")])
def test_equal_widths_have_one_name(long, short):
    assert canonical(long) == short


@pytest.mark.parametrize("bad", ["", "monthly", "1.5h", "0D", "-1h", "D-MON", "W-JAN", "QS-MON", "h h", None, "X"])
def test_nonsense_is_refused_by_name(bad):
    with pytest.raises(DataError, match="frequency"):
        canonical(bad)


@pytest.mark.parametrize(
    ("freq", "season"),
    [("h", 24), ("2h", 12), ("12h", 2), ("30min", 48), ("15min", 96), ("5min", 288), ("min", 1440), ("s", 86400),
     ("D", 7), ("B", 5), ("W-MON", 52), ("2W-SUN", 26), ("MS", 12), ("ME", 12), ("2MS", 6), ("12ME", 1),
     ("QS-JAN", 4), ("QE-DEC", 4), ("YS-JAN", 1), ("2YE-DEC", 1)],
)  # fmt: skip
def test_the_season_is_the_day_the_week_or_the_year(freq, season):
    assert seasons_for(freq) == (season,)


@pytest.mark.parametrize("freq", ["step", "2D", "7min", "5MS", "ms", "3B", "48h"])
def test_an_unknown_season_is_asked_for_and_never_assumed(freq):
    with pytest.raises(UsageError, match="--season-length"):
        seasons_for(freq)


def test_the_family_ignores_the_day_of_the_stamp_but_not_the_multiple():
    assert family("MS") == family("ME") == family("BME")
    assert family("QS-JAN") == family("QE-NOV")
    assert family("2MS") != family("MS")
    assert family("D") != family("B")


def test_parts_splits_multiple_unit_and_anchor():
    assert parts("2W-THU") == (2, "W", "THU")
    assert parts("1440min") == (1, "D", "")


def test_horizons_are_steps_or_seasons_rising_and_once():
    assert horizons("12, 1,6,6", 12) == (1, 6, 12)
    assert horizons("0.5m,1m,2m", 24) == (12, 24, 48)
    assert horizons("0.5m,1m", 7) == (4, 7)
    assert horizons("0.01m,1", 12) == (1,)
    assert horizons([6, 1, "1m"], 4) == (1, 4, 6)


@pytest.mark.parametrize("bad", ["", ",", "1,,2", "0", "-1", "a", "1.5", "2s", "0m", "m", "1;2"])
def test_bad_horizons_are_refused_by_name(bad):
    with pytest.raises(UsageError, match="horizon"):
        horizons(bad, 12)
