"""The arms of a comparison: alike in everything but the values that they learn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tsgap import blocks
from tsgap.arms import POOL, Arms, Rules, TrainingSet, arms_of, pairing, relabelled, train_figures
from tsgap.errors import UsageError
from tsgap.footing import Footing, count_pairs
from tsgap.panel import Panel

RULES = Rules((1, 6))


def world(n: int = 10, length: int = 60, *, seed: int = 0, prefix: str = "s", **more: Any) -> Panel:
    rng = np.random.default_rng(seed)
    lengths = [length] * n if isinstance(length, int) else length
    made = Panel.of({f"{prefix}{i}": rng.normal(10, 1, t) for i, t in enumerate(lengths)}, freq="MS", seasons=(12,))
    return replace(made, **more)


def arms(real: Panel, synthetic: Panel, **options: Any) -> Arms:
    given: dict[str, Any] = {"null": None, "windows": None, "scope": "global", "rules": RULES, "seed": 3}
    return arms_of(real, synthetic, **(given | options))


def by_name(made: Arms) -> dict[str, TrainingSet]:
    return {one.arm: one for one in made.sets}


def shuffled(panel: Panel) -> Panel:
    rng = np.random.default_rng(9)
    return panel.with_values(np.concatenate([rng.permutation(y) for y in panel]))


def stands_for(training: TrainingSet, source: Panel) -> list[str]:
    """The rows of `source` that the training panel's rows are, or are the end of."""
    ends = [next(k for k, y in zip(source.keys, source, strict=True) if y[-len(row) :].tolist() == row.tolist())
            for row in training.panel]  # fmt: skip
    return ends


def test_ids_pair_where_95_percent_match_on_both_sides() -> None:
    real = [f"s{i}" for i in range(100)]
    assert pairing(real, real[:95]).paired
    assert not pairing(real, real[:94]).paired
    assert not pairing(real[:94], real).paired
    assert not pairing(real, [*real, *(f"x{i}" for i in range(6))]).paired
    found = pairing(["a", "b", "c"], ["c", "x", "b"])
    assert (found.common, found.only_real, found.only_synthetic) == (("b", "c"), ("a",), ("x",))
    assert not pairing([], []).paired


@pytest.mark.parametrize("scope", ["global", "local"])
@pytest.mark.parametrize("scaling", [None, "train", "none"])
def test_a_copy_is_the_control_bit_by_bit(scope: str, scaling: str | None) -> None:
    real = world(groups={"g": tuple("xy" * 5)}, weights=np.arange(10.0))
    rules = replace(RULES, scaling=scaling)
    copies = [real, replace(real, groups={}, weights=None), real.take(np.arange(10)[::-1]),
              replace(real, freq="step", seasons=(1,))]  # fmt: skip
    for copied in copies:
        made = by_name(arms(real, copied, scope=scope, rules=rules))
        assert set(made) == {"real", "synthetic"}
        assert made["synthetic"].panel.fingerprint == made["real"].panel.fingerprint
        assert made["synthetic"].footing == made["real"].footing
        assert np.array_equal(made["synthetic"].figures, made["real"].figures)


def test_an_unpaired_copy_is_the_control_too() -> None:
    real = world(30)
    for scope in ("global", "local"):
        made = by_name(arms(real, real.renamed([f"x{i}" for i in range(30)]), scope=scope))
        assert made["synthetic"].panel.fingerprint == made["real"].panel.fingerprint


def test_arms_differ_in_values_and_in_nothing_else() -> None:
    real = world(groups={"g": tuple("xy" * 5)}, weights=np.arange(10.0))
    for other in (world(seed=1), world(seed=1, prefix="x")):
        other = replace(other, freq="step", seasons=(1,), series=("one",) * 10)
        for one in arms(real, other, null=shuffled(real)).sets:
            control = arms(real, other).sets[0]
            assert one.panel.with_values(control.panel.values).fingerprint == control.panel.fingerprint
            assert one.footing == control.footing
            assert one.pairs == control.pairs


