"""Synthetic series as good as real ones, at another level and another place in the season, have no gap."""

from __future__ import annotations

import numpy as np
import pytest
from statsforecast_series import gap, panel, seasonal_series
from tsgap_statsforecast import tsgap_forecasters

from tsgap.local import LocalForecaster

SPECS = {spec.name: spec for spec in tsgap_forecasters() if not spec.refused}
#: A choice of model that hangs on single values makes one twin's forecasts differ by more than the bound; the
#: orders of a search differ most, so that only pools can be held against it.
STEADY = sorted(set(SPECS) - {"auto-ets", "auto-arima"})
#: Every forecaster; the one that searches is slow.
EVERY = [pytest.param(name, marks=[pytest.mark.slow] if name == "auto-arima" else []) for name in SPECS]


def elsewhere(paired: bool, n: int = 8, length: int = 125):
    """Real series; a control on their training part; the same values 50 times as high, from 5 steps later on."""
    series = [seasonal_series(length + 36, seed=2000 + i, phase=i) for i in range(n)]
    prefix = "s" if paired else "u"
    control = panel([y[: length - 5] for y in series], prefix)
    return control, panel([50 * y[5:length] for y in series], prefix), series


@pytest.mark.parametrize("name", EVERY)
def test_a_pool_at_another_level_and_phase_has_no_gap(name):
    control, synthetic, series = elsewhere(paired=False)
    assert abs(gap(SPECS[name].build, control, synthetic, series)) < 0.03


@pytest.mark.parametrize("name", STEADY)
def test_twins_at_another_level_and_phase_have_no_gap(name):
    control, synthetic, series = elsewhere(paired=True)
    assert abs(gap(SPECS[name].build, control, synthetic, series)) < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_a_pool_of_other_draws_of_the_same_process_has_no_gap(name):
    series = [seasonal_series(288, seed=2000 + i) for i in range(20)]
    control = panel([y[:240] for y in series], "u")
    synthetic = panel([seasonal_series(240, seed=2500 + i, phase=5, level=50.0) for i in range(20)], "u")
    assert abs(gap(SPECS[name].build, control, synthetic, series, windows=4)) < 0.03


@pytest.mark.slow
def test_twins_of_a_chosen_model_have_no_gap_on_many_series():
    control, synthetic, series = elsewhere(paired=True, n=40, length=245)
    assert abs(gap(SPECS["auto-ets"].build, control, synthetic, series)) < 0.03


class _Forward(LocalForecaster):
    """Holt-Winters as `forward` of statsforecast runs it, from the training series' initial states."""

    def fit_series(self, y, *, seasons, horizon, seed):
        from statsforecast.models import HoltWinters

        return HoltWinters(season_length=seasons[0]).fit(y)

    def forecast_series(self, model, y, *, horizon):
        return model.forward(y=y, h=horizon)["mean"]


def test_states_of_the_training_series_would_show_a_gap_where_there_is_none():
    control, synthetic, series = elsewhere(paired=True)
    assert gap(_Forward, control, synthetic, series) > 0.1


@pytest.mark.parametrize("name", EVERY)
def test_worse_training_series_do_show_a_gap(name):
    series = [seasonal_series(161, seed=2000 + i, phase=i) for i in range(8)]
    rng = np.random.default_rng(0)
    control = panel([y[:125] for y in series])
    shuffled = panel([rng.permutation(y[:125]) for y in series])
    assert gap(SPECS[name].build, control, shuffled, series) > 0.03
