"""Rolling origins: who sees what, and that nothing after an origin can be seen from before it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgap.errors import DataError
from tsgap.panel import STEP, Dataset, Floats, filled
from tsgap.splits import (
    DEFAULT_WINDOWS,
    Split,
    default_windows,
    known_before,
    leading_missing,
    least_training,
    rolling,
    stamps_at,
)

NAN = float("nan")


def dataset(rows: list[Any], *, season: int = 2, freq: str = STEP, starts: Any = None, **more: Any) -> Dataset:
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    if starts is None:
        starts = np.zeros(len(rows), dtype=np.int64)
    keys = tuple(f"s{i}" for i in range(len(rows)))
    values = np.concatenate([np.asarray(r, dtype=float) for r in rows])
    return Dataset("d", values, offsets, keys, np.asarray(starts), freq, (season,), **more)


def ragged(seed: int, *, gaps: float = 0.0, n: int = 6, lengths: tuple[int, int] = (25, 40)) -> Dataset:
    rng = np.random.default_rng(seed)
    rows = [rng.normal(10, 2, int(rng.integers(*lengths))) for _ in range(n)]
    for row in rows:
        row[rng.random(len(row)) < gaps] = NAN
    return dataset(rows)


def changed_after(data: Dataset, ends: Any, seed: int) -> Dataset:
    """The same data with other values, and other gaps, from step `ends[s]` of each series on."""
    rng = np.random.default_rng(seed)
    values = data.values.copy()
    for s, end in enumerate(ends):
        future = values[data.offsets[s] + end : data.offsets[s + 1]]
        future[:] = np.where(rng.random(len(future)) < 0.4, NAN, rng.normal(-500, 100, len(future)))
    return Dataset(data.name, values, data.offsets, data.keys, data.starts, data.freq, data.seasons)


def test_origins_are_counted_from_the_end_of_each_series() -> None:
    split = rolling(dataset([np.arange(20), np.arange(30)]), horizon=3, windows=2, step=4)
    assert split.train_ends.tolist() == [13, 23]
    assert split.origins.tolist() == [13, 17, 23, 27]
    assert split.series.tolist() == [0, 0, 1, 1]
    assert split.window.tolist() == [0, 1, 0, 1]
    assert split.truth.tolist() == [[13, 14, 15], [17, 18, 19], [23, 24, 25], [27, 28, 29]]
    assert (len(split), split.n_windows) == (4, 2)
    assert split.histories().keys == ("s0@0", "s0@1", "s1@0", "s1@1")
    assert split.histories().series == ("s0", "s0", "s1", "s1")


def test_all_horizons_share_the_windows_of_the_longest() -> None:
    data = ragged(0)
    longest = rolling(data, horizon=6, windows=2)
    shorter = longest.truth[:, :2]
    where = data.offsets[longest.series] + longest.origins
    assert shorter.tolist() == [[data.values[w], data.values[w + 1]] for w in where]


def test_a_first_cutoff_is_the_last_step_of_training_in_every_series() -> None:
    data = dataset([np.arange(20), np.arange(100, 130), np.arange(9)], starts=[0, 5, 30])
    split = rolling(data, horizon=3, windows=2, first_cutoff=11)
    assert split.train_ends.tolist() == [12, 7]
    assert split.truth.tolist() == [[12, 13, 14], [15, 16, 17], [107, 108, 109], [110, 111, 112]]
    assert split.cutoffs.tolist() == [11, 14, 11, 14]
    assert split.left_out == (("s2", "9 values leave 0 for training, 5 are needed"),)
    assert split.first_cutoff == "11"


def test_ragged_ends_have_as_many_windows_after_a_first_cutoff_as_fit() -> None:
    split = rolling(dataset([np.arange(20), np.arange(14), np.arange(11)]), horizon=2, windows=5, first_cutoff=9)
    assert split.window.tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert split.left_out == (("s2", "11 values end before the horizon after 9 is over"),)
    assert not np.isnan(split.truth).any()


@pytest.mark.parametrize(
    ("freq", "first", "cutoff", "known"),
    [
        ("MS", "2001-01-01", "2001-10-15", "2001-10-01"),
        ("ME", "2001-01-31", "2001-10-30", "2001-09-30"),
        ("W-SUN", "2001-01-07", "2001-03-20", "2001-03-18"),
        ("B", "2001-01-01", "2001-01-20", "2001-01-19"),
        ("D", "2001-01-01", "2001-01-20", "2001-01-20"),
        ("h", "2001-01-01", "2001-01-01 12:59", "2001-01-01 12:00"),
        ("QS-JAN", "2001-01-01", "2004-05-01", "2004-04-01"),
        ("YE-DEC", "2001-12-31", "2013", "2012-12-31"),
    ],
)
def test_a_cutoff_between_two_stamps_is_the_stamp_before(freq: str, first: str, cutoff: str, known: str) -> None:
    grid = pd.date_range(first, periods=60, freq=freq)
    data = dataset([np.arange(50), np.arange(45)], freq=freq, starts=grid[[0, 3]].to_numpy())
    split = rolling(data, horizon=2, windows=2, first_cutoff=cutoff)
    firsts = split.window == 0
    assert {pd.Timestamp(c) for c in split.cutoffs[firsts]} == {pd.Timestamp(known)}
    assert split.train_ends.tolist() == [grid.get_loc(known) + 1, grid.get_loc(known) - 2]


@pytest.mark.parametrize("freq", ["3MS", "B", "W-MON", "15min", "h", "2D", "QE-DEC"])
def test_stamps_are_those_of_pandas_whatever_day_the_series_begin(freq: str) -> None:
    rng = np.random.default_rng(0)
    begin = pd.date_range("1999-01-01", periods=12, freq={"3MS": "MS", "2D": "D"}.get(freq, freq))
    data = dataset([np.arange(int(n)) for n in rng.integers(30, 50, 30)], freq=freq,
                   starts=begin[rng.integers(0, 12, 30)].to_numpy())  # fmt: skip
    series = rng.integers(0, 30, 100)
    positions = (rng.random(100) * data.lengths[series]).astype(np.int64)
    wanted = [data.stamps(int(s), count=60)[p] for s, p in zip(series, positions, strict=True)]
    assert [pd.Timestamp(t) for t in stamps_at(data, series, positions)] == wanted
    cut = data.stamps(0)[20] + pd.Timedelta("1s")
    split = rolling(data, horizon=1, windows=1, first_cutoff=str(cut))
    for s, end in enumerate(split.train_ends):
        stamps = split.data.stamps(s)
        assert stamps[end - 1] <= cut < stamps[end]


def test_cutoffs_are_the_stamps_of_the_last_known_steps() -> None:
    data = dataset([np.arange(20)], freq="MS", starts=np.array(["2001-01-01"], dtype="datetime64[ns]"))
    split = rolling(data, horizon=3, windows=2)
    assert [str(c)[:10] for c in split.cutoffs] == ["2002-02-01", "2002-05-01"]


@pytest.mark.parametrize("mode", ["from the end", "first cutoff"])
@given(seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.1, 0.4]))
@settings(max_examples=25, deadline=None)
def test_nothing_after_an_origin_changes_what_is_known_before_it(mode: str, seed: int, gaps: float) -> None:
    data = ragged(seed, gaps=gaps)
    options: dict[str, Any] = {"first_cutoff": 12} if mode == "first cutoff" else {"windows": 2}
    split = rolling(data, horizon=4, step=3, **options)
    other = changed_after(split.data, split.train_ends, seed)
    same = Split(other, split.horizon, split.step, split.train_ends, split.series, split.window, split.origins)
    assert same.train.fingerprint == split.train.fingerprint
    assert same.n_filled == split.n_filled
    assert np.array_equal(same.scales.mae, split.scales.mae, equal_nan=True)
    assert same.training_data.fingerprint == split.training_data.fingerprint
    for w in range(split.n_windows):
        here = split.window == w
        ends = np.full(len(split.data), 0)
        ends[split.series[here]] = split.origins[here]
        ends[ends == 0] = split.data.lengths[ends == 0]
        other = changed_after(split.data, ends, seed + 1)
        later = Split(other, split.horizon, split.step, split.train_ends, split.series, split.window, split.origins)
        for limit in (None, 5):
            ours, theirs = split.histories(limit), later.histories(limit)
            for n in np.flatnonzero(here):
                assert ours[n].tobytes() == theirs[n].tobytes()


@given(seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.2, 0.6]), limit=st.sampled_from([None, 1, 7]))
@settings(max_examples=40, deadline=None)
def test_what_is_known_is_cut_first_and_filled_after(seed: int, gaps: float, limit: int | None) -> None:
    data = ragged(seed, gaps=gaps, lengths=(3, 25))
    rng = np.random.default_rng(seed)
    series = rng.integers(0, len(data), 20)
    ends = (rng.random(20) * (data.lengths[series] + 1)).astype(np.int64)
    values, offsets, count = known_before(data, series, ends, limit)
    wanted, missing = [], 0
    for s, end in zip(series, ends, strict=True):
        y, _ = filled(data[s][:end])
        keep = len(y) if limit is None else min(limit, len(y))
        raw = data[s][:end]
        missing += int(np.isnan(raw[end - keep :]).sum())
        wanted.append(y[len(y) - keep :])
    assert np.diff(offsets).tolist() == [len(w) for w in wanted]
    assert values.tolist() == np.concatenate(wanted).tolist()
    assert count == missing
    firsts = [np.flatnonzero(~np.isnan(data[s])) for s in range(len(data))]
    assert leading_missing(data).tolist() == [
        int(there[0]) if len(there) else int(n) for there, n in zip(firsts, data.lengths, strict=True)
    ]


def test_a_gap_across_the_cutoff_takes_the_last_value_and_one_before_it_is_bridged() -> None:
    y = [NAN, NAN, 1, NAN, 3, 4, 5, 6, NAN, NAN, 9, 10, 11]
    split = rolling(dataset([y], season=1), horizon=3, windows=1, step=3)
    assert split.train_ends.tolist() == [10]
    assert split.train[0].tolist() == [1, 2, 3, 4, 5, 6, 6, 6]
    assert split.histories()[0].tolist() == [1, 2, 3, 4, 5, 6, 6, 6]
    assert split.n_filled == 3
    assert np.isnan(split.training_data[0]).tolist() == np.isnan(y[:10]).tolist()


def test_truth_is_missing_where_it_is_missing() -> None:
    y = np.arange(20.0)
    y[18] = NAN
    truth = rolling(dataset([y]), horizon=3, windows=1).truth
    assert np.isnan(truth).tolist() == [[False, True, False]]


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("limit", [None, 4])
def test_no_view_of_what_is_known_leads_to_the_truth(gaps: float, limit: int | None) -> None:
    split = rolling(ragged(3, gaps=gaps), horizon=4, windows=2)
    panels = [split.histories(limit), split.train]
    size = sum(len(row) for row in split.histories(limit))
    assert len(panels[0].values) == size
    for made in panels:
        for array in (made.values, made.offsets, made[0]):
            base: Any = array
            while base is not None:
                assert not np.shares_memory(base, split.data.values)
                assert len(base) <= len(made.values)
                base = base.base


def test_series_that_are_too_short_are_listed_with_the_reason() -> None:
    rows = [np.arange(20.0), np.arange(9.0), np.r_[np.full(10, NAN), np.arange(10.0)], np.r_[1, np.full(15, NAN), 1:5]]
    split = rolling(dataset(rows), horizon=3, windows=2)
    assert split.data.keys == ("s0",)
    assert split.left_out == (
        ("s1", "9 values leave 3 for training, 5 are needed"),
        ("s2", "20 values leave 4 for training, 5 are needed"),
        ("s3", "fewer than 5 values in its training part are not missing"),
    )


def test_when_no_series_is_long_enough_the_first_is_named() -> None:
    with pytest.raises(DataError, match=r"no series is long enough for 2 windows of 9 steps.*first 's0': 20 values"):
        rolling(dataset([np.arange(20.0)]), horizon=9, windows=2)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"horizon": 1, "windows": 0}, "windows must be"),
        ({"horizon": 1, "step": 0}, "step must be"),
        ({"horizon": 1, "first_cutoff": "then"}, "integers, the first cutoff 'then' is not"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        rolling(dataset([np.arange(20.0)]), **asked)


@pytest.mark.parametrize("cutoff", ["then", 7, "", "NaT", "2001-02-01T00:00Z"])
def test_a_first_cutoff_that_is_no_date_is_refused(cutoff: Any) -> None:
    data = dataset([np.arange(50)], freq="D", starts=np.array(["2001-01-01"], dtype="datetime64[ns]"))
    with pytest.raises(DataError, match="is not a date"):
        rolling(data, horizon=2, first_cutoff=cutoff)


def test_default_windows_leave_half_of_the_median_series() -> None:
    def asked(length: int, horizon: int, season: int) -> int:
        return default_windows(np.array([length]), horizon, horizon, season)

    assert asked(1000, 10, 12) == DEFAULT_WINDOWS
    assert asked(100, 20, 12) == 2
    assert asked(30, 20, 12) == 1
    assert default_windows(np.array([1000]), 24, 1, 12) == DEFAULT_WINDOWS


def test_the_least_training_part_is_two_seasons_and_a_value() -> None:
    assert [least_training(m) for m in (1, 2, 12)] == [5, 5, 25]
    assert rolling(dataset([np.arange(8)], season=1), horizon=3, windows=1).train_ends.tolist() == [5]


def naive_scale(y: Floats, m: int) -> tuple[float, float]:
    """Seasonal-naive errors in a loop, over the pairs that are there."""
    errors = [y[t] - y[t - m] for t in range(m, len(y)) if not np.isnan(y[t] - y[t - m])]
    return float(np.mean(np.abs(errors))), float(np.sqrt(np.mean(np.square(errors))))


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_scales_are_the_seasonal_naive_errors_of_the_training_part(gaps: float) -> None:
    data = ragged(4, gaps=gaps)
    split = rolling(data, horizon=4, windows=2)
    wanted = [naive_scale(split.data[s][:end], 2) for s, end in enumerate(split.train_ends)]
    np.testing.assert_allclose(np.column_stack([split.scales.mae, split.scales.rmse]), wanted, rtol=1e-12)
    assert (split.scales.fallback, split.scales.undefined) == ((), ())


def test_a_training_part_of_no_more_than_a_season_has_no_seasonal_error_and_is_scaled_by_its_spread() -> None:
    split = rolling(dataset([np.arange(8.0) ** 2] * 3), horizon=2, windows=1)
    for short in ([2, 6, 6], [6, 2, 6], [6, 6, 2], [1, 2, 2]):
        scales = replace(split, train_ends=np.array(short)).scales
        wanted = [naive_scale(split.data[s][:end], 2)[0] if end > 2 else 0.5 for s, end in enumerate(short)]
        assert scales.mae[np.array(short) > 1].tolist() == [w for w, end in zip(wanted, short, strict=True) if end > 1]
        assert scales.fallback == tuple(f"s{s}" for s, end in enumerate(short) if end == 2)
        assert scales.undefined == tuple(f"s{s}" for s, end in enumerate(short) if end == 1)


def test_a_series_that_repeats_its_season_is_scaled_by_its_spread_and_a_constant_not_at_all() -> None:
    season = np.tile([1.0, 5.0], 10)
    rows = [np.arange(20.0), season, np.full(20, 0.1 + 0.2), np.full(20, 3.0) + 1e-15 * np.arange(20), np.zeros(20)]
    scales = rolling(dataset(rows), horizon=2, windows=1).scales
    assert scales.fallback == ("s1",)
    assert scales.undefined == ("s2", "s3", "s4")
    assert scales.mae.tolist()[:2] == [2.0, 2.0]
    assert scales.rmse.tolist()[:2] == [2.0, 2.0]
    assert np.isnan(scales.mae[2:]).all()
    assert np.isnan(scales.rmse[2:]).all()


def test_the_fingerprint_sees_data_cutoffs_horizon_groups_and_weights() -> None:
    data = ragged(5)
    more = Dataset("d", data.values, data.offsets, data.keys, data.starts, data.freq, data.seasons,
                   groups={"g": ("x",) * 6}, weights=np.arange(6.0))  # fmt: skip
    prints = {
        rolling(data, horizon=4, windows=2).fingerprint,
        rolling(data, horizon=4, windows=1).fingerprint,
        rolling(data, horizon=3, windows=2).fingerprint,
        rolling(more, horizon=4, windows=2).fingerprint,
        rolling(changed_after(data, data.lengths - 1, 0), horizon=4, windows=2).fingerprint,
    }
    assert len(prints) == 5
    assert rolling(data, horizon=4, windows=2).fingerprint in prints


def test_groups_and_weights_follow_their_series() -> None:
    rows = [np.arange(20.0), np.arange(5.0), np.arange(21.0)]
    data = dataset(rows, groups={"g": ("x", "y", "z")}, weights=np.array([1.0, 2.0, 3.0]))
    split = rolling(data, horizon=2, windows=2)
    assert split.train.groups == {"g": ("x", "z")}
    assert split.train.weights is not None
    assert split.train.weights.tolist() == [1.0, 3.0]
    assert split.histories().groups == {"g": ("x", "x", "z", "z")}


def test_thirty_thousand_series_are_split_in_seconds() -> None:
    """Work that grows with the square of the number of series takes minutes here."""
    n, rng = 30_000, np.random.default_rng(0)
    values = rng.normal(10, 1, n * 40)
    values[rng.random(len(values)) < 0.02] = NAN
    starts = pd.date_range("2001-01-01", periods=2000, freq="MS").to_numpy()[rng.integers(0, 1000, n)]
    data = Dataset("d", values, np.arange(n + 1) * 40, tuple(map(str, range(n))), starts, "MS", (4,))
    before = time.process_time()
    split = rolling(data, horizon=4, windows=2)
    assert len(split.train) == len(split.scales.mae)
    assert len(split.histories(8)) == len(split.truth) == len(split.cutoffs)
    assert time.process_time() - before < 10


@pytest.mark.parametrize("step", [2, 3, 5])
def test_blocks_are_those_of_the_calendar_whichever_series_a_window_belongs_to(step: int) -> None:
    starts = np.array(["2001-01", "2001-01", "2002-02"], dtype="datetime64[M]").astype("datetime64[ns]")
    data = dataset([np.arange(60.0), np.arange(57.0), np.arange(47.0)], freq="MS", starts=starts)
    split = rolling(data, horizon=3, windows=6, step=step)
    month = split.cutoffs.astype("datetime64[M]").astype(np.int64)
    assert split.blocks.tolist() == ((month - month.min()) // max(3, step)).tolist()
    of = [split.blocks[split.series == s].tolist() for s in range(3)]
    assert of[0] == of[2]
    if step >= 3:
        assert all(len(set(mine)) == 6 for mine in of)
