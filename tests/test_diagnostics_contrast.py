"""Both sides of a contrast are on equal terms, and no series is on both."""

from __future__ import annotations

import numpy as np
import pytest
from planted import SEASON, panel, unlike

from tsgap.diagnostics import contrasted
from tsgap.diagnostics.contrast import FAR
from tsgap.diagnostics.dealing import LEAST, PER_UNIT, UNITS, WINDOWS
from tsgap.diagnostics.figures import Diagnosed
from tsgap.errors import DataError
from tsgap.examining import specs_of
from tsgap.panel import Panel


def _noise(rng, series, length, name="s", season=SEASON):
    return panel(rng.normal(size=(series, length)), name, season)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_all_sides_have_as_many_windows_of_as_many_units(rng):
    found = contrasted(_noise(rng, 40, 300), _noise(rng, 90, 300, "new "), seed=0)
    for side in (found.real, found.synthetic, found.held_back):
        assert np.unique(side.unit).size == 20
        assert (np.bincount(side.unit)[np.unique(side.unit)] == 4).all()
        assert side.windows.shape == (80, 64)


def test_windows_of_a_unit_do_not_overlap_and_lie_in_it(rng):
    found = contrasted(_noise(rng, 30, 333), _noise(rng, 30, 700, "new "), seed=1)
    for side in (found.real, found.synthetic, found.held_back):
        for unit in np.unique(side.unit):
            begins = np.sort(side.begins[side.unit == unit])
            assert (np.diff(begins) >= side.length).all()
            assert begins[0] >= 0
            assert begins[-1] + side.length <= side.panel.lengths[unit]
        first = side.panel[side.unit[0]][side.begins[0] :][: side.length]
        assert np.array_equal(side.windows[0], first)


def test_no_series_is_on_two_sides(rng):
    rows = rng.normal(size=(40, 300))
    found = contrasted(panel(rows), panel(rows), seed=0)
    assert found.paired
    real, held, twins = (
        {side.panel.keys[i] for i in side.unit} for side in (found.real, found.held_back, found.synthetic)
    )
    assert not real & held
    assert not real & twins
    assert twins == held


def test_the_floor_is_real_against_held_back_series(rng):
    found = contrasted(_noise(rng, 40, 300), _noise(rng, 40, 300, "new "), seed=0)
    floor = found.floor
    assert floor.is_floor
    assert not found.is_floor
    assert floor.real is found.real
    assert floor.synthetic is found.held_back
    assert floor.floor.is_floor


def test_short_windows_as_a_source_are_units_of_their_own(rng):
    found = contrasted(_noise(rng, 20, 600), _noise(rng, 500, 40, "window "), seed=0)
    assert found.real.length == 40
    assert (np.bincount(found.real.unit) == PER_UNIT).all()
    assert np.bincount(found.synthetic.unit).max() == 1
    assert len(found.real.windows) == len(found.synthetic.windows) == 10 * PER_UNIT


def test_few_series_are_cut_into_stretches_of_time(rng):
    found = contrasted(_noise(rng, 2, 4000), _noise(rng, 2, 4000, "new "), seed=0)
    assert len(np.unique(found.real.unit)) >= LEAST
    assert set(found.real.panel.series) == {"s0", "s1"}
    assert "stretches of series" in found.notes[0]


def test_there_are_bounds_on_units_and_windows(rng):
    found = contrasted(_noise(rng, 2300, 200), _noise(rng, 1200, 200, "new "), seed=0)
    assert len(found.real.windows) == WINDOWS
    assert len(found.real.panel) == len(found.synthetic.panel) == UNITS


def test_too_few_or_too_short_series_are_refused(rng):
    with pytest.raises(DataError, match=r"too short for windows of 8 values"):
        contrasted(_noise(rng, 20, 7), _noise(rng, 20, 300), seed=0)
    with pytest.raises(DataError, match="there is no series"):
        contrasted(_noise(rng, 20, 300), panel([]), seed=0)
    uneven = Panel.of({f"u{i}": rng.normal(size=900 if i < 3 else 5) for i in range(9)})
    with pytest.raises(DataError, match=r"too short"):
        contrasted(_noise(rng, 20, 300), uneven, seed=0)


