"""Memory as a diagnostic: nulls are quiet, planted faults are seen by the figure that should, and by no wrong one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.trials import Rate, panel
from tests.worlds import autoregressions, threshold_autoregressions
from tsgap.diagnostics import Contrast, Diagnosed, contrasted
from tsgap.diagnostics import memory as diagnostic
from tsgap.panel import Floats, Panel
from tsgap.plugins import choose_generator

SEASON = 24
LINEAR = (
    "implied gap",
    "implied gap, worst lead",
    "implied gap from one value",
    "distance of autocorrelations",
    "distance of autocorrelations, worst lag",
)
SIZES = "distance of autocorrelations of sizes, worst lag"


def seasonal(seed: int, series: int = 60, length: int = 400) -> Panel:
    rng = np.random.default_rng(seed)
    return panel(autoregressions(rng, series, length, phi=0.7, seasonal=0.6, season=SEASON), SEASON)


def regimes(seed: int) -> Panel:
    return panel(threshold_autoregressions(np.random.default_rng(seed), 60, 400))


def different(rng: np.random.Generator, series: int, length: int, season: int = 12) -> Panel:
    """Series of many kinds: memory, season, trend, level and tails are drawn for each."""
    t = np.arange(length)
    rows = {}
    for _ in range(series):
        noise = autoregressions(rng, 1, length, phi=rng.uniform(0.05, 0.95))[0] + rng.standard_t(4, length)
        wave = rng.gamma(1, 2) * np.sin(2 * np.pi * (t + rng.integers(season)) / season)
        rows[f"{rng.integers(1 << 60)}"] = 5 * rng.normal() + 0.02 * rng.normal() * t + wave + noise
    return Panel.of(rows, seasons=(season,))


def alone(made: Panel) -> Panel:
    """The same under names that belong to no real series."""
    return made.renamed([f"other {key}" for key in made.keys])


def made_by(generator: str, real: Panel) -> Panel:
    source = choose_generator(generator).build()
    source.fit(real, seed=0)
    drawn: Panel = source.sample(seed=1)
    return drawn


def found(real: Panel, synthetic: Panel, seed: int = 0) -> Diagnosed:
    return diagnostic.measure(contrasted(real, synthetic, seed=seed), seed=seed)


def warned(of: Diagnosed) -> set[str]:
    return {one.name for one in of.figures if one.flag == "warn"}


def test_the_figures_have_the_same_names_on_the_floor() -> None:
    contrast = contrasted(seasonal(0), made_by("shuffle", seasonal(0)), seed=0)
    above, floor = (diagnostic.measure(of, seed=0) for of in (contrast, contrast.floor))
    assert [one.name for one in above.figures] == [one.name for one in floor.figures]
    assert len({one.name for one in above.figures}) == len(above.figures)
    assert not warned(floor)
    assert diagnostic.SPECS[0].measure is diagnostic.measure


def test_the_figures_that_can_warn_are_counted() -> None:
    figures = found(seasonal(0), made_by("shuffle", seasonal(0))).figures
    assert len(figures) - 1 == diagnostic.FIGURES  # all but the lag up to which memory is kept


@pytest.mark.parametrize(
    ("generator", "seen", "unseen"),
    [
        ("shuffle", {*LINEAR, SIZES, "strength of season", "strength of trend", "share of slow waves"}, set()),
        ("block-bootstrap:length=24", {*LINEAR, "strength of season"}, {"share of slow waves", "direction of time"}),
        ("ar-sieve:order=2", {*LINEAR, "strength of season"}, {"direction of time"}),
        ("season-scramble", {*LINEAR, "strength of season"}, {"direction of time"}),
        ("seasonal-template", {*LINEAR, "strength of trend"}, {"direction of time"}),
        ("iaaft", set(), {*LINEAR, "strength of season", "direction of time"}),
        ("time-reversed", set(), {*LINEAR, SIZES, "strength of season", "direction of time"}),
        ("jitter:sd=1.0", {"implied gap, worst lead", "strength of trend"}, {"direction of time"}),
        ("copy", set(), {*LINEAR, SIZES, "strength of season", "direction of time", "share of slow waves"}),
    ],
)
def test_what_a_generator_destroys_is_seen(generator: str, seen: set[str], unseen: set[str]) -> None:
    real = seasonal(0)
    names = warned(found(real, made_by(generator, real)))
    assert seen <= names
    assert not unseen & names


def test_lost_memory_that_is_not_linear_is_seen_by_the_sizes_alone() -> None:
    real = regimes(0)
    names = warned(found(real, made_by("iaaft", real)))
    assert SIZES in names
    assert not set(LINEAR) & names


def test_reversed_time_is_seen_by_its_direction_alone() -> None:
    real = regimes(0)
    assert warned(found(real, made_by("time-reversed", real))) == {"direction of time"}


def test_drift_is_seen_by_the_share_of_slow_waves() -> None:
    rng = np.random.default_rng(0)
    quiet_ones, others = rng.normal(size=(2, 60, 400))
    drifting = others + np.sin(2 * np.pi * np.arange(400) / 200)
    of = found(panel(quiet_ones, SEASON), alone(panel(drifting, SEASON)))
    figure = next(one for one in of.figures if one.name == "share of slow waves")
    # of white noise the 11 waves of more than 36 steps have their part of 200; the drift adds a third of the variance
    assert float(figure.detail.split()[0]) == pytest.approx(11 / 200, abs=0.01)
    assert figure.value == pytest.approx(0.5 / 1.5, abs=0.03)
    assert (figure.flag, figure.advice[-15:]) == ("warn", "check for drift")


def test_advice_names_the_lag_and_what_keeps_it() -> None:
    real = seasonal(0)
    said = {one.name: one for one in found(real, made_by("block-bootstrap:length=24", real)).figures}
    assert said["implied gap"].advice == "memory at lag 24 is lost: blocks longer than a season, or a seasonal model"
    assert said["distance of autocorrelations, worst lag"].detail.startswith("lag 24: 0.")
    smooth = alone(panel(autoregressions(np.random.default_rng(0), 60, 400, phi=0.95), SEASON))
    rough = panel(autoregressions(np.random.default_rng(1), 60, 400, phi=0.3), SEASON)
    said = {one.name: one for one in found(rough, smooth).figures}
    assert "is stronger than that of the real series" in said["implied gap"].advice
    assert said["strength of trend"].value > 0
    said = {one.name: one for one in found(alone(smooth), alone(rough)).figures}
    assert said["implied gap"].advice.endswith("is lost: longer blocks, less noise, or a model of the last values")


def test_the_series_whose_memory_stands_out_is_the_worst() -> None:
    real = seasonal(0)
    values = seasonal(1).values.reshape(60, 400).copy()
    values[7] = np.random.default_rng(0).normal(size=400)
    worst = found(real, alone(panel(values, SEASON))).worst
    assert worst[0].key == "other 7"
    assert worst[0].reason.startswith("autocorrelation at lag ")
    assert (worst[0].start, worst[0].length) == (0, 400)
    assert [one.score for one in worst] == sorted((one.score for one in worst), reverse=True)


def test_level_scale_and_order_of_series_play_no_part() -> None:
    real, synthetic = seasonal(0), alone(seasonal(1))
    told = found(real, synthetic).figures
    moved = synthetic.with_values(5 * synthetic.values - 40)
    np.testing.assert_allclose([f.value for f in found(real, moved).figures], [f.value for f in told], atol=1e-6)


def test_the_same_seed_says_the_same() -> None:
    real, synthetic = seasonal(0), alone(seasonal(1))
    assert found(real, synthetic, 3).figures == found(real, synthetic, 3).figures


def test_short_windows_reach_no_further_and_it_is_said() -> None:
    long = seasonal(0, 30, 400)
    cut = Panel.of({f"w{i}": y[5 * i : 5 * i + 40] for i, y in enumerate(seasonal(1, 60))}, seasons=(SEASON,))
    of = found(long, cut)
    figures = {one.name: one for one in of.figures}
    assert figures["distance of autocorrelations"].detail == "lags 1 to 20"
    assert figures["implied gap"].detail == "leads 1 to 10 from 20 values"
    assert "stretches reach 20 lags and 10 leads from 20 values, not 48 lags" in of.cautions
    assert figures["strength of season"].flag == "not measurable"
    assert "too short for a trend and a season of 24: 72 needed" in figures["strength of season"].advice
    assert not warned(of)


def test_data_without_a_season_have_no_strength_of_it() -> None:
    figure = found(regimes(0), alone(regimes(1))).figures[-1]
    assert (figure.name, figure.flag, figure.advice) == (
        "strength of season",
        "not measurable",
        "the data have no season",
    )


def test_constant_series_are_left_out_and_counted() -> None:
    synthetic = seasonal(1)
    values = synthetic.values.reshape(60, 400).copy()
    values[:10] = 3.0
    of = found(seasonal(0), alone(panel(values, SEASON)))
    assert "0 real and 10 synthetic series are shorter or constant: left out" in of.cautions
    flat = found(seasonal(0), alone(synthetic.with_values(np.ones_like(synthetic.values))))
    assert {one.flag for one in flat.figures} == {"not measurable"}
    assert "60 of 60 synthetic series" in flat.figures[0].advice


def test_too_few_units_are_not_measurable() -> None:
    real = seasonal(0, 10)
    judged = [one for one in found(real, made_by("shuffle", real)).figures if one.name != "memory kept up to lag"]
    assert {one.flag for one in judged} == {"not measurable"}
    assert judged[0].advice == "5 real and 5 synthetic units are too few to prove a difference"
    assert judged[0].value > 0.1


def quiet(make: Callable[[np.random.Generator], tuple[Panel, Panel]], runs: int) -> Rate:
    hits = 0
    for run in range(runs):
        real, second = make(np.random.default_rng([run, 5]))
        hits += bool(warned(found(real, alone(second), run)))
    return Rate(hits, runs)


def sars(rng: np.random.Generator) -> tuple[Panel, Panel]:
    def one() -> Floats:
        return autoregressions(rng, 20, 200, phi=0.7, seasonal=0.6, season=12)

    return panel(one(), 12), panel(one(), 12)


def kinds(rng: np.random.Generator) -> tuple[Panel, Panel]:
    return different(rng, 40, 150), different(rng, 30, 150)


def stretched_few(rng: np.random.Generator) -> tuple[Panel, Panel]:
    real, second = (autoregressions(rng, 3, 1500, phi=0.7, seasonal=0.6, season=12) for _ in range(2))
    return panel(real, 12), panel(second, 12)


WORLDS = {"seasonal": sars, "of many kinds": kinds, "few": stretched_few}


@pytest.mark.parametrize("world", WORLDS)
def test_a_second_draw_seldom_warns(world: str) -> None:
    assert quiet(WORLDS[world], 25).low < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_a_second_draw_warns_in_one_of_twenty_runs_at_most(world: str) -> None:
    assert quiet(WORLDS[world], 300).hits <= 0.07 * 300


def test_the_contrast_is_left_as_it_is() -> None:
    contrast: Contrast = contrasted(seasonal(0), alone(seasonal(1)), seed=0)
    before = contrast.real.windows.copy()
    diagnostic.measure(contrast, seed=0)
    np.testing.assert_array_equal(contrast.real.windows, before)