def test_twins_take_groups_and_weights_and_the_unpaired_have_none() -> None:
    real = world(groups={"g": tuple("xy" * 5)}, weights=np.arange(10.0))
    paired = by_name(arms(real, world(seed=1)))["synthetic"].panel
    assert paired.groups == real.groups
    assert paired.weights is not None
    assert paired.weights.tolist() == list(range(10))
    for one in arms(real, world(seed=1, prefix="x")).sets:
        assert one.panel.groups == {}
        assert one.panel.weights is None


def test_an_unpaired_source_gets_an_unpaired_control() -> None:
    real = world(groups={})
    made = arms(real, world(seed=1, prefix="x"), null=shuffled(real))
    assert not made.pairing.paired
    for one in made.sets:
        assert not set(one.panel.keys) & set(real.keys)
        assert not set(one.panel.series) & set(real.keys)
        assert one.panel.keys == made.sets[0].panel.keys


def test_new_labels_match_no_real_series_whatever_it_is_called() -> None:
    real = world(4).renamed(["row 0", "_row 3", "b", "c"])
    assert not set(relabelled(real, real.keys).keys) & set(real.keys)
    assert relabelled(world(2), ("a", "b")).keys == ("row 0", "row 1")


def test_unmatched_ids_are_left_out_of_every_arm_and_listed() -> None:
    real, other = world(100), world(99, seed=1)
    other = other.renamed([*other.keys[:-1], "stranger"])
    made = arms(real, other, null=shuffled(real))
    assert made.pairing.paired
    for one in made.sets:
        assert one.panel.keys == real.keys[:98]
    assert made.notes == ("paired on 98 ids; left out: 2 real without a twin (s98, s99), 1 synthetic (stranger)",)


@pytest.mark.parametrize(("n_real", "n_synthetic"), [(10, 25), (25, 10), (10, 10), (40, 3)])
def test_arms_are_matched_in_pairs_and_the_smaller_one_is_left_alone(n_real: int, n_synthetic: int) -> None:
    real, other = world(n_real), world(n_synthetic, seed=1, prefix="x")
    made = by_name(arms(real, other, null=shuffled(real)))
    least = min(n_real, n_synthetic) * (60 - 24 - 6 + 1)
    for arm in ("real", "synthetic", "null"):
        footing = made[arm].footing
        assert made[arm].pairs == least
        assert count_pairs(made[arm].panel.lengths, footing.context, footing.leads).sum() == least
    assert made["real"].pairs_before == n_real * 31
    assert made["synthetic"].pairs_before == n_synthetic * 31
    assert ("real-full" in made) == (n_real > n_synthetic)
    if n_real > n_synthetic:
        assert made["real-full"].pairs == made["real-full"].pairs_before == n_real * 31


def test_the_full_control_stands_beside_only_where_more_than_a_tenth_was_cut() -> None:
    assert "real-full" not in by_name(arms(world(100), world(90, seed=1, prefix="x")))
    assert "real-full" in by_name(arms(world(100), world(89, seed=1, prefix="x")))


def test_unmatched_arms_keep_the_sizes_they_have() -> None:
    made = by_name(arms(world(10), world(25, [50] * 25, seed=1, prefix="x"), rules=replace(RULES, match=False)))
    assert set(made) == {"real", "synthetic"}
    assert [len(made[a].panel) for a in ("real", "synthetic")] == [10, 25]


def test_the_null_arm_is_cut_like_the_control() -> None:
    real = world(30, list(range(50, 80)))
    null = shuffled(real)
    made = by_name(arms(real, world(12, seed=1, prefix="x"), null=null))
    control, nothing = made["real"], made["null"]
    assert stands_for(control, real) == stands_for(nothing, null)
    assert control.panel.lengths.tolist() == nothing.panel.lengths.tolist()


