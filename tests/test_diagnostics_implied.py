"""Implied gaps: closed forms for autoregressions, bias and intervals, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks import implied_gap as against_linear

from tests.trials import Rate, panel
from tests.worlds import autoregressions
from tsgap.diagnostics.figures import Figure
from tsgap.diagnostics.implied import MATTERS, MATTERS_ONCE, from_context, from_one_value, implied_gap
from tsgap.diagnostics.stretches import correlations, stretched
from tsgap.errors import DataError
from tsgap.panel import Floats, Panel
from tsgap.resampling import Lagged, linear_gap

CONTEXT, LEADS, LAGS = 6, 4, 12


def drawn(phi: float, series: int, length: int, seed: int) -> Panel:
    return panel(autoregressions(np.random.default_rng([seed, round(100 * phi)]), series, length, phi=phi))


def truth(real: float, synthetic: float) -> Floats:
    """The implied gap of two first-order autoregressions."""
    zero, lags = np.zeros(CONTEXT + LEADS), np.arange(CONTEXT + LEADS)
    known = [Lagged(zero, zero, zero + 1, phi**lags, zero + 1) for phi in (real, synthetic)]
    return linear_gap(known[0], known[1], CONTEXT, LEADS)


def gaps(real: Panel, synthetic: Panel, too_few: str = "") -> tuple[Figure, Figure]:
    length = int(min(real.lengths.min(), synthetic.lengths.min()))
    sides = stretched(real, length), stretched(synthetic, length)
    return from_context(*sides, context=CONTEXT, leads=LEADS, too_few=too_few, advice="longer blocks", seed=0)


def curve(real: Panel, synthetic: Panel) -> tuple[Figure, Figure]:
    rho = []
    for one in (real, synthetic):
        side = stretched(one, int(one.lengths.min()))
        rho.append(side.of_units(correlations(side.values, LAGS))[:, 1:])
    return from_one_value(rho[0], rho[1], too_few="", advice=lambda lag: f"lag {lag} is lost", seed=0)


@pytest.mark.parametrize(("phi", "other"), [(0.8, 0.3), (0.8, 0.05), (0.3, 0.9)])
def test_the_gap_of_long_autoregressions_is_that_of_their_autocovariances(phi: float, other: float) -> None:
    found = implied_gap(drawn(phi, 20, 4000, 0), drawn(other, 20, 4000, 1), context=CONTEXT, horizon=LEADS)
    np.testing.assert_allclose(found, truth(phi, other), atol=0.01)
    assert found[0] > 0.1


def test_level_and_scale_of_the_synthetic_series_play_no_part() -> None:
    real, synthetic = drawn(0.8, 5, 300, 0), drawn(0.4, 5, 300, 1)
    moved = synthetic.with_values(3 * synthetic.values + 10)
    told = implied_gap(real, synthetic, context=CONTEXT, horizon=LEADS)
    np.testing.assert_allclose(implied_gap(real, moved, context=CONTEXT, horizon=LEADS), told, atol=1e-9)


def test_series_that_do_not_reach_or_do_not_vary_are_refused() -> None:
    real = drawn(0.8, 5, 300, 0)
    with pytest.raises(DataError, match=r"takes series of 310 values, .* have 300; ask for a shorter"):
        implied_gap(real, real, context=300, horizon=10)
    flat = real.with_values(np.ones_like(real.values))
    with pytest.raises(DataError, match="no synthetic series varies over 300 values"):
        implied_gap(real, flat, context=CONTEXT, horizon=LEADS)
    with pytest.raises(DataError, match="no real series"):
        implied_gap(flat, real, context=CONTEXT, horizon=LEADS)


def test_the_figure_of_a_second_draw_has_lost_its_bias() -> None:
    plain, figures = [], []
    for run in range(60):
        real, second = drawn(0.7, 8, 100, run), drawn(0.7, 8, 100, 1000 + run)
        plain.append(implied_gap(real, second, context=CONTEXT, horizon=LEADS).mean())
        figures.append(gaps(real, second)[0])
    values = np.array([one.value for one in figures])
    assert np.mean(plain) > 0.003
    assert abs(values.mean()) < 2.5 * values.std() / np.sqrt(len(values))
    assert Rate(sum(one.low > 0 for one in figures), len(figures)).low < 0.025


def test_intervals_hold_the_true_gap() -> None:
    told = truth(0.8, 0.4)
    inside = np.zeros(2, dtype=int)
    for run in range(60):
        mean, worst = gaps(drawn(0.8, 25, 400, run), drawn(0.4, 25, 400, 1000 + run))
        inside += [mean.low < told.mean() < mean.high, worst.low < told.max() < worst.high]
        assert worst.detail == "lead 1"
        assert (mean.flag, mean.advice) == ("warn", "longer blocks")
    assert min(Rate(int(n), 60).high for n in inside) > 0.95


def test_a_gap_that_is_large_and_not_proven_is_no_warning() -> None:
    mean, worst = gaps(drawn(0.8, 6, 80, 7), drawn(0.8, 6, 80, 57))
    assert mean.value > MATTERS > mean.low
    assert (mean.flag, worst.flag) == ("", "")


def test_the_curve_from_one_value_is_known_and_says_where_memory_ends() -> None:
    worst, kept = curve(drawn(0.9, 30, 3000, 0), drawn(0.6, 30, 3000, 1))
    lags = np.arange(1, LAGS + 1)
    told = 0.5 * np.log1p((0.9**lags - 0.6**lags) ** 2 / (1 - 0.81**lags))
    assert worst.value == pytest.approx(told.max(), abs=0.02)
    assert worst.low < told.max() < worst.high
    first = int(np.flatnonzero(told > MATTERS_ONCE)[0]) + 1
    assert worst.detail == f"lag {told.argmax() + 1} of 12; proven above 5 % from lag {first} on"
    assert worst.advice == f"lag {first} is lost"
    assert kept.value == first - 1
    worst, kept = curve(drawn(0.9, 30, 3000, 0), drawn(0.9, 30, 3000, 1))
    assert (worst.flag, kept.value) == ("", LAGS)


def test_what_cannot_be_proven_is_not_measurable() -> None:
    found = gaps(drawn(0.8, 5, 300, 0), drawn(0.1, 5, 300, 1), too_few="too few units")
    assert {(one.flag, one.advice) for one in found} == {("not measurable", "too few units")}


def test_autocovariances_that_no_process_has_are_not_measurable() -> None:
    # three series hardly longer than context and leads: a forecast from them would be better than perfect
    rng = np.random.default_rng(6)
    found = gaps(*(panel(rng.normal(size=(3, CONTEXT + LEADS)).cumsum(1)) for _ in range(2)))
    assert {one.flag for one in found} == {"not measurable"}
    assert found[0].advice == "3 real and 3 synthetic units are too few for 6 values back"


@pytest.mark.slow
def test_the_implied_gap_foretells_that_of_linear(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["implied_gap.py", "--runs", "1", "--windows", "40"])
    assert against_linear.main() == 0
    assert "18 generators x 48 leads: Pearson 0.9" in capsys.readouterr().out


def test_a_correlation_below_the_bar_is_exit_code_1(capsys) -> None:
    rng = np.random.default_rng(0)
    told = {str(i): rng.normal(size=against_linear.HORIZON) for i in range(12)}
    assert against_linear.report(told, told) == 0
    assert against_linear.report(told, {name: rng.normal(size=of.size) for name, of in told.items()}) == 1
    assert against_linear.report(told, {name: of * np.nan for name, of in told.items()}) == 1
    assert "12 generators x 48 leads: Pearson 1.000" in capsys.readouterr().out
