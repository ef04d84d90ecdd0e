"""What is said of augmentation: helps, hurts and neither, worth in words, and the comparison with simple rules."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.test_augment_diagnosis import DRAWS, PLACES, N, planted
from tsgap.augment_formats import html_of, json_of, markdown_of, text_of
from tsgap.augment_tables import events_of, frame_of, responses_of, room_of
from tsgap.augment_words import (
    against,
    effect,
    optimal_order,
    priced,
    remarks,
    room,
    sentence,
    told_of_events,
    worth,
    worth_told,
)
from tsgap.augmentation import Augmentation
from tsgap.decomposition import ArmLosses
from tsgap.gap import Clusters
from tsgap.ordering import NEITHER, NOT_MEASURABLE, Ordered
from tsgap.panel import Floats
from tsgap.rivals import BETTER, NOT_TOLD_APART, SAME, UNKNOWN, WORSE, rival


def found(source: str = "gan", *, arms: ArmLosses | None = None, **more: object) -> Augmentation:
    """What adding a source does, from planted losses."""
    told = {name: more.pop(name) for name in list(more) if name in PLANTED}
    head = {"places": ((1, 1), (1, 6)), "data": "d", "forecaster": "linear", "metric": "mase", "stochastic": True}
    return Augmentation(source=source, arms=planted(**told) if arms is None else arms, **(head | more))  # type: ignore[arg-type]


PLANTED = ("half", "total", "reweight", "r2", "chosen", "at_chosen", "noise", "seed")


@pytest.mark.parametrize(
    ("effects", "says"),
    [
        (
            {"at_chosen": -0.05},
            "λ = 0.5, chosen on inner origins, helps by 4.9 % (95 % interval 4.",
        ),
        ({"at_chosen": 0.05}, "λ = 0.5, chosen on inner origins, hurts by 5.1 % (95 % interval 4."),
        ({"at_chosen": 0.0}, "makes no difference of 1 % or more"),
        ({"at_chosen": 0.0, "noise": 0.5}, "is not proven to help or to hurt"),
        ({"chosen": 0.0}, "on inner origins adding nothing was best"),
    ],
)
def test_the_chosen_share_is_judged_in_words(effects: dict[str, float], says: str) -> None:
    assert says in effect(found(**effects))


def test_it_helps_only_if_duplicates_of_real_pairs_do_less() -> None:
    arms = planted(at_chosen=-0.05)
    again = replace(arms, duplicated={0.5: arms.augmented[0.5], 1.0: arms.real})
    assert "better than real pairs alone, not proven better than duplicates" in effect(found(arms=again))


def test_without_inner_origins_no_share_is_chosen_and_none_is_said_to_help() -> None:
    arms = replace(planted(at_chosen=-0.05), inner=None, missing={"inner": "the training part is too short"})
    told = sentence(found(arms=arms))
    assert "no share could be chosen on inner origins: the training part is too short" in told
    assert "helps" not in told


def test_with_one_draw_of_what_is_left_to_chance_nothing_is_proven() -> None:
    arms = planted(at_chosen=-0.05)
    one = {name: {share: of[:1] for share, of in getattr(arms, name).items()} for name in ("augmented", "reweighted")}
    ids = arms.clusters
    alone = replace(arms, clusters=Clusters(ids.series, ids.blocks, np.zeros(1, dtype=np.int64)), **one)
    told = sentence(found(arms=alone))
    assert "with 1 draw of what is left to chance nothing is proven" in told
    assert "helps" not in told
    assert "helps" in effect(found(arms=alone, stochastic=False))


def test_with_windows_that_failed_in_one_arm_alone_nothing_is_said_to_help() -> None:
    told = effect(found(at_chosen=-0.05, uneven=2))
    assert "windows that failed in one arm alone leave that unproven" in told
    assert "helps" not in told


def test_the_verdict_comes_first_with_its_reason_and_what_follows() -> None:
    told = sentence(found(r2=0.3))
    assert told.startswith("d, gan, linear: MISSPECIFIED: the errors can be foretold")
    assert "a richer forecaster, or re-weighted pairs, come first" in told
    assert sentence(found(total=0.05, chosen=0.0)).count("adding nothing was best") == 1
    assert sentence(replace(found(), why="it learns nothing")) == "d, gan, linear: not measured: it learns nothing"


@pytest.mark.parametrize(
    ("effects", "says"),
    [
        ({}, "no room: half of the real pairs"),
        ({"half": 0.05}, "room for more data like these: half of the real pairs"),
        ({"r2": 0.3}, "a richer forecaster or re-weighting comes first: the errors can be foretold"),
        ({"noise": 0.9}, "cannot tell: undecided"),
    ],
)
def test_the_real_series_alone_say_whether_there_is_room(effects: dict[str, float], says: str) -> None:
    one = found("", **effects)
    assert room(one).startswith(says)
    assert sentence(one).startswith(f"d, linear: {says}")
    frame = room_of([one])
    assert list(frame["last"]) == [1, 6]
    assert says.startswith(str(frame.recommendation.iloc[-1]))


def test_worth_is_in_words_where_no_number_says_it() -> None:
    assert worth(float("inf"), priced=True) == "unbounded"
    assert worth(-13579.0, priced=True) == "13579 fewer"
    assert worth(-0.2, priced=True) == "0"
    one = found(half=0.05, total=0.02)
    assert "as bad as" in worth_told(one)
    assert "-" not in worth_told(one)
    assert "further real pairs (95 % interval" in worth_told(found(half=0.05, total=-0.01))
    assert "is not told: 95 % interval" in worth_told(found(half=0.05, noise=0.2))
    assert "do more than any number of further real pairs would" in worth_told(found(half=0.05, total=-0.3))


def test_real_pairs_have_no_price_unless_half_of_them_are_proven_to_cost_something() -> None:
    one = found(half=-0.01, total=-0.02)
    assert not priced(one)
    assert "not measurable" in worth_told(one)
    assert frame_of([one]).worth.isna().all()
    assert set(responses_of([one]).worth_told) == {"-"}


def cheap(
    factor: float, *, arms: ArmLosses, inner: float = 0.7, name: str = "cheap jitter", seed: int = 1
) -> Augmentation:
    """A simple augmentation of the same windows whose errors at its share 1 are `factor` times the real ones."""
    rng = np.random.default_rng(1)
    noise = rng.gamma(1e4, 1e-4, (DRAWS, N, PLACES))
    assert arms.inner is not None
    near = replace(arms.inner, augmented={1.0: arms.inner.real * inner})
    return found(name, arms=replace(arms, augmented={1.0: arms.real * factor * noise}, inner=near), cheap=True)


@pytest.mark.parametrize(
    ("factor", "outcome", "says"),
    [
        (0.90, WORSE, "the best simple augmentation of the real series, jitter at λ = 1, does better"),
        (1.02, BETTER, "it beats the best simple augmentation of the real series, jitter at λ = 1"),
        (np.exp(-0.05), NOT_TOLD_APART, "it is not proven better than the best simple augmentation"),
    ],
)
def test_a_source_is_held_against_the_best_simple_augmentation(factor: float, outcome: str, says: str) -> None:
    arms = planted(at_chosen=-0.05)
    one, other = found(arms=arms), cheap(factor, arms=arms)
    met = rival(one, [one, other])
    assert met is not None
    assert met.outcome() == outcome
    assert says in against(met)
    assert says in sentence(one, [one, other])
    row = frame_of([one, other]).query("source == 'gan'").iloc[-1]
    assert row.rival_outcome == outcome
    assert row.against_rival == pytest.approx(np.log(np.exp(-0.05) / factor), abs=0.01)
    assert row.against_rival_low < row.against_rival < row.against_rival_high


def test_the_rival_is_chosen_by_its_inner_error_whatever_the_test_says() -> None:
    arms = planted(at_chosen=-0.05)
    good, lucky = cheap(1.0, arms=arms, inner=0.6), cheap(0.5, arms=arms, inner=0.8, name="cheap mixing")
    met = rival(found(arms=arms), [lucky, good])
    assert met is not None
    assert met.source == "cheap jitter"


def test_where_adding_nothing_is_best_of_both_they_are_the_same() -> None:
    arms = planted(chosen=0.0)
    met = rival(found(arms=arms), [cheap(0.9, arms=arms, inner=1.5)])
    assert met is not None
    assert met.outcome() == SAME
    assert "adding nothing was best among the simple augmentations" in against(met)


@pytest.mark.parametrize(
    ("at_chosen", "says"), [(-0.05, "it beats "), (0.0, "it is not proven better than "), (0.05, "")]
)
def test_adding_nothing_is_named_where_it_is_best_of_the_simple_augmentations(at_chosen: float, says: str) -> None:
    arms = planted(at_chosen=at_chosen)
    met = rival(found(arms=arms), [cheap(0.9, arms=arms, inner=1.5)])
    assert met is not None
    assert against(met).startswith(f"{says}adding nothing, which was best among the simple augmentations of the real")
    assert ",," not in against(met)


@pytest.mark.parametrize("lost", ["windows", "uneven", "share", "all", "few"])
def test_what_cannot_be_compared_is_not_compared(lost: str) -> None:
    arms = planted(at_chosen=-0.05)
    one, other = found(arms=arms), cheap(1.5, arms=arms)
    if lost == "windows":
        other = replace(other, arms=replace(other.losses, real=arms.real * 1.1))
    if lost == "uneven":
        other = replace(other, uneven=1)
    if lost == "share":
        one = found(arms=replace(arms, inner=None))
    if lost == "all":
        other = replace(other, arms=None, why="too short")
    if lost == "few":
        ids = replace(arms.clusters, replicates=np.zeros(DRAWS, dtype=np.int64))
        one = found(arms=replace(arms, clusters=ids))
    met = rival(one, [one, other])
    assert met is not None
    assert met.ratio is None
    assert met.outcome() == UNKNOWN
    assert "not compared with simple augmentations" in against(met)
    assert "beats" not in sentence(one, [one, other])


def test_without_simple_augmentations_there_is_nothing_to_be_held_against() -> None:
    assert rival(found(), [found()]) is None


def test_an_unknown_loss_of_the_rival_makes_no_source_better() -> None:
    arms = planted(at_chosen=-0.05)
    other = cheap(1.5, arms=arms)
    holes: dict[float, Floats] = {1.0: other.losses.augmented[1.0] * np.nan}
    other = replace(other, arms=replace(other.losses, augmented=holes))
    met = rival(found(arms=arms), [other])
    assert met is not None
    assert met.outcome() == UNKNOWN


def test_the_parts_of_a_row_add_up_and_its_intervals_hold_them() -> None:
    frame = frame_of([found(half=0.05, total=0.02, reweight=0.01)])
    assert np.allclose(frame["total"], frame["size"] + frame["reweight"] + frame["shortfall"])
    for name in ("total", "size", "reweight", "shortfall", "gain", "half", "predictability"):
        assert (frame[f"{name}_low"] <= frame[name]).all(), name
        assert (frame[name] <= frame[f"{name}_high"]).all(), name
    assert frame.predictability.between(-0.05, 0.05).all()
    assert frame_of([found(r2=0.3)]).predictability.iloc[-1] == pytest.approx(0.3, abs=0.02)


def test_what_was_not_measured_is_a_row_with_its_reason() -> None:
    frame = frame_of([replace(found(), arms=None, why="it learns nothing"), found()])
    assert list(frame.status) == ["it learns nothing", "ok", "ok"]
    assert frame.verdict.iloc[0] == "NOT_MEASURABLE"
    assert room_of([replace(found(""), arms=None, why="too short")]).status.tolist() == ["too short"]


def test_what_must_be_known_beside_the_figures_is_said() -> None:
    arms = replace(planted(), residuals=None, missing={"residuals": "no inner origins"}, effective=0.02)
    one = found(arms=arms, saw_inner=True, fixed=True, uneven=3, unanswered=4)
    told = "\n".join(remarks(one))
    for words in (
        "1000 real pairs", "not measurable: residuals: no inner origins", "favours larger λ", "holds for this file",
        "3 windows failed in some arm", "4 windows have no forecast in any arm", "exactly nothing changes",
        "leaves 2 % of the real pairs in effect, too few",
    ):  # fmt: skip
        assert words in told, words
    assert told in text_of([one]).replace("- ", "")


def test_events_are_always_counted_also_where_nothing_is_measured() -> None:
    few = Ordered(1, 6, 7, 593, 2, {"augmented": 4}, NOT_MEASURABLE, ("7 events, fewer than 20",))
    assert told_of_events(few) == (
        "7 events in 600 pairs (1.17 %): NOT_MEASURABLE: 7 events, fewer than 20; no forecast, so ordered wrongly: 4 "
        "of augmented; 2 pairs that no arm forecast do not count"
    )
    one = found(event="y > q0.95", events=(few,))
    for shown in (text_of([one]), html_of([one]).replace("&gt;", ">")):
        assert "y > q0.95, leads 1 to 6: 7 events in 600 pairs (1.17 %)" in shown
    assert events_of([one])[["events", "pairs", "prevalence"]].to_numpy().tolist() == [[7, 600, 7 / 600]]


@pytest.mark.parametrize(
    ("optimal", "says"),
    [
        (
            True,
            "proven to be already optimal: neither more real pairs, nor other weights, nor the synthetic pairs gain",
        ),
        (False, "the order is not optimal yet: half as many"),
        (None, "whether the order is already optimal is not known: half as many"),
    ],
)
def test_an_order_is_optimal_only_where_that_is_proven(optimal: bool | None, says: str) -> None:
    doubts = () if optimal else ("half as many real pairs: AUROC changes",)
    of = Ordered(1, 6, 70, 530, 0, {}, NEITHER, (), optimal=optimal, doubts=doubts)
    assert says in optimal_order(of)
    assert optimal_order(replace(of, verdict=NOT_MEASURABLE)) == ""


def test_all_formats_say_the_same_and_take_no_name_for_a_command() -> None:
    bad = found("<b>|`x`\n\x1b[31m", at_chosen=-0.05)
    every = [bad, cheap(1.02, arms=bad.losses)]
    text = text_of(every)
    assert "\x1b" not in text
    assert "shown, never used to choose" in text
    assert "simple augmentations of the real series, each at the λ that inner origins chose" in text
    told = json.loads(json_of(every, "mase", "runs/x"))
    assert told["findings"][0]["sentence"] == sentence(bad, every)
    assert [row["share"] for row in told["responses"] if not row["cheap"] and row["last"] == 6] == [0.5, 1.0]
    assert "<b>" not in html_of(every)
    assert "<b>" not in markdown_of(every).partition("````")[0]


def test_infinite_figures_are_null_in_json() -> None:
    told = json.loads(json_of([found(half=0.05, total=-0.3)], "mase", "r"))
    row = next(row for row in told["responses"] if row["share"] == 1.0 and row["last"] == 6)
    assert row["worth"] is None
    assert row["worth_told"] == "unbounded"