def test_twins_of_different_lengths_are_cut_alike_and_no_series_is_lost() -> None:
    real, other = world(10, [60] * 5 + [90] * 5), world(10, [80] * 10, seed=1)
    null = shuffled(real)
    for scope in ("global", "local"):
        made = arms(real, other, null=null, scope=scope)
        sets = by_name(made)
        for name, source in (("real", real), ("synthetic", other), ("null", null)):
            assert sets[name].panel.lengths.tolist() == [60] * 5 + [80] * 5
            assert stands_for(sets[name], source) == list(real.keys)
        assert sets["real"].pairs == sets["synthetic"].pairs
        assert any("700 of 750 real and 700 of 800 synthetic values" in note for note in made.notes)
    whole = by_name(arms(world(10, [90] * 10), world(10, seed=1), scope="local"))
    assert whole["real-full"].panel.lengths.tolist() == [90] * 10


def test_series_too_short_to_count_are_said() -> None:
    made = arms(world(10), world(40, [60] * 10 + [20] * 30, seed=1, prefix="x"))
    assert any(
        "30 of 40 synthetic series (50% of the values) are shorter than a context of 24" in n for n in made.notes
    )
    assert arms(world(10), world(41, [60] * 40 + [20], seed=1, prefix="x")).notes == ()


@pytest.mark.parametrize("ids", ["s", "x"])
def test_short_series_get_two_controls(ids: str) -> None:
    real, other = world(10), world(10, [20] * 10, seed=1, prefix=ids)
    made = arms(real, other, null=shuffled(real), rules=Rules((1, 6, 12)))
    sets = by_name(made)
    assert list(sets) == ["real", "real-short", "synthetic", "null"]
    assert made.short == 20
    assert sets["real"].footing == sets["null"].footing == Footing("mean-abs", 24, ids == "s", 12)
    assert sets["real-short"].footing == sets["synthetic"].footing == Footing("mean-abs", 8, ids == "s", 12)
    assert sets["real-short"].pairs == sets["synthetic"].pairs == 10
    assert sets["real-short"].panel.lengths.tolist() == [20] * 10
    assert sets["real-short"].panel.keys == sets["synthetic"].panel.keys
    assert sets["real"].panel.lengths.tolist() == [60] * 10
    if ids == "s":
        assert stands_for(sets["real-short"], real) == list(real.keys)


def test_windows_are_short_and_unpaired_whatever_they_are_called() -> None:
    real = world(10)
    made = arms(real, world(50, [60] * 50, seed=1), windows=60)
    assert made.short == 60
    assert not made.pairing.paired
    assert by_name(made)["synthetic"].footing.scaling == "standard"


def test_real_windows_are_as_ragged_as_the_synthetic_ones() -> None:
    lengths = [20, 14, 17] * 4
    sets = by_name(arms(world(10), world(12, lengths, seed=1, prefix="x"), rules=replace(RULES, match=False)))
    assert sorted(sets["real-short"].panel.lengths) == sorted(lengths)


def test_windows_longer_than_every_real_series_are_compared_with_whole_ones() -> None:
    made = arms(world(10), world(10, [100] * 10, seed=1, prefix="x"), windows=100)
    assert by_name(made)["real-short"].panel.lengths.tolist() == [60] * 10


def test_windows_are_not_repeated_and_bring_no_more_pairs_than_the_control_has() -> None:
    real = world(2, [40, 40])
    made = arms(real, world(500, [20] * 500, seed=1, prefix="x"), windows=20, rules=Rules((1, 6), context=12))
    sets = by_name(made)
    assert sets["real"].pairs == 2 * (40 - 12 - 6 + 1)
    assert sets["synthetic"].pairs == sets["real-short"].pairs == sets["real"].pairs
    assert sets["synthetic"].pairs_before == 500 * 3
    assert sets["real-short"].pairs_before == 42 * 3
    assert any("room for 42 windows, the source has 500" in note for note in made.notes)
    rows = {row.tobytes() for row in sets["real-short"].panel}
    assert len(rows) == len(sets["real-short"].panel)


def test_real_series_without_a_window_are_said() -> None:
    made = arms(world(3, [60, 60, 30]), world(5, [40] * 5, seed=1, prefix="x"), windows=40)
    assert any("1 of 3 real series are shorter than a synthetic window" in note for note in made.notes)
    assert any("first 's2'" in note for note in made.notes)


