"""Which arms augmentation asks for: what each learns from, what it may see, and what is left out with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.test_plan import Noisy, drawn, planned, spec
from tests.worlds import seasonal
from tsgap import augmenting, inputs, plan
from tsgap.additive import Grouping
from tsgap.augmentation import SHARES
from tsgap.augmenting import Subject
from tsgap.blends import SLICES
from tsgap.curve import FRACTIONS, REPEATS
from tsgap.drawing import Wanted
from tsgap.errors import DataError, UsageError
from tsgap.experiment import DataSpec, Experiment, SourceSpec
from tsgap.fits import fits_of
from tsgap.inputs import Data, NotDrawn, read_data
from tsgap.plan import Plan, Row
from tsgap.readers import ReadOptions
from tsgap.shelf import read_panel
from tsgap.tasks import Tasks

LENGTH, HORIZON, WINDOWS = 120, 6, 3
LOCAL = tsgap.ForecasterSpec("near", "Near.", Noisy, scope="local", deterministic=False)


def added(sources: Any = "gen:stl-bootstrap", **given: Any) -> Plan:
    return planned(**{"sources": sources, "forecasters": [spec()], "augment": "only", **given})


def only(made: Plan) -> Subject:
    [subject] = made.augmented["data"]
    return subject


def rows(made: Plan, arm: str, share: float | None = None) -> list[Row]:
    return [r for r in made.rows if r.arm == arm and share in (None, r.share)]


def frame_of(series: Mapping[str, Any]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame({"unique_id": k, "ds": pd.date_range("2001-01-01", periods=len(y), freq="MS"), "y": y})
            for k, y in series.items()
        ],
        ignore_index=True,
    )


# arms -------------------------------------------------------------------------------------------------------------


def test_every_arm_is_there_with_every_share_and_replicate() -> None:
    made = added(replicates=3)
    arms = [(r.arm, r.share, r.replicate) for r in made.rows if r.source]
    shares = [
        *(("blend-real", 0.0), ("blend-synthetic", 0.0), ("inner-blend-real", 0.0)),
        *((arm, s) for arm in ("augmented", "duplicated", "reweighted", "inner-augmented") for s in SHARES),
    ]
    expected = [(arm, share, k) for arm, share in shares for k in range(3)]
    expected += [("fraction", q, k) for q in FRACTIONS for k in range(REPEATS)]
    assert sorted(arms) == sorted(expected)
    assert len(set(arms)) == len(arms)


def test_rare_events_ask_for_every_arm_on_inner_origins_too() -> None:
    made = added(event="y > q0.9")
    names = {r.arm for r in made.rows if r.arm.startswith("inner-")}
    assert names == {f"inner-{r.arm}" for r in made.rows if r.source and not r.arm.startswith("inner-")} - {
        "inner-fraction"
    }


def test_a_deterministic_forecaster_has_one_real_arm_and_a_seeded_one_as_many_as_replicates() -> None:
    sets = [{r.cell for r in rows(added(forecasters=[f], replicates=3), "blend-real")} for f in ("linear", spec())]
    assert [len(one) for one in sets] == [1, 3]


def test_context_scaling_and_leads_are_the_same_in_all_arms() -> None:
    for given in ({}, {"sources": np.random.default_rng(0).normal(size=(300, 24))}, {"context": 9}):
        made = added(**given)
        assert len({(r.context, r.scaling, r.leads, r.paired) for r in made.rows if r.source}) == 1
        assert len({one.context for one in made.cells.values() if one.training is not None}) == 1
        assert len({one.limit for one in made.cells.values() if one.training is not None}) == 1


def test_windows_that_are_too_short_for_the_usual_context_shorten_it_in_every_arm() -> None:
    made = added(np.random.default_rng(0).normal(size=(300, 16)))
    assert {r.context for r in made.rows if r.source} == {16 - HORIZON}
    assert {r.scaling for r in made.rows if r.source} == {"standard"}
    assert only(made).other_pairs == 300
    assert len(only(made).inner) == 1


@pytest.mark.parametrize("given", [{}, {"context": 14}])
def test_windows_that_hold_no_context_are_refused_in_words(given: dict[str, Any]) -> None:
    made = added(np.random.default_rng(0).normal(size=(300, HORIZON + (4 if given else 0))), **given)
    assert only(made).why.startswith(f"synthetic series of {HORIZON + (4 if given else 0)} values hold no context")
    assert ("context" in only(made).why.split("ask for")[1]) == bool(given)
    assert not [r for r in made.rows if r.source]


# sub-samples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3, 6, 45])
def test_sub_samples_are_complementary_and_hold_every_slice_equally_often(n: int) -> None:
    made = added(real=seasonal(n), context=12)
    taken = {(r.share, r.replicate): made.cells[r.cell].blend.slices for r in rows(made, "fraction")}  # type: ignore[union-attr]
    for share in FRACTIONS:
        of = [taken[share, k] for k in range(REPEATS)]
        assert {len(slices) for slices in of} == {round(share * SLICES)}
        for first, second in zip(of[::2], of[1::2], strict=True):
            assert set(first) | set(second) == set(range(SLICES))
            assert len(set(first) & set(second)) == 2 * round(share * SLICES) - SLICES
    assert len({taken[0.5, k] for k in range(REPEATS)}) == REPEATS


@pytest.mark.parametrize("n", [1, 3, 6, 45])
def test_slices_take_about_as_many_pairs_from_everywhere(n: int) -> None:
    made = added(real=seasonal(n), context=12)
    [real] = {id(made.cells[r.cell].training): made.cells[r.cell].training for r in rows(made, "fraction")}.values()
    assert real is not None
    panel = real.panel
    cut = Grouping.of(panel.lengths, panel.series, context=12, leads=HORIZON, groups=SLICES)
    counts = np.zeros((len(panel), SLICES))
    np.add.at(counts, (cut.row, cut.group), cut.windows)
    assert counts.sum() == real.pairs
    if n < 2 * SLICES:
        assert np.ptp(counts, axis=1).max() <= 1
    else:
        assert np.ptp((counts > 0).sum(0)) <= 1


@pytest.mark.parametrize(
    ("n", "length", "expected"), [(45, LENGTH, {False, True}), (6, LENGTH, {False, True}), (45, 40, {False})]
)
def test_half_of_the_sub_samples_are_of_periods_where_series_are_long_enough(
    n: int, length: int, expected: set[bool]
) -> None:
    made = added(real=seasonal(n, length), context=12, windows=1)
    blends = [made.cells[r.cell].blend for r in rows(made, "fraction") if r.share == 0.5]
    kinds = [blend.periods for blend in blends if blend is not None]
    assert set(kinds) == expected
    assert len(expected) == 1 or sum(kinds) == REPEATS // 2


def test_series_too_short_for_slices_have_no_learning_curve() -> None:
    made = added(real=seasonal(3, 40), context=12, windows=1)
    assert not rows(made, "fraction")


# what inner arms may see ------------------------------------------------------------------------------------------


def spiked(at: int, size: float = 1e6) -> pd.DataFrame:
    """All series with another value `at` so many steps from their end."""
    frame = seasonal(6, LENGTH)
    back = frame.groupby("unique_id").cumcount(ascending=False)
    return frame.assign(y=np.where(back == at, frame.y + size, frame.y))


def inner_panels(made: Plan, folder: Path) -> list[Any]:
    """What workers get of every inner arm: training panels, figures and histories."""
    out: list[Any] = []
    cells = {key: one for key, one in made.cells.items() if one.content["view"] == augmenting.VIEW}
    assert cells
    for fit in fits_of(cells.values()):
        job = cloudpickle.loads(Tasks(folder, 1.0).of(fit).payload)
        names = [job.train, job.others, *(view.histories for view in job.views)]
        out += [None if name is None else read_panel(folder, name).fingerprint for name in names]
        figures = [job.figures, job.other_figures, *(view.figures for view in job.views)]
        out += [None if one is None else one.tolist() for one in figures]
    return out


@pytest.mark.parametrize("scaling", [None, "standard", "train", "none"])
@pytest.mark.parametrize("sources", ["gen:stl-bootstrap", "gen:block-bootstrap:length=12"])
@pytest.mark.parametrize("at", ["inner truth", "test"])
def test_inner_arms_see_nothing_of_what_they_forecast(
    scaling: str | None, sources: str, at: str, tmp_path: Path
) -> None:
    # the last value of the training part is the truth of the last inner window
    step = WINDOWS * HORIZON if at == "inner truth" else 0
    found = [
        inner_panels(added(sources, real=real, scaling=scaling), tmp_path / str(k))
        for k, real in enumerate((spiked(step, 0.0), spiked(step)))
    ]
    assert found[0] == found[1]


def test_a_file_is_used_as_it_is_and_may_have_seen_the_inner_origins() -> None:
    for sources, saw in ((seasonal(seed=3), True), ("gen:stl-bootstrap", False)):
        subject = only(added(sources))
        assert subject.told["saw_inner"] == saw
        assert (subject.inner[0].others.panel.fingerprint == subject.test[0].others.panel.fingerprint) == saw  # type: ignore[union-attr]


def test_a_generator_is_refitted_on_what_lies_before_the_inner_origins() -> None:
    seen: list[Wanted] = []

    def spy(wanted: Sequence[Wanted]) -> Mapping[str, Any]:
        seen.extend(wanted)
        return drawn(wanted)

    made = made_by(spy, cheap=True)
    inner = made.data[0].inner
    assert not isinstance(inner, str)
    lengths = {one.name.split()[0]: set(one.train.lengths.tolist()) for one in seen}
    assert lengths["inner"] == {int(inner.train_ends[0])}
    assert lengths["test"] == lengths["source"] == {LENGTH - WINDOWS * HORIZON}
    assert int(inner.train_ends[0]) < LENGTH - WINDOWS * HORIZON


def made_by(draw: Any, *, sources: Any = "gen:stl-bootstrap", **given: Any) -> Plan:
    """A plan whose series are drawn by `draw`."""
    data = (DataSpec("data", seasonal(), ReadOptions(), (1, HORIZON), WINDOWS),)
    asked: dict[str, Any] = {"replicates": 2, "null": False, "augment": "only", **given}
    experiment = Experiment(data, (SourceSpec("s", sources),), (spec(),), **asked)
    return plan.made(experiment, inputs.read(experiment), draw)


# what is left out, and said ---------------------------------------------------------------------------------------


def failing(part: str) -> Any:
    """Draws all but what has `part` in its name."""

    def draw(wanted: Sequence[Wanted]) -> Mapping[str, Any]:
        good = [one for one in wanted if part not in one.name]
        return {one.name: NotDrawn("it never could") for one in wanted} | dict(drawn(good))

    return draw


def test_a_source_that_cannot_be_drawn_is_left_out_with_the_reason() -> None:
    made = made_by(failing("source s/1"), cheap=True)
    bad, *cheap = made.augmented["data"]
    assert bad.why == "no synthetic series: it never could"
    assert not [r for r in made.rows if r.source == "s"]
    assert cheap
    assert all(not one.why for one in cheap)


def test_a_source_that_cannot_be_drawn_for_inner_origins_is_measured_on_the_test() -> None:
    made = made_by(failing("inner s/1"))
    subject = only(made)
    assert (subject.why, len(subject.test), subject.inner) == ("", 2, ())
    assert subject.inner_why == "no synthetic series from what lies before the inner origins: it never could"
    assert not [r for r in made.rows if r.arm.startswith("inner-")]


def test_a_cheap_augmentation_that_cannot_be_drawn_is_left_out_and_said() -> None:
    made = made_by(failing("cheap stl-bootstrap"), cheap=True)
    found = {one.source: one.why for one in made.augmented["data"]}
    assert found["cheap stl-bootstrap"] == "it never could"
    assert all(why == "" for name, why in found.items() if name != "cheap stl-bootstrap")
    assert not [r for r in made.rows if r.source == "cheap stl-bootstrap"]


def test_cheap_augmentations_fit_their_series() -> None:
    def names(series: int, length: int) -> tuple[str, ...]:
        return augmenting.cheap_of(data_of(seasonal(series, length), windows=1))

    assert names(6, 120) == ("jitter:sd=0.1", "block-bootstrap:length=24", "stl-bootstrap", "mixing")
    assert names(1, 54) == ("jitter:sd=0.1", "stl-bootstrap")


def data_of(frame: pd.DataFrame, **given: Any) -> Data:
    return read_data(DataSpec("data", frame, ReadOptions(), (1, HORIZON), **{"windows": WINDOWS, **given}))


def test_a_cheap_augmentation_that_is_a_source_as_well_has_a_name_of_its_own() -> None:
    made = added({"stl-bootstrap": "gen:stl-bootstrap", "mixing": "gen:mixing"}, cheap=True)
    names = [one.source for one in made.augmented["data"]]
    assert len(set(names)) == len(names) == 6
    places = [(r.source, r.arm, r.share, r.replicate) for r in made.rows]
    assert len(set(places)) == len(places)


def test_local_and_untrained_forecasters_are_refused_with_the_reason() -> None:
    made = added(forecasters=[LOCAL, "naive", "linear"])
    why = {name: augmenting.refused(one) for name, one in made.forecasters.items()}
    assert why["near"].startswith("a local forecaster learns each series by itself")
    assert why["naive"] == "it learns nothing, so nothing can be added"
    assert why["linear"] == ""
    assert {r.forecaster for r in made.rows if r.source} == {"linear"}


def test_without_a_source_the_real_series_are_judged_by_themselves() -> None:
    made = planned(sources={}, forecasters=["linear", spec()], augment="only", replicates=2)
    assert only(made).source == ""
    assert {r.arm for r in made.rows if r.forecaster == "linear"} == {"blend-real", "fraction", "inner-blend-real"}
    assert [r.draw for r in rows(made, "blend-real") if r.forecaster == "noisy"] == [0, 1]


def test_the_figures_of_series_that_are_nobodys_twin_are_asked_for_in_words() -> None:
    strangers = seasonal(seed=2).assign(unique_id=lambda f: "x" + f.unique_id)
    assert only(added(strangers, scaling="train")).why.startswith("scaling 'train' needs the real series of every")
    assert only(added(seasonal(seed=2), scaling="train")).why == ""
    # that costs no other source
    whys = {s.source: s.why for s in added(strangers, scaling="train", cheap=True).augmented["data"]}
    assert {name for name, why in whys.items() if why} == {"s"}


def test_strangers_never_stand_for_a_real_series() -> None:
    strangers = seasonal(seed=2).assign(unique_id=lambda f: "x" + f.unique_id)
    for sources, twins in ((strangers, False), (seasonal(seed=2), True)):
        subject = only(added(sources))
        [arms] = subject.test
        assert arms.others is not None
        assert bool(set(arms.others.panel.series) & set(arms.real.panel.series)) == twins


def test_draws_in_turn_are_counted_as_what_they_are() -> None:
    files = [seasonal(seed=k) for k in (2, 3)]
    made = added(files, replicates=5)
    assert [r.draw for r in rows(made, "augmented", 1.0)] == [0, 1, 0, 1, 0]
    assert len({r.cell for r in rows(added(files, forecasters=["linear"]), "blend-synthetic")}) >= 2
    alone = added(seasonal(seed=2), replicates=5)
    assert [r.draw for r in rows(alone, "augmented", 1.0)] == [0, 1, 2, 3, 4]
    assert {r.stochastic for r in alone.rows if r.source} == {True}
    fixed = added(seasonal(seed=2), replicates=5, forecasters=["linear"])
    assert {r.stochastic for r in fixed.rows if r.source} == {False}
    assert only(fixed).fixed


# odd series -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [[120], [120, 60, 200], [70 + 7 * i for i in range(12)]], ids=str)
def test_ragged_series_have_arms_on_inner_origins(lengths: list[int]) -> None:
    rng = np.random.default_rng(0)
    real = frame_of({f"s{i:02d}": 5 + rng.normal(size=n).cumsum() for i, n in enumerate(lengths)})
    subject = only(added(real=real, context=12))
    assert (subject.why, subject.inner_why) == ("", "")
    assert subject.pairs == sum(n - WINDOWS * HORIZON - 12 - HORIZON + 1 for n in lengths)
    inner = subject.inner[0]
    assert inner.split is not None
    assert (inner.real.panel.lengths == inner.split.train_ends).all()


def test_series_without_room_for_inner_origins_are_judged_on_the_test_and_it_is_said() -> None:
    made = added(real=seasonal(6, 33), windows=1, context=5)
    subject = only(made)
    if not subject.inner_why:
        pytest.fail("there is room after all")
    assert subject.why == ""
    assert not [r for r in made.rows if r.arm.startswith("inner-")]


def test_inner_windows_lie_in_the_training_part_and_leave_two_thirds_of_it() -> None:
    data = data_of(seasonal(6, 200))
    inner = data.inner
    assert not isinstance(inner, str)
    whole = data.train.lengths
    assert (inner.origins + inner.horizon <= whole[inner.series]).all()
    assert (inner.train_ends >= 2 * whole / 3).all()
    assert 1 < inner.n_windows <= inputs.INNER_WINDOWS
    assert (inner.data.values == data.train.values).all()


def test_missing_values_stay_missing_in_the_truth_of_inner_windows() -> None:
    frame = seasonal(6, LENGTH)
    back = frame.groupby("unique_id").cumcount(ascending=False)
    frame["y"] = np.where((back == WINDOWS * HORIZON + 2) & (frame.unique_id == "s1"), np.nan, frame.y)
    inner = data_of(frame).inner
    assert not isinstance(inner, str)
    assert set(inner.series[np.isnan(inner.truth).any(1)].tolist()) == {1}
    only_one = [r for r in added(real=frame).rows if r.arm == "inner-augmented"]
    assert only_one


@pytest.mark.parametrize("given", [{"oracle_split": True}, {"validation": True}])
def test_what_augmentation_alone_would_not_honour_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="augment='also'"):
        added(**given)


@pytest.mark.parametrize("given", [{"cheap": True}, {"event": "y > 3"}])
def test_settings_of_augmentation_are_refused_without_it(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is for augmentation"):
        planned(**given)


def test_scaling_by_the_training_part_reaches_only_series_that_it_has() -> None:
    with pytest.raises((UsageError, DataError)):
        planned(sources=seasonal(seed=2).assign(unique_id=lambda f: "x" + f.unique_id), scaling="train")


def test_nothing_is_drawn_for_a_forecaster_that_learns_from_moments_so_draws_of_one_file_are_one_cell() -> None:
    made = planned(seasonal(seed=5), ["linear"], replicates=3, augment="only")
    cells = {
        arm: {row.cell for row in made.rows if row.arm == arm and row.share == 1.0}
        for arm in ("augmented", "duplicated")
    }
    assert {arm: len(of) for arm, of in cells.items()} == {"augmented": 1, "duplicated": 1}
