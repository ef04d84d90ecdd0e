"""Limits learnt on real series, an isolation forest, gaps and rules of one's own: planted faults, and no fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.worlds import autoregressions
from tsgap.diagnostics import Contrast, Diagnosed, Figure, contrasted, plausibility
from tsgap.diagnostics import limits as limits_module
from tsgap.diagnostics.limits import FIGURES, Cut, learnt
from tsgap.diagnostics.permuting import p_value
from tsgap.diagnostics.plausibility import SPECS, measure
from tsgap.diagnostics.shares import effective, interval
from tsgap.errors import UsageError
from tsgap.panel import Dataset, Floats, Panel
from tsgap.ragged import offsets_of


@pytest.fixture(autouse=True)
def few_trees(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forests are small where it is not they that are tried."""
    if "slow" not in request.keywords:
        monkeypatch.setattr(plausibility, "TREES", 16)


def panel(values: Floats, name: str = "r") -> Panel:
    return Panel.of({f"{name}{i}": row for i, row in enumerate(values)}, seasons=(12,))


def levels(rng: np.random.Generator, series: int = 60, length: int = 150) -> Floats:
    """Series far above 0, of sizes that differ."""
    noise = autoregressions(rng, series, length, phi=0.7)
    return np.exp(rng.normal(0, 1, (series, 1))) * (30 + noise)


def counts(rng: np.random.Generator, series: int = 60, length: int = 150) -> Floats:
    return rng.poisson(np.exp(rng.normal(1.5, 0.5, (series, 1))) * np.ones((series, length))).astype(float)


def found(real: Floats, synthetic: Floats, seed: int = 0, **given: object) -> Diagnosed:
    return measure(contrasted(panel(real), panel(synthetic, "s"), seed=seed, **given), seed=seed)  # type: ignore[arg-type]


def figure(of: Diagnosed, name: str) -> Figure:
    return next(one for one in of.figures if one.name == name)


def warned(of: Diagnosed) -> set[str]:
    return {one.name for one in of.figures if one.flag == "warn"}


def negative(y: Floats, rng: np.random.Generator) -> Floats:
    y[::4, 40] = -1.0
    return y


def spikes(y: Floats, rng: np.random.Generator) -> Floats:
    at = rng.integers(0, y.shape[1], len(y))
    y[np.arange(len(y)), at] += 15 * np.abs(np.diff(y, axis=1)).mean(1)
    return y


def flat(y: Floats, rng: np.random.Generator) -> Floats:
    y[:, 60:100] = y[:, 60:61]
    return y


def huge(y: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(y * 1000)


def shuffled(y: Floats, rng: np.random.Generator) -> Floats:
    return rng.permuted(y, axis=1)


def tenths(y: Floats, rng: np.random.Generator) -> Floats:
    return y + 0.1


@pytest.mark.parametrize(
    ("world", "plant", "names", "words"),
    [
        (levels, negative, {"negative"}, "value -1 at step 40, no real one is below 0"),
        (
            levels,
            spikes,
            {"step out of proportion", "value out of proportion"},
            "times as far from the middle of its window as usual",
        ),
        (levels, flat, {"flat"}, "equal values from step"),
        (levels, huge, {"too high", "step too large"}, "the limit is"),
        (levels, shuffled, {"unusual"}, ""),
        (counts, tenths, {"not whole"}, "a share of 1 of the values is not whole"),
    ],
)
def test_a_planted_fault_is_found_by_the_rule_that_is_broken(
    world: Callable[..., Floats], plant: Callable[..., Floats], names: set[str], words: str
) -> None:
    rng = np.random.default_rng(3)
    got = found(world(rng), plant(world(rng), rng))
    assert names <= warned(got)
    for name in names:
        one = figure(got, name)
        assert one.low <= one.value <= one.high
        assert one.low > one.reference
        assert one.advice
    assert any(words in sample.reason for sample in got.worst)


def test_the_worst_sample_is_where_the_fault_was_planted() -> None:
    rng = np.random.default_rng(0)
    synthetic = levels(rng)
    synthetic[7, 77] += 1e6
    worst = found(levels(rng), synthetic).worst[0]
    assert worst.key == "s7"
    assert worst.start <= 77 < worst.start + worst.length
    assert "step 77" in worst.reason or "step 78" in worst.reason


def test_a_sample_that_goes_no_further_than_held_back_real_ones_is_told_from_one_that_does() -> None:
    rng = np.random.default_rng(0)
    real = levels(rng)
    away = contrasted(panel(real), panel(real, "s"), seed=0).held_back
    row = int(away.panel.keys[away.unit[0]].removeprefix("r"))
    real[row] *= 1000
    synthetic = real.copy()
    told = [one.reason for one in found(real, synthetic).worst if one.key == f"s{row}" and "limit" in one.reason]
    assert told
    assert all(plausibility.AS_FAR in reason for reason in told)
    synthetic[row] *= 10
    told = [one.reason for one in found(real, synthetic).worst if one.key == f"s{row}" and "limit" in one.reason]
    assert told
    assert plausibility.AS_FAR not in told[0]


def test_one_fault_in_one_series_is_listed_but_proves_nothing() -> None:
    rng = np.random.default_rng(0)
    synthetic = levels(rng)
    synthetic[7, 77] = -1e-3
    got = found(levels(rng), synthetic)
    assert figure(got, "negative").value > 0
    assert "negative" not in warned(got)
    assert any(sample.key == "s7" and "below 0" in sample.reason for sample in got.worst)


@pytest.mark.parametrize("world", [levels, counts])
def test_a_fair_second_draw_is_warned_of_in_hardly_any_world(world: Callable[..., Floats]) -> None:
    worlds = 6
    hits = 0
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        hits += bool(warned(found(world(rng, 30, 120), world(rng, 30, 120), seed)))
    # more than this has a chance of two in a thousand where 5 % are warned of
    assert hits <= 2


@pytest.mark.slow
@pytest.mark.parametrize("world", [levels, counts])
@pytest.mark.parametrize("series", [16, 60])
def test_chance_warns_in_one_of_twenty_worlds_at_most(world: Callable[..., Floats], series: int) -> None:
    worlds, hits = 200, 0
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        hits += bool(warned(found(world(rng, series, 120), world(rng, series, 120), seed)))
    assert binomtest(hits, worlds, 0.05, "greater").pvalue > 0.01


def test_a_hundredth_of_held_back_real_windows_is_unusual() -> None:
    shares = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        contrast = contrasted(panel(levels(rng, 300, 100)), panel(levels(rng, 300, 100), "s"), seed=seed)
        shares.append(figure(measure(contrast.floor, seed=seed), "unusual").value)
    assert 0.003 < np.mean(shares) < 0.025


def test_no_window_is_judged_by_a_forest_that_knows_its_unit() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(30), 8)
    # the windows of a unit are nearly the same, those of others are far away
    sides = [(rng.normal(size=(30, 20))[unit] + 0.01 * rng.normal(size=(240, 20)), unit) for _ in range(2)]
    real, others = plausibility._scores(sides, seed=0)
    assert abs(real.mean() - others.mean()) < 0.35 * others.std()