@pytest.mark.parametrize(("n_real", "n_synthetic", "size"), [(50, 80, POOL), (5, 80, 5), (50, 7, 7)])
def test_pools_of_local_forecasters_are_equally_large_in_every_arm(n_real: int, n_synthetic: int, size: int) -> None:
    real = world(n_real)
    made = arms(real, world(n_synthetic, seed=1, prefix="x"), null=shuffled(real), scope="local")
    assert [len(one.panel) for one in made.sets] == [size] * 3
    assert {one.pairs for one in made.sets} == {size}
    short = arms(real, world(n_synthetic, [20] * n_synthetic, seed=1, prefix="x"), windows=20, scope="local")
    assert [len(one.panel) for one in short.sets] == [size] * 3


def test_local_twins_are_all_there_and_never_sub_sampled() -> None:
    real = world(50)
    made = arms(real, world(50, seed=1), scope="local")
    assert [one.panel.keys for one in made.sets] == [real.keys] * 2


def test_figures_are_those_of_the_real_series_of_each_row() -> None:
    real = world(10, series=("shared",) * 10)
    figures = train_figures(real)
    rules = replace(RULES, scaling="train")
    sets = by_name(arms(real, world(10, [20] * 10, seed=1), rules=rules, null=shuffled(real)))
    for one in sets.values():
        assert one.figures is not None
        assert one.figures.tolist() == [list(figures[k]) for k in real.keys]
    with pytest.raises(UsageError, match=r"scaling 'train' needs the real series.*none for 'x0' \(10 of 10\)"):
        arms(real, world(10, seed=1, prefix="x"), rules=rules)


@pytest.mark.parametrize("size", ["1", "100", ""])
def test_figures_are_to_the_last_bit_those_of_each_series_alone(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blocks.VARIABLE, size)
    lengths = [*np.random.default_rng(0).integers(2, 300, 60).tolist(), 40, 40, 40]
    real = world(63, lengths)
    assert train_figures(real) == {k: (float(y.mean()), float(y.std())) for k, y in zip(real.keys, real, strict=True)}


@pytest.mark.parametrize("scope", ["global", "local"])
@pytest.mark.parametrize("paired", [True, False])
def test_twins_of_equal_length_are_not_copied(scope: str, paired: bool) -> None:
    real, synthetic = world(POOL), world(POOL, seed=1, prefix="s" if paired else "x")
    sets = by_name(arms(real, synthetic, scope=scope, null=shuffled(real)))
    assert np.shares_memory(sets["real"].panel.values, real.values)
    assert np.shares_memory(sets["synthetic"].panel.values, synthetic.values)


def test_a_constant_series_has_the_median_scale_of_the_others() -> None:
    real = Panel.of({"a": np.full(50, 0.1), "b": np.zeros(9), "c": [0.0, 4.0], "d": [0.0, 8.0]})
    assert {k: v[1] for k, v in train_figures(real).items()} == {"a": 3.0, "b": 3.0, "c": 2.0, "d": 4.0}
    assert train_figures(Panel.of({"b": np.zeros(9)})) == {"b": (0.0, 1.0)}
    assert train_figures(Panel.of({"c": [0.0, 6.0]})) == {"c": (3.0, 3.0)}


def test_leads_are_what_the_shortest_arm_can_teach() -> None:
    made = arms(world(5), world(5, [55] * 5, seed=1, prefix="x"), rules=Rules((40,), context=20))
    assert made.short == 55
    sets = by_name(made)
    assert sets["real"].footing.leads == 40
    assert sets["synthetic"].footing.leads == 35


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match=r"a context of 60 leaves nothing to learn.* 60 values"):
        arms(world(), world(seed=1), rules=Rules((6,), context=60))
    with pytest.raises(UsageError, match="no value"):
        arms(world(), Panel.of({"a": []}))


def test_replicates_are_other_subsamples() -> None:
    prints = {
        by_name(arms(world(30), world(10, seed=1, prefix="x"), seed=seed))["real"].panel.fingerprint
        for seed in range(5)
    }
    assert len(prints) == 5
