"""The gap beside the diagnostics: efficient sources, what ranks sources as the gap does, and what memory explains."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from trials import panel
from worlds import autoregressions

from tests.test_gate import made
from tsgap.battery import NOBODY
from tsgap.cli.explaining import frontier_text, predictors_text
from tsgap.diagnostics import Figure, contrasted
from tsgap.examination import Examination, Found
from tsgap.explaining import (
    MEMBERSHIP,
    MEMORY,
    Measured,
    agreements,
    frontier,
    measured,
    predictors,
)
from tsgap.plugins import registry


def source(name: str, gap: float, half: float = 0.01, data: str = "d") -> Measured:
    return Measured(data, name, gap, gap - half, gap + half)


def seen(name: str, *figures: tuple[str, Figure], data: str = "d") -> Examination:
    return Examination(data, name, tuple(Found(diagnostic, (figure,)) for diagnostic, figure in figures))


def exposed(name: str, auc: float) -> Examination:
    return seen(name, (MEMBERSHIP[0], Figure(MEMBERSHIP[1], auc, auc - 0.02, auc + 0.02)))


def test_a_source_is_efficient_unless_another_is_as_good_in_both_and_better_in_one() -> None:
    gaps = [
        source("copy", 0.0),
        source("noisy", 0.05),
        source("bad", 0.06),
        source("shuffled", 0.4),
        source("same", 0.05),
    ]
    found = [exposed(*one) for one in (("copy", 1.0), ("noisy", 0.7), ("bad", 0.8), ("shuffled", 0.45), ("same", 0.7))]
    frame = frontier(gaps, found).set_index("source")
    assert frame.efficient.to_dict() == {"copy": True, "noisy": True, "bad": False, "shuffled": True, "same": True}
    assert frame.percent["noisy"] == pytest.approx(100 * math.expm1(0.05))


def test_a_source_is_beaten_by_a_proven_smaller_gap_where_the_attack_on_both_may_be_the_same() -> None:
    gaps = [source("shuffle", 0.5, 0.1), source("sieve", 0.05, 0.02), source("near", 0.48, 0.3)]
    found = [exposed("shuffle", 0.5), exposed("sieve", 0.51), exposed("near", 0.51)]
    assert frontier(gaps, found).efficient.tolist() == [False, True, False]
    # without a proof of the smaller gap, or with an attack that does better than by chance, both stay
    unproven = frontier([source("a", 0.5, 0.3), source("b", 0.3, 0.2)], [exposed("a", 0.5), exposed("b", 0.51)])
    exposing = frontier([source("a", 0.5, 0.1), source("b", 0.05)], [exposed("a", 0.5), exposed("b", 0.6)])
    assert unproven.efficient.tolist() == exposing.efficient.tolist() == [True, True]


def test_a_source_is_beaten_by_one_that_gives_less_away_where_the_gaps_may_be_the_same() -> None:
    gaps = [source("copy", 0.0, 0.02), source("oracle", 0.01, 0.02)]
    assert frontier(gaps, [exposed("copy", 1.0), exposed("oracle", 0.5)]).efficient.tolist() == [False, True]


def test_an_attack_below_chance_is_no_better_than_chance() -> None:
    frame = frontier([source("a", 0.1), source("b", 0.2)], [exposed("a", 0.5), exposed("b", 0.4)])
    assert frame.efficient.tolist() == [True, False]


def test_without_a_gap_or_an_attack_a_source_is_neither_efficient_nor_in_the_way_of_others() -> None:
    unknown = seen("b", (MEMBERSHIP[0], Figure.unknown(MEMBERSHIP[1], "nobody knows who was seen")))
    gaps = [source("a", 0.2), source("b", 0.1), source("c", math.nan), source("e", 0.0)]
    frame = frontier(gaps, [exposed("a", 0.6), unknown, exposed("c", 0.5)])
    assert frame.efficient.tolist() == [True, None, None, None]
    assert frame.status.tolist() == ["ok", "not measurable: nobody knows who was seen", "no gap", "not measurable"]
    text = frontier_text(frame)
    assert "+22.1" in text
    assert "efficient" in text
    assert "nobody knows" in text


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"taught": np.array([True, True, False])}, "not taught"),
        ({"status": "timeout", "losses": {}}, NOBODY),
        ({"memory": "lag"}, NOBODY),
        ({"transfer": "none"}, NOBODY),
        ({"naive": -0.3}, NOBODY),
    ],
)
def test_a_source_whose_longest_leads_were_not_taught_or_that_nobody_learnt_has_no_gap(
    fault: dict[str, Any], why: str
) -> None:
    [found] = measured([(("d", "s"), [made(0.1, **fault)])])
    assert (found.data, found.source, found.why) == ("d", "s", why)
    assert math.isnan(found.gap)
    assert math.isnan(found.high)
    assert frontier([found], [exposed("s", 0.5)]).status.tolist() == [f"no gap: {why}"]


def test_a_gap_without_a_forecaster_that_failed_for_this_source_alone_is_not_compared() -> None:
    # the one that failed may be the one that would have lost most
    whole = Measured("d", "whole", 0.2, 0.19, 0.21, ("f", "g"))
    lucky = Measured("d", "lucky", 0.1, 0.09, 0.11, ("f",), ("g",))
    found = [exposed("whole", 0.6), exposed("lucky", 0.5)]
    frame = frontier([whole, lucky], found)
    assert frame.efficient.tolist() == [True, None]
    assert frame.status.tolist() == ["ok", "not compared: its mean is without g"]
    assert "its mean is without g" in frontier_text(frame)
    # where it failed for all of them they are compared
    both = [replace(one, over=("f",), lost=("g",)) for one in (whole, lucky)]
    assert frontier(both, found).efficient.tolist() == [False, True]
    many = [replace(whole, source=f"s{i}", gap=i / 10) for i in range(5)]
    told = [exposed(f"s{i}", 0.5 + i / 20) for i in range(5)]
    assert predictors(many, told).correlation.tolist() == pytest.approx([1.0])
    less = predictors([*many[1:], replace(many[0], over=("f",), lost=("g",))], told)
    assert less.status.tolist() == ["4 sources have both, it takes 5"]


def test_data_sets_have_frontiers_of_their_own() -> None:
    gaps = [source("a", 0.2), source("a", 0.1, data="e")]
    found = [exposed("a", 0.7), Examination("e", "a", exposed("a", 0.6).found)]
    assert frontier(gaps, found).efficient.tolist() == [True, True]


def test_rank_correlations_with_the_gap_agree_with_scipy_and_the_strongest_comes_first() -> None:
    rng = np.random.default_rng(0)
    gaps = rng.uniform(0, 0.5, 12)
    weak, strong = gaps + rng.normal(0, 0.5, 12), gaps + rng.normal(0, 0.02, 12)
    found = [
        seen(
            str(i),
            ("shift", Figure("weak", weak[i])),
            ("memory", Figure("strong", strong[i])),
            ("x", Figure("flat", 1)),
        )
        for i in range(12)
    ]
    frame = predictors([source(str(i), gap) for i, gap in enumerate(gaps)], found)
    assert frame.figure.tolist() == ["strong", "weak", "flat"]
    assert frame.correlation[0] == pytest.approx(spearmanr(strong, gaps).statistic)
    assert frame.low[0] < frame.correlation[0] < frame.high[0] <= 1
    assert frame.status.tolist() == ["ok", "ok", "the same for all sources"]
    text = predictors_text(frame)
    assert "strong" in text
    assert "flat" not in text
    assert "d: 1 figure without a rank correlation: the same for all sources" in text


def test_the_interval_of_a_rank_correlation_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    truth, held = 6 / np.pi * np.arcsin(0.6 / 2), 0
    for _ in range(300):
        x = rng.normal(size=20)
        y = 0.6 * x + 0.8 * rng.normal(size=20)
        found = [seen(str(i), ("a", Figure("x", x[i]))) for i in range(20)]
        [row] = predictors([source(str(i), y[i]) for i in range(20)], found).to_dict("records")
        held += row["low"] <= truth <= row["high"]
    assert 0.92 <= held / 300 <= 0.98


def test_perfect_order_of_few_sources_is_not_certain() -> None:
    found = [seen(str(i), ("a", Figure("x", i))) for i in range(5)]
    [row] = predictors([source(str(i), i / 10) for i in range(5)], found).to_dict("records")
    assert row["correlation"] == pytest.approx(1)
    assert row["low"] < 0 < row["high"] < 1


def test_few_sources_correlate_with_nothing() -> None:
    found = [seen(str(i), ("a", Figure("x", i))) for i in range(4)]
    frame = predictors([source(str(i), i / 10) for i in range(4)], found)
    assert frame.status.tolist() == ["4 sources have both, it takes 5"]
    assert predictors_text(frame).startswith("d: 1 figure without a rank correlation: 4 sources have both, it takes 5")
    assert np.isnan(frame.correlation[0])


def remembers(name: str, implied: float, flag: str = "") -> Examination:
    return seen(name, (MEMORY[0], Figure(MEMORY[1], implied, flag=flag)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gap", "half", "implied", "flag", "said"),
    [
        (0.3, 0.05, 0.25, "warn", "has a cause in lost linear memory: the autocorrelations alone imply 28.4 %"),
        (0.3, 0.05, 0.001, "", "is not one of linear memory"),
        (
            0.01,
            0.01,
            0.25,
            "warn",
            "memory is lost (the autocorrelations imply 28.4 %) where these forecasters do not use",
        ),
    ],
)
def test_gap_and_memory_agree_or_say_where_to_look(
    gap: float, half: float, implied: float, flag: str, said: str
) -> None:
    [told] = agreements([source("s", gap, half)], [remembers("s", implied, flag)])
    assert told.startswith("d, s: ")
    assert said in told


def test_nothing_is_said_of_a_gap_that_is_not_settled_or_of_memory_that_was_not_measured() -> None:
    gaps = [source("a", 0.06, 0.1), source("b", 0.3), source("c", math.nan), source("e", 0.3)]
    found = [remembers("a", 0.2, "warn"), remembers("b", math.nan), remembers("c", 0.2, "warn")]
    assert agreements(gaps, found) == []


def test_the_figures_that_are_read_are_those_of_first_party_diagnostics() -> None:
    rng = np.random.default_rng(0)
    real, other = (panel(autoregressions(rng, 12, 150, phi=0.5)) for _ in range(2))
    contrast = contrasted(real, other, seed=0)
    specs = registry().diagnostics
    for diagnostic, name in (MEMBERSHIP, MEMORY):
        found = specs[diagnostic].spec.measure(contrast, seed=0)
        assert name in [figure.name for figure in found.figures]