def test_the_floor_has_the_figures_of_the_contrast_and_no_warning() -> None:
    rng = np.random.default_rng(0)
    contrast = contrasted(panel(levels(rng)), panel(huge(levels(rng), rng), "s"), seed=0, rules=("y >= 0",))
    here, floor = measure(contrast, seed=0), measure(contrast.floor, seed=0)
    assert [one.name for one in here.figures] == [one.name for one in floor.figures]
    assert not warned(floor)
    for one in here.figures[:-1]:
        assert one.reference == figure(floor, one.name).value


def test_rules_of_one_s_own_are_judged_on_whole_series_and_named() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = levels(rng), levels(rng)
    synthetic[5, 3] = -4.0
    got = found(real, synthetic, rules=("y >= 0", "y>=0", "increasing", "mean over 500 <= 1"))
    broken = figure(got, "rule y >= 0")
    assert (broken.value, broken.reference, broken.flag) == (1 / 60, 0.0, "warn")
    assert "no real series breaks it" in broken.advice
    assert got.worst[0].key == "s5"
    assert (got.worst[0].start, got.worst[0].length) == (3, 1)
    assert "breaks 'y >= 0': it is -4" in got.worst[0].reason
    no_rule = figure(got, "rule diff > 0")
    assert (no_rule.value, no_rule.reference, no_rule.flag) == (1.0, 1.0, "")
    assert "real series break it too" in no_rule.advice
    assert figure(got, "rule mean over 500 <= 1").flag == "not measurable"


def test_more_breaks_than_in_real_series_are_a_warning_although_these_break_the_rule_too() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = levels(rng), levels(rng)
    real[0, 0] = -1.0
    synthetic[:30, 0] = -1.0
    got = figure(found(real, synthetic, rules=("y >= 0",)), "rule y >= 0")
    assert got.flag == "warn"
    assert "real series break it too" in got.advice


def test_a_text_that_is_no_rule_is_a_mistake_of_the_user() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="names no rule"):
        found(levels(rng), levels(rng), rules=("y is nice",))


def test_rules_in_units_say_nothing_of_normalised_windows() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = levels(rng), levels(rng)
    synthetic = (synthetic - synthetic.mean(1, keepdims=True)) / synthetic.std(1, keepdims=True)
    got = found(real, synthetic, scaling="standard", rules=("y >= 0", "flat <= 5"))
    assert figure(got, "rule y >= 0").flag == "not measurable"
    assert figure(got, "rule flat <= 5").value == 0.0
    assert not warned(got)
    assert "negative" not in {one.name for one in got.figures}


def dataset(values: Floats, name: str, *notes: str) -> Dataset:
    n, length = values.shape
    keys = tuple(f"{name}{i}" for i in range(n))
    starts = np.zeros(n, dtype=np.int64)
    return Dataset(name, values.ravel(), offsets_of([length] * n), keys, starts, "step", (12,), notes=notes)


