"""Moments without windows, against the products of windows built one by one; weighted sums; the ridge they choose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from tsgap import moments
from tsgap.moments import RIDGES, Level, Moments, chosen_ridge, less_level, moments_of, total
from tsgap.panel import Floats


def windows(rows: list[Floats], context: int, leads: int, level: Level) -> tuple[Floats, Floats]:
    """All windows, each less the level of its context. A row's mean goes first: windows do not change by it."""
    width = context + leads
    every = [sliding_window_view(row - row.mean(), width) for row in rows if len(row) >= width]
    return less_level(np.concatenate([*every, np.empty((0, width))]), context, level)


def direct(rows: list[Floats], context: int, leads: int, level: Level = "mean") -> Moments:
    x, y = windows(rows, context, leads, level)
    return Moments(x.T @ x, x.T @ y, (y**2).sum(0), float(len(x)))


def gathered(rows: list[Floats], context: int, leads: int, level: Level = "mean") -> Moments:
    lengths = np.array([len(row) for row in rows])
    begins = np.cumsum(lengths) - lengths
    return moments_of(np.concatenate(rows), begins, lengths, context=context, leads=leads, level=level)


def error(found: Moments, wanted: Moments) -> float:
    """Largest difference relative to the size of contexts and leads."""
    assert found.windows == wanted.windows
    x, y = np.abs(wanted.xx).max(), wanted.yy.max()
    return max(
        float(np.abs(found.xx - wanted.xx).max() / x),
        float(np.abs(found.xy - wanted.xy).max() / np.sqrt(x * y)),
        float(np.abs(found.yy - wanted.yy).max() / y),
    )


def seasonal(n: int, seed: int = 0) -> Floats:
    return np.sin(np.arange(n) * 2 * np.pi / 24) + np.random.default_rng(seed).normal(size=n)


def walk(n: int, seed: int = 0) -> Floats:
    return np.cumsum(np.random.default_rng(seed).normal(size=n))


PANELS: dict[str, tuple[list[Floats], int, int]] = {
    "one long series": ([seasonal(17_420)], 96, 48),
    "a level of a million": ([1e6 + seasonal(6000, i) for i in range(3)], 48, 24),
    "a long random walk": ([walk(20_000)], 48, 24),
    "a random walk at a level of a million": ([1e6 + walk(20_000)], 24, 12),
    "a steep trend": ([10.0 * np.arange(9000) + seasonal(9000)], 48, 24),
    "ragged lengths, some too short": ([1e3 + seasonal(n, n) for n in range(3, 900, 7)], 30, 20),
    "many short series": ([walk(10 + i % 40, i) for i in range(2000)], 20, 4),
    "series of a single window": ([seasonal(30, i) for i in range(50)], 20, 10),
    "a single context value": ([seasonal(400)], 1, 3),
    "a single lead": ([seasonal(400)], 7, 1),
    "a large series next to small ones": ([1e4 * seasonal(500), *[seasonal(500, i) for i in range(1, 9)]], 24, 6),
}


