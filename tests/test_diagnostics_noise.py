"""Noise as a diagnostic: planted faults of the remainder are seen by the figure that should, nulls are quiet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from tests.trials import Rate, panel
from tests.worlds import autoregressions
from tsgap.diagnostics import Diagnosed, contrasted
from tsgap.diagnostics import noise as diagnostic
from tsgap.diagnostics.noise import QUANTITIES
from tsgap.panel import Floats, Panel
from tsgap.plugins import choose_generator

SEASON, SERIES, LENGTH = 24, 60, 400
SHARE, TAILS, LEVEL, CLUSTERS, MEMORY = (of.name for of in QUANTITIES)
#: A season, of which the upper half is above 0.
WAVE = 3 * np.sin(2 * np.pi * np.arange(LENGTH) / SEASON)


def of_noise(noise: Floats, season: Floats = WAVE) -> Panel:
    return panel(10 + season + noise, SEASON)


def white(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(SERIES, LENGTH))


def heavy(seed: int) -> Floats:
    return np.random.default_rng(seed).standard_t(3, size=(SERIES, LENGTH)) / np.sqrt(3)


def louder_above(seed: int) -> Floats:
    return white(seed) * np.where(WAVE > 0, np.sqrt(2), 1.0)


def clustered(seed: int) -> Floats:
    """Noise whose variance remembers the last shock and the last variance."""
    rng = np.random.default_rng(seed)
    made, variance = np.zeros((SERIES, LENGTH)), np.ones(SERIES)
    for t in range(LENGTH):
        made[:, t] = np.sqrt(variance) * rng.normal(size=SERIES)
        variance = 0.1 + 0.4 * made[:, t] ** 2 + 0.5 * variance
    return made


def dependent(seed: int) -> Floats:
    return lfilter([1.0], [1.0, -0.5], white(seed), axis=1) * np.sqrt(0.75)


def alone(made: Panel) -> Panel:
    """The same under names that belong to no real series."""
    return made.renamed([f"other {key}" for key in made.keys])


def found(real: Panel, synthetic: Panel, seed: int = 0) -> Diagnosed:
    return diagnostic.measure(contrasted(real, alone(synthetic), seed=seed), seed=seed)


def warned(of: Diagnosed) -> dict[str, float]:
    return {one.name: one.value for one in of.figures if one.flag == "warn"}


@pytest.mark.parametrize(
    ("fault", "name", "among"),
    [
        (heavy, TAILS, {TAILS}),
        (louder_above, LEVEL, {LEVEL, SHARE, TAILS}),
        (clustered, CLUSTERS, {CLUSTERS, TAILS}),
        (dependent, MEMORY, {MEMORY, CLUSTERS, SHARE}),
    ],
)
def test_a_fault_of_the_noise_is_seen_where_it_is_and_where_it_is_lost(
    fault: Callable[[int], Floats], name: str, among: set[str]
) -> None:
    plain = of_noise(white(0))
    added, lost = warned(found(plain, of_noise(fault(1)))), warned(found(of_noise(fault(1)), plain))
    assert added[name] > 0 > lost[name]
    assert set(added) | set(lost) <= among


def test_noise_that_is_added_or_left_away_changes_its_share() -> None:
    plain = of_noise(white(0))
    assert warned(found(plain, of_noise(1.4 * white(1))))[SHARE] > 0.05
    assert warned(found(plain, of_noise(0.7 * white(1))))[SHARE] < -0.05
    assert set(warned(found(plain, of_noise(0.7 * white(1))))) == {SHARE}


def test_the_share_of_noise_is_that_of_the_variance() -> None:
    figure = found(of_noise(white(0)), of_noise(white(1))).figures[0]
    real = float(figure.detail.split()[0])
    # the season has a variance of 4.5, the noise one of 1, of which a mean season of three cycles takes a third
    assert 0.6 / 5.5 < real < 0.7 / 5.5


@pytest.mark.parametrize(
    ("generator", "seen"),
    [("shuffle", {SHARE, MEMORY, CLUSTERS}), ("block-bootstrap:length=24", {SHARE}), ("jitter:sd=0.5", {MEMORY})],
)
def test_what_generators_do_to_the_noise_is_seen(generator: str, seen: set[str]) -> None:
    values = autoregressions(np.random.default_rng(0), SERIES, LENGTH, phi=0.7, seasonal=0.6, season=SEASON)
    source = choose_generator(generator).build()
    source.fit(panel(values, SEASON), seed=0)
    assert seen <= set(warned(found(panel(values, SEASON), source.sample(seed=1))))


def test_level_and_scale_play_no_part() -> None:
    real, synthetic = of_noise(white(0)), of_noise(white(1))
    told = [one.value for one in found(real, synthetic).figures]
    moved = synthetic.with_values(1e3 * synthetic.values - 7)
    np.testing.assert_allclose([one.value for one in found(real, moved).figures], told, atol=1e-9)


def test_the_windows_that_stand_out_are_the_worst() -> None:
    noise = white(1)
    noise[::4] *= 20
    worst = found(of_noise(white(0)), of_noise(noise)).worst
    assert {int(one.key.removeprefix("other ")) % 4 for one in worst} == {0}
    assert all(one.reason.startswith("share of noise 0.") for one in worst)
    assert all(one.length == 96 for one in worst)
    assert [one.score for one in worst] == sorted((one.score for one in worst), reverse=True)


def test_windows_without_a_remainder_are_left_out_and_counted() -> None:
    noise = white(1)
    noise[:6] = 0
    of = found(of_noise(white(0)), of_noise(noise))
    left_out = next(note for note in of.cautions if "without a remainder" in note)
    assert left_out.startswith("0 real and ")
    assert int(left_out.split()[3]) >= 6
    assert all(np.isfinite(one.value) for one in of.figures)
    nothing = found(of_noise(white(0)), of_noise(np.zeros_like(noise)))
    assert {one.flag for one in nothing.figures} == {"not measurable"}
    assert "synthetic windows have no remainder" in nothing.figures[0].advice


def test_windows_too_short_for_a_season_are_not_measurable() -> None:
    short = Panel.of({f"w{i}": y[:40] for i, y in enumerate(WAVE + white(0))}, seasons=(SEASON,))
    of = found(short, short)
    assert [one.name for one in of.figures] == [one.name for one in QUANTITIES]
    assert {one.flag for one in of.figures} == {"not measurable"}
    assert of.figures[0].advice.endswith("too short for a trend and a season of 24: 72 needed")


def quiet(make: Callable[[np.random.Generator], Panel], runs: int) -> Rate:
    hits = 0
    for run in range(runs):
        rng = np.random.default_rng([run, 5])
        hits += bool(warned(found(make(rng), make(rng), run)))
    return Rate(hits, runs)


def seasonal(rng: np.random.Generator) -> Panel:
    return panel(autoregressions(rng, 20, 200, phi=0.7, seasonal=0.6, season=12), 12)


def different(rng: np.random.Generator) -> Panel:
    """Series whose season, noise and tails are drawn for each."""
    t = np.arange(150)
    rows = [
        rng.gamma(1, 2) * np.sin(2 * np.pi * (t + rng.integers(12)) / 12)
        + lfilter([1.0], [1.0, -rng.uniform(0, 0.9)], rng.standard_t(rng.integers(3, 9), 150))
        for _ in range(40)
    ]
    return panel(np.array(rows), 12)


WORLDS = {"seasonal": seasonal, "of many kinds": different}


@pytest.mark.parametrize("world", WORLDS)
def test_a_second_draw_seldom_warns(world: str) -> None:
    assert quiet(WORLDS[world], 60).low < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_a_second_draw_warns_in_one_of_twenty_runs_at_most(world: str) -> None:
    assert quiet(WORLDS[world], 400).hits <= 0.07 * 400
