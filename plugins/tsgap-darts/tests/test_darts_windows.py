"""Which windows there are, how they are drawn, and the context where none is given."""

from __future__ import annotations

import numpy as np
from tsgap_darts.windows import default_context, windows_of

from tsgap.panel import Panel


def ramp(*lengths: int) -> Panel:
    return Panel.of({f"s{i}": np.arange(n, dtype=float) for i, n in enumerate(lengths)}, seasons=(4,))


def test_the_context_is_two_of_the_longest_seasons():
    assert default_context(np.array([5000]), (24, 168), 96) == 336
    assert default_context(np.array([100]), (1,), 6) == 8


def test_the_context_leaves_room_for_the_leads_in_a_typical_series():
    assert default_context(np.array([30, 30, 900]), (12,), 12) == 18
    assert default_context(np.array([36]), (24,), 336) == 18
    assert default_context(np.array([1]), (24,), 336) == 1


def test_every_window_is_as_likely_as_any_other_whatever_its_series():
    windows = windows_of(ramp(12, 9, 30), name="x", horizon=2, context=8, recursive=False)
    assert windows.rows.tolist() == [0, 2]
    assert windows.counts.tolist() == [3, 21]
    assert (len(windows), windows.left_out) == (24, 1)
    rows, starts = windows.drawn(24_000, seed=1)
    assert starts[rows == 0].max() == 2
    assert starts[rows == 2].max() == 20
    seen = np.bincount(np.where(rows == 0, starts, 3 + starts), minlength=24)
    assert seen.min() > 800
    assert seen.max() < 1200
    assert seen.sum() == 24_000


def test_windows_are_drawn_by_seed():
    windows = windows_of(ramp(40, 50), name="x", horizon=2, context=8, recursive=False)
    first, again, other = (np.stack(windows.drawn(50, seed=s)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_cap_never_takes_more_windows_than_asked_for():
    windows = windows_of(ramp(*[20] * 10), name="x", horizon=2, context=8, recursive=False)
    for most in (1, 4, 10, 25, 1000):
        rows, latest = windows.capped(most)
        assert len(rows) * min(latest, 11) <= most
        assert len(set(rows.tolist())) == len(rows)
    assert windows.capped(4)[0].tolist() == [0, 3, 6, 9]


def test_a_recursive_model_needs_one_lead_only():
    assert windows_of(ramp(10), name="x", horizon=50, context=8, recursive=True).leads == 1
    assert windows_of(ramp(10), name="x", horizon=50, context=8, recursive=False).leads == 2