@pytest.mark.parametrize("level", ["mean", "last"])
@pytest.mark.parametrize("name", PANELS)
def test_moments_are_the_products_of_all_windows(name: str, level: Level) -> None:
    rows, context, leads = PANELS[name]
    if (context, level) == (1, "last"):
        context = 2
    found, wanted = gathered(rows, context, leads, level), direct(rows, context, leads, level)
    if not wanted.power:  # a single value less its own mean
        assert not found.xx.any()
        np.testing.assert_allclose(found.yy, wanted.yy, rtol=1e-10)
        return
    assert error(found, wanted) < 1e-10


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    context=st.integers(2, 12),
    leads=st.integers(1, 9),
    block=st.sampled_from([40, 300, 2**18]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_moments_are_those_of_windows_for_any_lengths_and_blocks(
    lengths: list[int], context: int, leads: int, block: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.normal(5, 2, n) for n in lengths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "_BLOCK", block)
        found = gathered(rows, context, leads)
    wanted = direct(rows, context, leads)
    if wanted.windows:
        assert error(found, wanted) < 1e-11
    else:
        assert (found.windows, found.xx.any(), found.xy.any(), found.yy.any()) == (0, False, False, False)


def test_transforms_have_the_lengths_that_another_library_finds_quick() -> None:
    from scipy.fft import next_fast_len

    numbers = [*range(1, 600), 1023, 1025, 2187, 4225, 9999]
    assert [moments._quick_length(n) for n in numbers] == [next_fast_len(n, real=True) for n in numbers]


@pytest.fixture
def by_windows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows were built, block by block."""
    built: list[int] = []
    slow = moments._window_by_window

    def counted(z: Any, windows: Any, *others: Any) -> Moments:
        built.append(int(windows.sum()))
        return slow(z, windows, *others)

    monkeypatch.setattr(moments, "_window_by_window", counted)
    return built


def test_where_rounding_would_show_windows_are_built(by_windows: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    # a window of three values sees next to nothing of what a thousand do
    rows = [np.cumsum(np.cumsum(walk(1000, i))) for i in range(3)]
    wanted = direct(rows, 2, 1)
    found = gathered(rows, 2, 1)
    assert by_windows == [3 * 998]
    assert error(found, wanted) < 1e-10
    monkeypatch.setattr(moments, "_CANCELLED", np.inf)
    assert error(gathered(rows, 2, 1), wanted) > max(1e-11, 100 * error(found, wanted))


def test_ordinary_series_are_not_built_window_by_window(by_windows: list[int]) -> None:
    for name in ("one long series", "a long random walk", "many short series", "a level of a million"):
        gathered(*PANELS[name])
    assert by_windows == []


def test_a_constant_has_no_moments_at_any_level() -> None:
    for level in (0.0, 0.1, 1e6 / 3):
        found = gathered([np.full(300, level)], 8, 4)
        assert np.abs(found.xx).max() <= found.windows * (1e-15 * level) ** 2
        assert not found.coefficients(0.0).any() or np.abs(found.coefficients(0.0)).max() < 1e-6


def test_moments_add_and_are_weighted_from_both_sides() -> None:
    one, other = gathered([seasonal(200, 1)], 12, 3), gathered([seasonal(300, 2)], 12, 3)
    both = gathered([seasonal(200, 1), seasonal(300, 2)], 12, 3)
    assert error(one + other, both) < 1e-12
    assert error(total([one, other]), both) < 1e-12
    for twice in (2 * one, one * 2, np.float64(2) * one, one * np.float64(2)):
        assert isinstance(twice, Moments)
        assert error(twice, one + one) == 0
        np.testing.assert_allclose(twice.coefficients(0.1), one.coefficients(0.1), rtol=1e-9)


def test_coefficients_are_those_of_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    rows = [seasonal(200, i) for i in range(4)]
    x, y = windows(rows, 12, 3, "mean")
    found = gathered(rows, 12, 3)
    for ridge in (1e-4, 1e-1, 10.0):
        oracle = Ridge(alpha=ridge * found.power, fit_intercept=False, solver="svd").fit(x, y)
        np.testing.assert_allclose(found.coefficients(ridge), oracle.coef_.T, rtol=1e-8, atol=1e-12)


def left_out_errors(rows: list[list[Floats]], context: int, leads: int) -> Floats:
    """Squared error of each ridge over parts that are left out in turn, by fitting and forecasting windows."""
    errors = np.zeros(len(RIDGES))
    for i, part in enumerate(rows):
        rest = total([direct(other, context, leads) for j, other in enumerate(rows) if j != i])
        x, y = windows(part, context, leads, "mean")
        errors += [((y - x @ rest.coefficients(ridge)) ** 2).sum() for ridge in RIDGES]
    return errors


@pytest.mark.parametrize(("noise", "length"), [(0.1, 60), (1.0, 40), (1.0, 120), (4.0, 40)])
def test_the_ridge_is_the_best_for_parts_left_out_in_turn(noise: float, length: int) -> None:
    rng = np.random.default_rng(int(10 * noise))
    rows = [
        [np.sin(np.arange(length) * 2 * np.pi / 12 + i) + noise * rng.normal(size=length) for i in range(2)]
        for _ in range(4)
    ]
    errors = left_out_errors(rows, 24, 5)
    assert chosen_ridge([gathered(part, 24, 5) for part in rows]) == RIDGES[int(np.argmin(errors))]


def test_with_fewer_than_two_parts_no_ridge_is_chosen() -> None:
    one, nothing = gathered([seasonal(200)], 12, 3), gathered([seasonal(9)], 12, 3)
    assert nothing.windows == 0
    assert chosen_ridge([one]) is None
    assert chosen_ridge([one, nothing]) is None
    assert chosen_ridge([one, one]) in RIDGES


def test_of_many_leads_some_choose_the_ridge_nearly_as_well_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [gathered([seasonal(400, i)], 36, 100) for i in range(4)]
    some = chosen_ridge(parts)
    monkeypatch.setattr(moments, "_LEADS", 100)
    every = chosen_ridge(parts)
    assert some is not None
    assert every is not None
    assert 0.1 < some / every < 10
