"""Events by their text: thresholds from training values alone, labels of the truth, scores that rise with the event."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tsgap.errors import UsageError
from tsgap.events import Event
from tsgap.panel import Panel

NAN = np.nan


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("y > q0.95", Event(">", 0.95, quantile=True)),
        ("  y<q.05 per series ", Event("<", 0.05, quantile=True, per_series=True)),
        ("y >= 120", Event(">=", 120.0)),
        ("y <= -1.5e2 within horizon", Event("<=", -150.0, within=True)),
        ("y > q0.9 per series within horizon", Event(">", 0.9, True, True, True)),
    ],
)
def test_a_text_names_an_event(text, event):
    assert Event.parse(text) == event
    assert Event.parse(str(event)) == event


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("y > q95", r"lies between 0 and 1, 'y > q95' asks for 95; write q0.95"),
        ("y > q1", "lies between 0 and 1"),
        ("y > q0", "lies between 0 and 1"),
        ("y == 3", "'y == 3' names no event; write y > q0.95"),
        ("sales > 3", "names no event"),
        ("y > 3 and y < 5", "names no event"),
        ("y > nan", "names no event"),
        ("", "names no event"),
        ("y > 3 per series", "drop 'per series'; .* y > q0.95 per series"),
        ("y > 1e999", "not finite"),
    ],
)
def test_a_text_that_names_none_is_told_what_to_write(text, told):
    with pytest.raises(UsageError, match=told):
        Event.parse(text)


def rows(seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    return Panel.of({f"s{i}": rng.gamma(2.0, 1.0, 50 + 10 * i) for i in range(4)})


def test_a_quantile_per_series_is_that_of_its_own_training_values():
    train = rows()
    found = Event.parse("y > q0.9 per series").thresholds(train, np.ones(4))
    np.testing.assert_allclose(found, [np.quantile(row, 0.9) for row in train])


def test_a_pooled_quantile_moves_and_stretches_with_each_series():
    event, train, scale = Event.parse("y > q0.9"), rows(), np.array([1.0, 2.0, 0.5, 1.0])
    level, size = np.array([0.0, 100.0, -7.0, 3.0]), np.array([1.0, 10.0, 1e-3, 5.0])
    moved = train.with_values(train.values * np.repeat(size, train.lengths) + np.repeat(level, train.lengths))
    found = event.thresholds(train, scale)
    np.testing.assert_allclose(event.thresholds(moved, scale * size), found * size + level)
    beyond = np.concatenate([row > at for row, at in zip(train, found, strict=True)])
    assert beyond.mean() == pytest.approx(0.1, abs=0.01)


def test_a_number_is_the_threshold_of_every_series():
    assert Event.parse("y >= 120").thresholds(rows(), np.ones(4)).tolist() == [120.0] * 4


@pytest.mark.parametrize("text", ["y > q0.9", "y > q0.9 per series", "y > 3"])
def test_a_series_without_a_scale_has_no_threshold_and_changes_no_other(text):
    event, train = Event.parse(text), rows()
    found = event.thresholds(train, np.array([1.0, NAN, 1.0, 1.0]))
    assert np.isnan(found).tolist() == [False, True, False, False]
    np.testing.assert_array_equal(found[[0, 2, 3]], event.thresholds(train.take([0, 2, 3]), np.ones(3)))
    assert np.isnan(event.thresholds(train, np.full(4, NAN))).all()


def test_scales_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="4 rows have as many scales"):
        Event.parse("y > 3").thresholds(rows(), np.ones(3))


@pytest.mark.parametrize(("sign", "labels"), [(">", [0, 0, 1]), (">=", [0, 1, 1]), ("<", [1, 0, 0]), ("<=", [1, 1, 0])])
def test_the_threshold_itself_is_an_event_where_the_sign_says_so(sign, labels):
    event = Event.parse(f"y {sign} 2")
    found = event.labels(np.array([[1.0, 2.0, 3.0]]), np.array([2.0]))
    assert found.tolist() == [labels]
    called = event.scores(np.array([[1.0, 2.0, 3.0]]), np.array([2.0]), np.array([10.0])) >= event.call()
    assert called.tolist() == [[bool(of) for of in labels]]


def test_what_the_truth_does_not_tell_has_no_label():
    truth, at = np.array([[3.0, NAN], [1.0, 1.0]]), np.array([2.0, NAN])
    np.testing.assert_array_equal(Event.parse("y > 2").labels(truth, at), [[1, NAN], [NAN, NAN]])


def test_within_the_horizon_one_lead_makes_the_event_and_all_are_needed_to_deny_it():
    truth = np.array([[1.0, 3.0], [NAN, 3.0], [1.0, NAN], [1.0, 1.0], [NAN, NAN]])
    found = Event.parse("y > 2 within horizon").labels(truth, np.full(5, 2.0))
    np.testing.assert_array_equal(found, [[1], [1], [NAN], [0], [NAN]])


def test_a_score_is_the_distance_beyond_the_threshold_in_units_of_the_scale():
    forecast, at, scale = np.array([[5.0, 1.0], [5.0, NAN]]), np.array([3.0, 3.0]), np.array([2.0, 4.0])
    np.testing.assert_array_equal(Event.parse("y > 3").scores(forecast, at, scale), [[1.0, -1.0], [0.5, NAN]])
    np.testing.assert_array_equal(Event.parse("y < 3").scores(forecast, at, scale), [[-1.0, 1.0], [-0.5, NAN]])
    within = Event.parse("y < 3 within horizon").scores(forecast, at, scale)
    np.testing.assert_array_equal(within, [[1.0], [NAN]])


def test_what_differs_by_rounding_scores_the_same():
    event = Event.parse("y >= 0.3")
    found = event.scores(np.array([[0.1 + 0.2], [0.3]]), np.array([0.3, 0.1 * 3]), np.ones(2))
    assert (found == 0).all()
    assert (found >= event.call()).all()


@pytest.mark.parametrize(("text", "truth"), [("y > 1", stats.norm.sf), ("y < 1", stats.norm.cdf)])
def test_a_probability_is_that_of_the_distribution_whose_quantiles_are_given(text, truth):
    levels = tuple(np.linspace(0.01, 0.99, 99))
    means = np.linspace(-1.0, 3.0, 41)
    quantiles = (means[:, None] + stats.norm.ppf(levels))[:, None, :]
    found = Event.parse(text).probabilities(quantiles, levels, np.ones(41))
    np.testing.assert_allclose(found[:, 0], truth(1 - means), atol=0.003)


def test_far_beyond_the_quantiles_probabilities_still_order():
    levels = (0.1, 0.5, 0.9)
    quantiles = (np.arange(-20.0, 21.0, 2.0)[:, None] + stats.norm.ppf(levels))[:, None, :]
    found = Event.parse("y > 0").probabilities(quantiles, levels, np.zeros(21))[:, 0]
    assert (np.diff(found) >= 0).all()
    assert (np.diff(found[6:15]) > 0).all()
    assert 0 <= found.min() < 0.01
    assert 0.99 < found.max() <= 1


def test_probabilities_beside_an_outermost_quantile_are_its_level():
    quantiles = np.array([[[0.0, 1.0, 2.0]]])
    for at, p in ((2.0, 0.1), (0.0, 0.9), (1.0, 0.5), (1.5, 0.3)):
        assert Event.parse("y > 0").probabilities(quantiles, (0.1, 0.5, 0.9), np.array([at]))[0, 0] == pytest.approx(p)


def test_a_mass_at_the_threshold_counts_where_the_sign_says_so():
    quantiles, levels, at = np.array([[[0.0, 0.0, 0.0, 4.0]]]), (0.2, 0.4, 0.6, 0.8), np.zeros(1)
    found = {sign: Event.parse(f"y {sign} 0").probabilities(quantiles, levels, at)[0, 0] for sign in (">", ">=")}
    assert found[">"] == pytest.approx(0.4)
    assert found[">="] == pytest.approx(0.8)
    same = np.zeros((1, 1, 4))
    assert Event.parse("y > 0").probabilities(same, levels, np.ones(1))[0, 0] == 0
    assert Event.parse("y < 0").probabilities(same, levels, -np.ones(1))[0, 0] == 0


def test_probabilities_that_are_not_known_are_none():
    quantiles = np.array([[[0.0, 1.0], [NAN, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    found = Event.parse("y > 0").probabilities(quantiles, (0.1, 0.9), np.array([0.5, NAN]))
    np.testing.assert_allclose(found, [[0.5, NAN], [NAN, NAN]])
    within = Event.parse("y > 0 within horizon").probabilities(quantiles, (0.1, 0.9), np.array([0.5, 0.5]))
    np.testing.assert_allclose(within, [[NAN], [0.5]])


def test_a_probability_needs_two_quantiles():
    with pytest.raises(UsageError, match=r"'y > 0' needs forecasts of at least two quantile levels, got \[0.5\]"):
        Event.parse("y > 0").probabilities(np.zeros((1, 1, 1)), (0.5,), np.zeros(1))
    assert Event.parse("y > 0").call(probable=True) == 0.5
