"""Rules of one's own: what texts name, and which series break them, where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tsgap.diagnostics.rules import FORMS, Rule, longest_runs, parsed
from tsgap.errors import UsageError
from tsgap.panel import Panel


def broken(text: str, *rows: list[float]) -> list[bool]:
    found = Rule.parse(text).of(Panel.of({f"s{i}": row for i, row in enumerate(rows)}))
    return found.broken.tolist()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("y>=0", "y >= 0"),
        ("  Y  <= 1e2 ", "y <= 100"),
        ("abs( diff ) <= 50", "abs(diff) <= 50"),
        ("mean over 7 > -.5", "mean over 7 > -0.5"),
        ("y is whole", "y is whole"),
        ("whole", "y is whole"),
        ("y is nondecreasing", "diff >= 0"),
        ("decreasing", "diff < 0"),
        ("flat <= 5", "flat <= 5"),
    ],
)
def test_a_text_names_a_rule_and_the_rule_its_text(text: str, canonical: str) -> None:
    rule = Rule.parse(text)
    assert str(rule) == canonical
    assert Rule.parse(canonical) == rule


@pytest.mark.parametrize(
    "text", ["", "y", "y = 0", "y >= ten", "x >= 0", "y is prime", "y >= 0 within horizon", "0<=y"]
)
def test_a_text_that_names_no_rule_is_quoted_and_told_what_there_is(text: str) -> None:
    with pytest.raises(UsageError) as err:
        Rule.parse(text)
    assert repr(text) in str(err.value)
    assert FORMS in str(err.value)


@pytest.mark.parametrize("text", ["y over 7 >= 0", "flat over 3 <= 1", "mean over 0 <= 1"])
def test_only_figures_of_stretches_are_taken_over_steps(text: str) -> None:
    with pytest.raises(UsageError, match="only mean, sum, sd, min, max are taken over stretches, of 1 step or more"):
        Rule.parse(text)


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(UsageError, match="not finite"):
        Rule.parse("y <= 1e999")


@pytest.mark.parametrize(
    ("text", "kept", "against"),
    [
        ("y >= 0", [0.0, 1.0], [1.0, -0.1]),
        ("y > 0", [0.1, 1.0], [0.0, 1.0]),
        ("abs(y) < 2", [1.9, -1.9], [1.0, -2.0]),
        ("diff <= 1", [5.0, 6.0, 0.0], [0.0, 2.0, 2.0]),
        ("abs(diff) <= 1", [5.0, 6.0, 5.0], [5.0, 6.0, 4.0]),
        ("y is whole", [1.0, -3.0], [1.0, 2.5]),
        ("y is increasing", [1.0, 2.0, 3.0], [1.0, 2.0, 2.0]),
        ("y is nondecreasing", [1.0, 2.0, 2.0], [1.0, 2.0, 1.9]),
        ("mean <= 2", [1.0, 3.0], [1.0, 3.1]),
        ("sd >= 1", [0.0, 2.0], [0.0, 1.9]),
        ("sum over 2 >= 3", [0.0, 3.0, 0.0], [3.0, 0.0, 0.0]),
        ("min over 2 <= 1", [1.0, 5.0, 1.0], [1.0, 5.0, 5.0]),
        ("flat <= 2", [1.0, 1.0, 2.0, 1.0], [1.0, 2.0, 2.0, 2.0]),
    ],
)
def test_a_series_keeps_a_rule_and_another_breaks_it(text: str, kept: list[float], against: list[float]) -> None:
    assert broken(text, kept, against) == [False, True]


def test_where_a_rule_is_broken_first_is_said_with_the_value_there() -> None:
    found = Rule.parse("y >= 0").of(Panel.of({"a": [1.0, 2.0, -3.0, -4.0]}))
    assert (found.at.tolist(), found.found.tolist()) == ([2], [-3.0])
    assert Rule.parse("y >= 0").reason(-3.0) == "breaks 'y >= 0': it is -3"


def test_a_series_shorter_than_a_rule_looks_at_is_not_judged() -> None:
    found = Rule.parse("mean over 7 >= 5").of(Panel.of({"a": [1.0] * 6, "b": [1.0] * 7}))
    assert found.judged.tolist() == [False, True]
    assert found.broken.tolist() == [False, True]
    assert not Rule.parse("increasing").of(Panel.of({"a": [1.0]})).judged.any()


@pytest.mark.parametrize("name", ["mean", "sum", "sd", "min", "max"])
def test_figures_of_stretches_are_those_of_pandas(name: str) -> None:
    y = 1e6 + np.random.default_rng(0).normal(size=(3, 40))
    rolled = pd.DataFrame(y.T).rolling(7)
    expected = rolled.std(ddof=0) if name == "sd" else getattr(rolled, name)()
    got = Rule.parse(f"{name} over 7 <= 0")._quantity(y)
    np.testing.assert_allclose(got, expected.to_numpy()[6:].T, rtol=1e-6)


def test_longest_runs_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, (50, 30)).astype(float)
    lengths, begins = longest_runs(y)
    for row, length, begin in zip(y, lengths, begins, strict=True):
        best = max(len(list(run)) for run in np.split(row, np.flatnonzero(np.diff(row)) + 1))
        assert length == best
        assert len(set(row[begin : begin + length])) == 1


def test_rows_of_all_lengths_are_judged_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    panel = Panel.of({f"s{i}": rng.normal(size=int(n)) for i, n in enumerate(rng.integers(1, 60, 40))})
    rule = Rule.parse("abs(diff) <= 2.5")
    before = rule.of(panel)
    monkeypatch.setenv("TSGAP_BLOCK", "50")
    after = rule.of(panel)
    expected = [len(y) > 1 and bool((np.abs(np.diff(y)) > 2.5).any()) for y in panel]
    assert before.broken.tolist() == after.broken.tolist() == expected
    np.testing.assert_array_equal(before.found, after.found)


def test_a_rule_that_is_given_twice_counts_once() -> None:
    assert parsed(["y>=0", "y >= 0.0", "y <= 1"]) == (Rule.parse("y >= 0"), Rule.parse("y <= 1"))


def test_some_rules_hold_for_scaled_series_too() -> None:
    free = {text: Rule.parse(text).scale_free for text in ("increasing", "flat <= 3", "y >= 0", "diff <= 1", "whole")}
    assert free == {"increasing": True, "flat <= 3": True, "y >= 0": False, "diff <= 1": False, "whole": False}