def with_gaps(values: Floats, rng: np.random.Generator, longest: int, each: int = 3) -> Floats:
    out = values.copy()
    for row in out:
        for at in rng.integers(1, values.shape[1] - longest, each):
            row[at : at + rng.integers(1, longest + 1)] = np.nan
    return out


def test_more_and_longer_gaps_than_real_ones_are_a_warning() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = levels(rng), levels(rng)
    for longest, expected in ((3, set()), (20, {"missing values", "gap too long"})):
        read = {
            "real": dataset(with_gaps(real, rng, 3), "r"),
            "synthetic": dataset(with_gaps(synthetic, rng, longest), "s"),
        }
        got = found(real, synthetic, as_read=read)
        assert warned(got) & {"missing values", "gap too long"} == expected
    share = np.isnan(read["synthetic"].values).reshape(60, -1).mean()
    assert figure(got, "missing values").value == pytest.approx(share)


def test_stamps_that_had_to_be_repaired_are_a_warning_where_the_real_ones_had_not() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = levels(rng), levels(rng)
    note = "3 rows stood before one with an earlier stamp; sorted"
    read = {"real": dataset(real, "r"), "synthetic": dataset(synthetic, "s", note)}
    got = figure(found(real, synthetic, as_read=read), "stamps repaired")
    assert (got.value, got.flag, got.detail) == (1.0, "warn", note)
    both = {"real": dataset(real, "r", note), "synthetic": read["synthetic"]}
    assert figure(found(real, synthetic, as_read=both), "stamps repaired").flag == ""


def test_few_long_series_are_judged_in_stretches() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = levels(rng, 3, 2000), levels(rng, 3, 2000)
    synthetic[:, ::97] *= 30
    got = found(real, synthetic)
    assert "step out of proportion" in warned(got)


def test_every_value_of_a_unit_is_in_a_window() -> None:
    rng = np.random.default_rng(0)
    contrast = contrasted(panel(levels(rng, 20, 150)), panel(levels(rng, 20, 150), "s"), seed=0)
    cut = Cut.of(contrast.real, seed=0)
    covered = np.zeros((len(contrast.real.panel), 150), dtype=bool)
    for row, begin, window in zip(cut.unit, cut.begins, cut.windows, strict=True):
        covered[row, begin : begin + contrast.real.length] = True
        np.testing.assert_array_equal(window, contrast.real.panel[row][begin : begin + contrast.real.length])
    assert covered.all()
    assert not cut.thinned


def test_of_too_many_values_some_windows_of_each_unit_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "VALUES", 20 * 64 * 2)
    rng = np.random.default_rng(0)
    contrast = contrasted(panel(levels(rng, 40, 700)), panel(levels(rng, 40, 700), "s"), seed=0)
    cut = Cut.of(contrast.real, seed=0)
    assert np.bincount(cut.unit).tolist() == [2] * 20
    assert "by chance" in measure(contrast, seed=0).notes[0]


def test_blocks_do_not_change_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    contrast = contrasted(panel(levels(rng)), panel(spikes(levels(rng), rng), "s"), seed=0, rules=("y >= 0",))
    before = measure(contrast, seed=0)
    monkeypatch.setenv("TSGAP_BLOCK", "500")
    assert measure(replace(contrast), seed=0) == before


def test_a_limit_lies_a_tolerance_beyond_what_was_seen() -> None:
    rng = np.random.default_rng(0)
    contrast: Contrast = contrasted(panel(levels(rng)), panel(levels(rng), "s"), seed=0)
    cut = Cut.of(contrast.real, seed=0)
    found = {limit.name: limit for limit in learnt(cut)}
    low, high = cut.windows.min(), cut.windows.max()
    assert found["too high"].high == pytest.approx(high + 0.1 * (high - low))
    assert found["negative"].low == 0
    assert found["step too large"].high == pytest.approx(1.1 * np.abs(np.diff(cut.windows, axis=1)).max())
    assert not any(limit.beyond(FIGURES[limit.kind](cut.windows)).any() for limit in found.values())


def test_a_share_of_independent_windows_counts_as_many_and_one_of_equal_windows_counts_units() -> None:
    rng = np.random.default_rng(0)
    independent = rng.random((400, 5)) < 0.3
    assert effective(independent.mean(1), 2000) == pytest.approx(2000, rel=0.2)
    equal = np.repeat(rng.random((400, 1)) < 0.3, 5, axis=1)
    assert effective(equal.mean(1), 2000) == pytest.approx(400, rel=0.05)
    assert effective(np.zeros(12), 100) == 12
    assert interval(0.3, 40) == pytest.approx(tuple(binomtest(12, 40).proportion_ci(0.95, "exact")))


def test_what_is_always_broken_against_never_is_proven() -> None:
    assert p_value(np.array([np.inf, 1.0, 2.0, -np.inf])) == 0.25


def test_it_is_offered_as_a_diagnostic() -> None:
    assert [spec.name for spec in SPECS] == ["plausibility"]