def test_a_few_large_series_do_not_make_all_others_look_alike(rng):
    rows = rng.normal(size=(60, 200)) + rng.normal(size=(60, 1)) * np.exp(3 * rng.normal(size=(60, 1)))
    rows[:3] *= 1e9
    real, synthetic = contrasted(panel(rows), panel(rows, "new "), seed=0).features
    assert np.abs(real).max() <= FAR
    assert np.abs(synthetic).max() <= FAR
    level = real[:, 0]
    assert np.subtract(*np.quantile(level, [0.841, 0.159])) / 2 == pytest.approx(1, abs=0.05)


def test_features_are_in_standard_deviations_where_they_are_normal(rng):
    real, _ = contrasted(_noise(rng, 400, 256), _noise(rng, 400, 256, "new "), seed=0).features
    assert real[:, 2].std() == pytest.approx(1, abs=0.1)
    assert np.median(real, axis=0) == pytest.approx(np.zeros(real.shape[1]), abs=1e-9)


def test_a_feature_that_does_not_vary_is_only_centred(rng):
    constant = panel(np.full((20, 200), 7.0))
    real, synthetic = contrasted(constant, panel(np.full((20, 200), 7.5), "new "), seed=0).features
    assert (real == 0).all()
    assert (synthetic[:, 0] == 0.5).all()


def test_windows_are_brought_to_one_scale_where_asked(rng):
    found = contrasted(panel(unlike(rng, 30)), panel(unlike(rng, 30), "new "), seed=0, scaling="standard")
    assert found.real.windows.mean(1) == pytest.approx(np.zeros(len(found.real.windows)), abs=1e-9)
    assert found.synthetic.windows.std(1) == pytest.approx(np.ones(len(found.synthetic.windows)))


@pytest.mark.parametrize(
    "broken", [lambda w, season: w[:3], lambda w, season: w[:, 0], lambda w, season: np.full((len(w), 2), np.nan)]
)
def test_features_of_the_user_that_are_none_are_refused(rng, broken):
    found = contrasted(_noise(rng, 20, 200), _noise(rng, 20, 200, "new "), seed=0, featurise=broken)
    with pytest.raises(DataError, match="features must be finite numbers, a row for each"):
        _ = found.features


def test_equal_seeds_give_equal_contrasts(rng):
    real, synthetic = _noise(rng, 30, 300), _noise(rng, 60, 300, "new ")
    one, two, other = (contrasted(real, synthetic, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.synthetic.windows, two.synthetic.windows)
    assert not np.array_equal(one.synthetic.windows, other.synthetic.windows)


def test_that_few_strangers_say_little_of_others_is_noted() -> None:
    rng = np.random.default_rng(3)
    real, other = (panel(rng.normal(size=(2, 600)), 12) for _ in range(2))
    strangers = other.renamed(["x", "y"])
    assert "2 series on a side are few" in contrasted(real, strangers, seed=0).notes[-1]
    assert contrasted(real, strangers, seed=0).caution == "these series alone, which are few"
    assert not any("are few" in note for note in contrasted(real, other, seed=0).notes)


def test_all_that_a_proof_is_about_is_one_phrase() -> None:
    shared = np.random.default_rng(3).normal(size=600)
    real = panel(shared + 0.3 * np.random.default_rng(4).normal(size=(12, 600)), 12)
    few = panel(np.random.default_rng(5).normal(size=(3, 600)), 12).renamed(["x", "y", "z"])
    assert contrasted(real, few, seed=0).caution == (
        "these series alone, which are few, and about the paths that these series took, which are not independent"
    )


@pytest.mark.parametrize("name", ["shift", "drift", "alignment", "covering", "memory", "noise", "copies"])
def test_no_figure_hangs_on_the_units_of_the_data(rng, name):
    # many contexts are 0 throughout
    real, synthetic = (rng.poisson(3.0, (30, 200)) * (rng.random((30, 200)) < p) * 1.0 for p in (0.02, 0.03))
    told = []
    for unit in (1.0, 2.0**-10, 2.0**10):
        contrast = contrasted(panel(unit * real), panel(unit * synthetic, "m"), seed=0)
        found = specs_of([name])[name].measure(contrast, seed=0)
        assert isinstance(found, Diagnosed)
        told.append([(one.name, one.flag, one.value) for one in found.figures])
    for other in told[1:]:
        assert [one[:2] for one in other] == [one[:2] for one in told[0]]
        np.testing.assert_allclose([one[2] for one in other], [one[2] for one in told[0]], rtol=1e-9)
