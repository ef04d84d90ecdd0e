"""The lag probe, against numpy's polynomial fit on pairs gathered one by one, and on planted memory."""

from __future__ import annotations

import numpy as np
import pytest

from tsgap.defaults.probe import SPECS, LagProbe
from tsgap.errors import ForecastError
from tsgap.panel import Panel


def fitted(panel: Panel, *, horizon: int = 6, context: int | None = 24) -> LagProbe:
    model = LagProbe()
    model.fit(panel, horizon=horizon, context=context, seed=0)
    return model


def ragged(seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    return Panel.of({f"s{n}": 5 * rng.random() + np.cumsum(rng.normal(size=n)) for n in (3, 30, 1, 12)} | {"none": []})


def test_it_is_least_squares_on_every_pair_of_every_series_lead_by_lead() -> None:
    panel = ragged()
    model = fitted(panel)
    for lead in range(1, 7):
        pairs = [(y[t], y[t + lead]) for y in panel for t in range(len(y) - lead)]
        slope, intercept = np.polyfit(*np.array(pairs).T, 1)
        assert (model.slope[lead - 1], model.intercept[lead - 1]) == pytest.approx((slope, intercept), rel=1e-9)


def test_a_forecast_is_a_line_in_the_last_value_and_of_nothing_else() -> None:
    model = fitted(ragged())
    rows = {"long": [9.0, 8.0, 7.0, 2.0], "short": [2.0], "other": [1.0, 3.0]}
    found = model.predict(Panel.of(rows), horizon=4)
    assert not found.failed
    np.testing.assert_array_equal(found.mean[0], found.mean[1])
    np.testing.assert_allclose(found.mean[2] - found.mean[0], model.slope[:4])


def test_of_an_autoregression_it_learns_the_autocorrelations() -> None:
    rng = np.random.default_rng(0)
    rows = np.zeros((20, 5000))
    for t in range(1, rows.shape[1]):
        rows[:, t] = 0.9 * rows[:, t - 1] + rng.normal(size=20)
    model = fitted(Panel.of({str(i): 3 + row[100:] for i, row in enumerate(rows)}), horizon=20)
    np.testing.assert_allclose(model.slope, 0.9 ** np.arange(1, 21), atol=0.02)
    np.testing.assert_allclose(model.intercept, 3 * (1 - model.slope), atol=0.05)


def test_pairs_do_not_reach_over_the_end_of_a_series() -> None:
    apart = Panel.of({"a": [0.0, 1.0, 0.0, 1.0], "b": [10.0, 11.0, 10.0, 11.0]})
    other_way = apart.take([1, 0])
    assert fitted(apart, horizon=3).slope == pytest.approx(fitted(other_way, horizon=3).slope, rel=1e-12)


def test_the_context_does_not_limit_what_it_learns_from() -> None:
    panel = ragged()
    few, all_there = fitted(panel, context=2), fitted(panel, context=None)
    np.testing.assert_array_equal(few.slope, all_there.slope)
    assert len(fitted(panel, horizon=50, context=25).slope) == 29


def test_leads_that_no_pair_teaches_are_not_forecast() -> None:
    panel = Panel.of({"a": [1.0, 2.0, 4.0]})
    assert fitted(panel).predict(panel, horizon=6).mean.shape == (1, 2)
    with pytest.raises(ForecastError, match="the longest training series has 1 values: none teaches a lead"):
        fitted(Panel.of({"a": [1.0]}))
    with pytest.raises(ForecastError, match="has 0 values"):
        fitted(Panel.of({"a": []}))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -3.0])
def test_constant_training_series_teach_their_level(value: float) -> None:
    model = fitted(Panel.of({"a": np.full(30, value)}))
    found = model.predict(Panel.of({"b": [5.0]}), horizon=6)
    np.testing.assert_allclose(found.mean, np.full((1, 6), value), rtol=1e-12)


def test_an_empty_history_fails_alone() -> None:
    found = fitted(ragged()).predict(Panel.of({"none": [], "some": [1.0]}), horizon=3)
    assert found.failed == {0: "the history is empty"}
    assert np.isfinite(found.mean[1]).all()


def test_it_is_declared_a_probe_of_one_lag_with_no_need_of_a_longer_history() -> None:
    (spec,) = SPECS
    assert (spec.memory, spec.scope, spec.deterministic, spec.transfer) == ("lag", "global", True, "learned")
    assert (spec.least_history((12,), 24), spec.max_history) == (1, None)
