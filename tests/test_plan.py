"""From inputs to cells: what a cell is named by, what its arms share, and what can never reach one."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.worlds import seasonal
from tsgap import cell, engines, fits, inputs, plan, shelf
from tsgap.drawing import Wanted
from tsgap.engines import Outcome, Task
from tsgap.errors import DataError
from tsgap.experiment import DataSpec, Experiment, SourceSpec
from tsgap.fits import fits_of
from tsgap.panel import Panel
from tsgap.perturbing import Perturbation
from tsgap.plan import Plan, Row
from tsgap.readers import ReadOptions
from tsgap.splits import Split
from tsgap.tasks import Tasks

LENGTH, HORIZON, WINDOWS = 120, 6, 3
#: The training part of `seasonal()` with these windows.
TRAINING = LENGTH - HORIZON * WINDOWS


class Noisy:
    """A forecaster of which nothing is known."""

    def __init__(self, size: int = 1) -> None:
        self.size = size

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        raise AssertionError

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        raise AssertionError


class Other(Noisy):
    """Another one."""


def spec(build: Any = Noisy, **given: Any) -> tsgap.ForecasterSpec:
    return tsgap.ForecasterSpec("noisy", "Noisy.", build, **{"deterministic": False, **given})


LOCAL = tsgap.ForecasterSpec("near", "Near.", Noisy, scope="local", deterministic=False)


def drawn(wanted: Sequence[Wanted]) -> Mapping[str, Panel]:
    """Every panel drawn here and now."""
    panels = {}
    for one in wanted:
        generator = one.chosen.build()
        generator.fit(one.train, seed=one.seed)
        panels[one.name] = generator.sample(seed=one.seed)
    return panels


def planned(
    sources: Any = "gen:stl-bootstrap", forecasters: Sequence[Any] = (Noisy, "linear"), real: Any = None, **given: Any
) -> Plan:
    """The plan of an experiment on `seasonal()`; settings of the data, of reading and of the sources by their names.

    One replicate, unless another number (or None, the default of an experiment) is asked for.
    """
    given = {"replicates": 1, **given}
    reading = {k: given.pop(k) for k in list(given) if k in ReadOptions.__dataclass_fields__ and k != "inverse"}
    split = {k: given.pop(k) for k in ("windows", "step", "first_cutoff") if k in given}
    inverse = given.pop("inverse", None)
    frames = real if isinstance(real, dict) else {"data": seasonal() if real is None else real}
    data = tuple(
        DataSpec(
            name, frame, ReadOptions(**reading), given.get("horizons", (1, HORIZON)), **{"windows": WINDOWS, **split}
        )
        for name, frame in frames.items()
    )
    given.pop("horizons", None)
    named = sources if isinstance(sources, dict) else {"s": sources}
    experiment = Experiment(
        data,
        tuple(SourceSpec(name, what, inverse=inverse) for name, what in named.items()),
        tuple(forecasters),
        **given,
    )
    return plan.made(experiment, inputs.read(experiment), drawn)


def row(made: Plan, arm: str, forecaster: str = "noisy", source: str = "s", replicate: int = 0) -> Row:
    """The row of one arm."""
    [found] = [
        r for r in made.rows if (r.arm, r.forecaster, r.source, r.replicate) == (arm, forecaster, source, replicate)
    ]
    return found


def place(one: Row) -> tuple[Any, ...]:
    return one.data, one.source, one.replicate, one.arm, one.forecaster


# the future -------------------------------------------------------------------------------------------------------


def ragged() -> pd.DataFrame:
    """Series that begin together and end at different times."""
    frame = seasonal(series=6, length=LENGTH)
    place_in_series = frame.groupby("unique_id").cumcount()
    return frame[place_in_series < LENGTH - 4 * frame.unique_id.str[1:].astype(int)].reset_index(drop=True)


def with_another_future(frame: pd.DataFrame, known: Mapping[str, int], how: str) -> pd.DataFrame:
    """The frame with other values after the first `known` ones of each series."""
    future = frame.groupby("unique_id").cumcount() >= frame.unique_id.map(known)
    y = frame.y.copy()
    if how == "large":
        y[future] = 1e6 * np.arange(future.sum())
    elif how == "missing":
        # the last value stays: a series without one would be shorter
        y[future & (frame.groupby("unique_id").cumcount(ascending=False) > 0)] = np.nan
    else:
        y[future] = 0.0
    return frame.assign(y=y)


@pytest.mark.parametrize("how", ["large", "missing", "zero"])
@pytest.mark.parametrize("first_cutoff", [None, "2007-06-01"])
@pytest.mark.parametrize("scaling", [None, "standard", "train"])
def test_nothing_after_the_first_cutoff_reaches_a_source_or_a_training_set(
    how: str, first_cutoff: str | None, scaling: str | None
) -> None:
    real = ragged()
    rng = np.random.default_rng(0)
    sources: dict[str, Any] = {
        "drawn": "gen:stl-bootstrap",
        "blocks": "gen:block-bootstrap:length=12",
        "twins": real.assign(y=rng.uniform(size=len(real))),
    }
    if scaling != "train":
        sources["strangers"] = sources["twins"].assign(unique_id="x" + real.unique_id)
        sources["windows"] = rng.uniform(size=(500, 24))
    settings: dict[str, Any] = {
        "forecasters": (Noisy, LOCAL, "linear"),
        "scaling": scaling,
        "inverse": "minmax",
        "first_cutoff": first_cutoff,
        "replicates": 2,
    }
    split = planned(real=real, forecasters=["naive"], first_cutoff=first_cutoff).data[0].split
    known = dict(zip(split.data.keys, split.train_ends.tolist(), strict=True))
    # a gap inside, and one across the cutoff, which must not be filled from its far side
    left = real.unique_id.map(known) - real.groupby("unique_id").cumcount()
    real = real.assign(y=real.y.where(~left.isin([0, 1, 2, 9])))
    before = planned(sources, real=real, **settings)
    split = before.data[0].split
    assert split.n_filled == 3 * len(known)
    after = planned(sources, real=with_another_future(real, known, how), **settings)
    later = after.data[0].split
    assert not np.array_equal(split.truth, later.truth, equal_nan=True)
    assert later.train.fingerprint == split.train.fingerprint
    assert later.scales.mae.tolist() == split.scales.mae.tolist()
    assert later.scales.rmse.tolist() == split.scales.rmse.tolist()
    assert len(before.rows) == len(after.rows)
    for one, other in zip(before.rows, after.rows, strict=True):
        assert {**vars(one), "cell": ""} == {**vars(other), "cell": ""}
        was, now = dict(before.cells[one.cell].content), dict(after.cells[other.cell].content)
        assert was.pop("windows") != now.pop("windows")
        assert was == now


@dataclass
class Sent:
    """What was sent to workers: the tasks of forecasters, which are not run, by the key of their cell."""

    jobs: dict[str, list[cell.Job]]
    raw: list[bytes]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """An engine that draws panels and lays aside what it is to fit."""
    real, kept = engines.run, Sent({}, [])

    def run(work: Callable[[bytes], bytes], tasks: Any, **given: Any) -> Iterator[Outcome]:
        draws: list[Task] = []
        for task in tasks:
            kept.raw.append(task.payload)
            job = cloudpickle.loads(task.payload)
            if isinstance(job, cell.Draw):
                draws.append(task)
            else:
                kept.jobs.setdefault(task.id.split("/")[0], []).append(job)
        yield from real(work, draws, **given)

    monkeypatch.setattr(engines, "run", run)
    return kept


def swept(folder: Path, synthetic: Any = "gen:stl-bootstrap", real: Any = None, **given: Any) -> None:
    settings: dict[str, Any] = {"forecasters": [Noisy], "horizons": [1, HORIZON], "windows": WINDOWS, "jobs": 0}
    settings["replicates"] = 1
    tsgap.sweep(seasonal() if real is None else real, synthetic, out=folder, **{**settings, **given})


def test_the_truth_of_the_last_window_is_in_nothing_that_a_worker_gets(tmp_path: Path, sent: Sent) -> None:
    frame = seasonal()
    last = frame[frame.groupby("unique_id").cumcount() >= LENGTH - HORIZON].y
    twins = frame.assign(y=frame.y.to_numpy()[::-1] + 0.5)
    work: list[bytes] = []
    whole = shelf.write_blocks

    def spied(name: str, blocks: Iterable[Panel], folder: Path) -> str:
        whole(name, blocks, folder)
        work.extend(file.read_bytes() for file in (folder / name).iterdir())
        return name

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "write_blocks", spied)
        swept(tmp_path, {"a": "gen:stl-bootstrap", "b": twins}, forecasters=[Noisy, LOCAL], scaling="train")
    seen = b"".join([*sent.raw, *work])
    known = frame[frame.groupby("unique_id").cumcount() < LENGTH - HORIZON].y
    assert all(np.float64(y).tobytes() in seen for y in known)
    assert not any(np.float64(y).tobytes() in seen for y in last)
    assert not any(b"tsgap.splits" in raw or b"tsgap.inputs" in raw for raw in sent.raw)


def test_training_parts_that_reach_into_the_test_of_others_are_said() -> None:
    def notes(real: pd.DataFrame, **given: Any) -> list[str]:
        return [note for note in planned(real=real, forecasters=["naive"], **given).notes if "test times" in note]

    [note] = notes(ragged())
    assert "between 2007-10-01T00:00:00 and 2009-06-01T00:00:00: those of 5 series" in note
    assert notes(ragged(), first_cutoff="2007-06-01") == notes(seasonal()) == []


# seeds, sub-samples and what is shared -----------------------------------------------------------------------------


def test_seeds_depend_on_the_replicate_and_on_neither_arm_nor_source() -> None:
    strangers = seasonal(seed=3).assign(unique_id=lambda f: "x" + f.unique_id)
    made = planned({"a": "gen:stl-bootstrap", "b": "gen:shuffle", "c": strangers}, [Noisy, LOCAL], replicates=3)
    seeds = {(r.replicate, r.forecaster): {x.seed for x in made.rows if x.source and place(x)[2::2] == place(r)[2::2]}
             for r in made.rows if r.source}  # fmt: skip
    assert all(len(of) == 1 for of in seeds.values())
    assert len(set().union(*seeds.values())) == len(seeds) == 6


def test_which_series_are_kept_depends_on_neither_source_nor_forecaster() -> None:
    few = seasonal(series=3, seed=3).assign(unique_id=lambda f: "x" + f.unique_id)
    others = few.assign(y=few.y * 2 + 1)
    made = planned({"a": few, "b": others}, [Noisy, "linear"], replicates=2)
    for k in range(2):
        control = row(made, "real", source="a", replicate=k)
        assert control.pairs is not None
        assert control.pairs_before is not None
        assert control.pairs < control.pairs_before
        assert row(made, "real", source="b", replicate=k).cell == control.cell
        assert row(made, "real", "linear", "a", k).trained_on == control.trained_on
        kept = made.cells[control.cell].training
        assert kept is not None
        shuffled = made.cells[row(made, "null", source="a", replicate=k).cell].training
        assert shuffled is not None
        # the same series as those of the control, of the same lengths, in another order
        assert shuffled.panel.lengths.tolist() == kept.panel.lengths.tolist()
        whole = [i for i, n in enumerate(kept.panel.lengths) if n == TRAINING]
        assert whole
        assert all(sorted(kept.panel[i]) == sorted(shuffled.panel[i]) for i in whole)
    draws = [row(made, "real", source="a", replicate=k).trained_on for k in range(2)]
    assert draws[0] != draws[1]


def test_a_control_is_shared_by_all_sources_on_the_same_footing() -> None:
    made = planned({"a": "gen:stl-bootstrap", "b": "gen:shuffle", "c": seasonal(seed=9)}, replicates=2)
    for label, n in (("noisy", 2), ("linear", 1)):
        controls = [r.cell for r in made.rows if r.arm == "real" and r.forecaster == label]
        assert (len(controls), len(set(controls))) == (6, n)
        nulls = [r.cell for r in made.rows if r.arm == "null" and r.forecaster == label]
        assert (len(nulls), len(set(nulls))) == (6, 2)


def test_a_copy_reads_the_cell_of_the_control() -> None:
    made = planned("gen:copy", [Noisy, LOCAL, "linear"], replicates=2)
    for label in ("noisy", "near", "linear"):
        for k in range(2):
            assert row(made, "synthetic", label, replicate=k).cell == row(made, "real", label, replicate=k).cell


@pytest.mark.parametrize("label", ["noisy", "near"])
def test_a_control_on_another_footing_is_a_cell_of_its_own(label: str) -> None:
    twins, fewer = seasonal(seed=9), seasonal(seed=9, length=60)
    strangers = twins.assign(unique_id="x" + twins.unique_id)
    made = planned({"twins": twins, "strangers": strangers, "fewer": fewer}, [Noisy, LOCAL])
    controls = {source: row(made, "real", label, source).cell for source in ("twins", "strangers", "fewer")}
    assert len(set(controls.values())) == 3
    two = planned("gen:stl-bootstrap", [Noisy, LOCAL], real={"a": seasonal(), "b": seasonal(seed=1)})
    assert len({r.cell for r in two.rows if r.arm == "real" and r.source and r.forecaster == label}) == 2


def test_a_forecaster_without_parameters_has_one_cell_whatever_it_would_be_trained_on() -> None:
    made = planned({"a": "gen:stl-bootstrap", "b": np.ones((40, 9))}, ["seasonal-naive", "naive"], replicates=2)
    assert len({r.cell for r in made.rows}) == len(made.cells) == 2


def test_fewer_replicates_of_a_file_are_used_again_and_more_are_all_used() -> None:
    draws = [seasonal(seed=k) for k in range(3)]
    assert {r.replicate for r in planned(draws).rows if r.source} == {0, 1, 2}
    one = planned(draws[0], replicates=2)
    first, second = (row(one, "synthetic", "linear", replicate=k) for k in range(2))
    assert first.cell == second.cell
    assert row(one, "synthetic", replicate=0).cell != row(one, "synthetic", replicate=1).cell
    uneven = [note for note in planned(draws[:2], replicates=3).notes if "in turn" in note]
    assert uneven == ["data: s: its 2 replicates are used in turn for 3; the first 1 count once more than the others"]
    assert not [note for note in planned(draws[:2], replicates=4).notes if "in turn" in note]


# replicates by default --------------------------------------------------------------------------------------------


def drawings(made: Plan, arm: str = "synthetic", forecaster: str = "linear", source: str = "s") -> list[Row]:
    """The rows of one arm and forecaster, by replicate."""
    found = [r for r in made.rows if (r.arm, r.forecaster, r.source) == (arm, forecaster, source)]
    return sorted(found, key=lambda r: r.replicate)


def test_five_draws_of_what_is_left_to_chance_are_the_default() -> None:
    made = planned(replicates=None)
    rows = drawings(made)
    assert [r.replicate for r in rows] == [r.draw for r in rows] == [0, 1, 2, 3, 4]
    assert len({r.cell for r in rows}) == len({r.trained_on for r in rows}) == 5
    nulls = drawings(made, "null")
    assert len({r.trained_on for r in nulls}) == 5
    assert len({r.cell for r in drawings(made, "real")}) == 1
    assert len({r.cell for r in drawings(made, "real", "noisy")}) == 5
    assert {(r.stochastic, r.fixed) for r in rows} == {(True, False)}


def test_nothing_is_shuffled_for_forecasters_that_learn_nothing() -> None:
    def arms(*forecasters: Any, **given: Any) -> set[str]:
        return {r.arm for r in planned("gen:copy", forecasters, **given).rows if r.source}

    assert arms("naive", "seasonal-naive") == arms("linear", null=False) == {"real", "synthetic"}
    assert arms("naive", "linear") == {"real", "synthetic", "null"}
    assert arms("naive", oracle_split=True) == {"real", "synthetic"}


def test_files_are_as_many_replicates_as_there_are_and_one_file_is_fixed() -> None:
    several = drawings(planned([seasonal(seed=k) for k in range(3)], replicates=None))
    assert [(r.draw, r.stochastic, r.fixed) for r in several] == [(k, True, False) for k in range(3)]
    assert [r.draw for r in drawings(planned([seasonal(seed=k) for k in range(2)], replicates=4))] == [0, 1, 0, 1]
    made = planned(seasonal(seed=9), replicates=None)
    one = drawings(made)
    assert [(r.draw, r.stochastic, r.fixed) for r in one] == [(k, False, True) for k in range(5)]
    assert len({r.cell for r in one}) == 1
    chance = drawings(made, forecaster="noisy")
    assert [(r.draw, r.stochastic, r.fixed) for r in chance] == [(k, True, True) for k in range(5)]
    assert len({r.cell for r in chance}) == 5
    assert len({r.trained_on for r in chance}) == 1


def test_equal_files_are_one_file() -> None:
    made = planned([seasonal(seed=9)] * 5, replicates=None)
    told = [(r.draw, r.stochastic, r.fixed, r.cell) for r in drawings(planned(seasonal(seed=9), replicates=None))]
    assert [(r.draw, r.stochastic, r.fixed, r.cell) for r in drawings(made)] == told
    assert "data: s: its 5 replicates hold 1 different ones: equal ones count once" in made.notes
    # of three files two are equal: that is two draws, too few to say anything about chance
    two = planned([seasonal(seed=9), seasonal(seed=8), seasonal(seed=9)], replicates=None)
    assert [r.draw for r in drawings(two)] == [0, 1]


def test_a_generator_that_always_gives_the_same_is_drawn_once_and_is_no_fixed_file() -> None:
    rows = drawings(planned("gen:copy", replicates=None))
    assert {(r.stochastic, r.fixed, r.cell) for r in rows} == {(False, False, rows[0].cell)}
    assert len(rows) == 5


def test_a_row_says_what_its_forecaster_can_remember_and_one_that_learns_nothing_is_not_left_to_chance() -> None:
    made = planned(forecasters=["linear", "seasonal-naive", "gradient-boosting", "lag-probe"], replicates=None)
    assert {r.forecaster: r.memory for r in made.rows if r.source} == {
        "linear": "linear",
        "seasonal-naive": "",
        "gradient-boosting": "nonlinear",
        "lag-probe": "lag",
    }
    assert not any(r.stochastic for r in drawings(made, forecaster="seasonal-naive"))


# keys -------------------------------------------------------------------------------------------------------------

#: What changes each field of a job; those that only say where its rows lie follow from the rest.
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "build": ({}, {"forecasters": [spec(Other)]}),
    "params": ({}, {"forecasters": [spec(params={"size": 2})]}),
    "train": ({}, {"synthetic": "gen:shuffle"}),
    "views histories": ({}, {"season_length": 6}),
    "horizon": ({"windows": 1}, {"windows": 1, "horizons": [1, HORIZON + 1]}),
    "context": ({"forecasters": [spec(max_history=50)]}, {"forecasters": [spec(max_history=50)], "context": 7}),
    "seed": ({}, {"seed": 1}),
    "scaling": ({}, {"scaling": "none"}),
    "least_history": ({}, {"forecasters": [spec(min_history=2)]}),
    "figures": ({"scaling": "train"}, {"scaling": "train", "real": seasonal().assign(y=lambda f: f.y * 2)}),
    "views figures": ({"scaling": "train"}, {"scaling": "train", "real": seasonal().assign(y=lambda f: f.y * 2)}),
    "views spare": ({}, {"real": seasonal().assign(y=lambda f: f.y * 2)}),
    "quantile_levels": ({}, {"quantiles": (0.1, 0.9)}),
    "twins_only": (
        {"forecasters": [LOCAL], "synthetic": seasonal(seed=2)},
        {"forecasters": [LOCAL], "synthetic": seasonal(seed=2).assign(unique_id=lambda f: "x" + f.unique_id)},
    ),
}


#: The same for the fields of blends, of an arm with as many synthetic as real pairs.
BLENDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "others": ({}, {"sources": "gen:shuffle"}),
    "other_figures": ({"scaling": "train"}, {"scaling": "train", "real": seasonal().assign(y=lambda f: f.y * 2)}),
    "leads": (
        {"sources": seasonal(length=LENGTH), "context": TRAINING - HORIZON},
        {"sources": seasonal(length=LENGTH), "context": TRAINING - HORIZON + 1},
    ),
    "uses_weights": ({}, {"forecasters": [spec(uses_weights=True)]}),
    "views blend": ({}, {"share": 0.5}),
}


#: The same for the fields of perturbed histories, of a job with a view of noise and one with gaps.
PERTURBED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "views perturbation": ({}, {"seed": 1}),
    "views scales": ({}, {"season_length": 6, "context": 24}),
    "views limit": ({}, {"context": 7}),
}


def test_every_field_of_a_job_is_known_to_the_key() -> None:
    of_job, of_view = ({field.name for field in fields(of)} for of in (cell.Job, cell.View))
    known = {*CHANGES, *BLENDS, *PERTURBED, "train_rows", "output", "views", "views rows"}
    assert of_job | {f"views {name}" for name in of_view} == known


def told(job: cell.Job, name: str) -> bytes:
    """What a job says under a name of `CHANGES`."""
    of, _, rest = name.partition(" ")
    return cloudpickle.dumps(getattr(job.views[0], rest) if rest else getattr(job, of))


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_a_job_changes_its_key(name: str, tmp_path: Path, sent: Sent) -> None:
    before, after = CHANGES[name]
    keys, jobs = [], []
    for k, given in enumerate((before, after)):
        sent.jobs.clear()
        swept(tmp_path / str(k), **{"null": False, **given})
        trained = {key: of[0] for key, of in sent.jobs.items() if of[0].train is not None}
        keys.append(set(trained))
        jobs.append(list(trained.values()))
    old, new = (jobs[k][-1] for k in range(2))
    assert told(old, name) != told(new, name)
    # the control is not touched by another source
    assert len(keys[0] & keys[1]) == (name == "train")


def blended(folder: Path, *, share: float = 1.0, **given: Any) -> tuple[str, cell.Job]:
    """Key and job of the arm with so many synthetic pairs to a real one."""
    made = planned(**{"forecasters": [spec()], **given}, augment="only")
    [key] = {r.cell for r in made.rows if (r.arm, r.share) == ("augmented", share)}
    [fit] = fits_of([made.cells[key]])
    return key, cloudpickle.loads(Tasks(folder, 1.0).of(fit).payload)


@pytest.mark.parametrize("name", BLENDS)
def test_what_changes_the_job_of_a_blend_changes_its_key(name: str, tmp_path: Path) -> None:
    (old, job), (new, other) = (blended(tmp_path, **given) for given in BLENDS[name])
    assert told(job, name) != told(other, name)
    assert old != new
    assert blended(tmp_path, **BLENDS[name][0])[0] == old


@pytest.mark.parametrize("name", PERTURBED)
@pytest.mark.parametrize("arm", ["noise-0.5/real", "missing-0.2/real"])
def test_what_changes_the_job_of_a_view_changes_its_key(name: str, arm: str, tmp_path: Path) -> None:
    def under(**given: Any) -> tuple[str, cell.Job]:
        made = planned(**{"forecasters": [spec(deterministic=True)], "stress": True, **given})
        key = row(made, arm).cell
        [fit] = fits_of([made.cells[key]])
        return key, cloudpickle.loads(Tasks(tmp_path, 1.0).of(fit).payload)

    (old, job), (new, other) = (under(**given) for given in PERTURBED[name])
    assert told(job, name) != told(other, name)
    assert old != new
    assert under(**PERTURBED[name][0])[0] == old


def test_all_views_of_a_fit_are_one_task() -> None:
    made = planned(forecasters=["linear", "naive"], stress=True)
    fits = fits_of(made.cells.values())
    # the seasonal-naive baseline and the shuffled arm, clean alone; the untrained forecaster; linear in two arms
    assert sorted(len(fit.pieces) for fit in fits) == [1, 1, 1 + 6, 1 + 8, 1 + 8]


def _values(frame: pd.DataFrame, at: int) -> pd.DataFrame:
    return frame.assign(y=np.where(np.arange(len(frame)) == at, 99.0, frame.y))


@pytest.mark.parametrize(
    "change",
    [
        {"real": _values(seasonal(), 5)},
        {"real": _values(seasonal(), LENGTH - 1)},
        {"real": seasonal().assign(unique_id=lambda f: f.unique_id.str.replace("s5", "s6"))},
        {"real": seasonal().assign(ds=lambda f: f.ds + pd.offsets.MonthBegin(1))},
        {"real": seasonal().assign(g=lambda f: f.unique_id), "groups": ("g",)},
        {"real": seasonal().assign(w=2.0), "weights": "w"},
        {"season_length": 6},
        {"season_length": (12, 24)},
        {"windows": 2},
        {"step": 2},
        {"horizons": (1, HORIZON + 6)},
        {"context": 7},
        {"scaling": "standard"},
        {"forecasters": [spec(Other)]},
        {"forecasters": [spec(params={"size": 2})]},
        {"forecasters": [spec(min_history=2)]},
        {"forecasters": [spec(max_history=50)]},
        {"forecasters": [spec(scope="local")]},
        {"forecasters": [spec(uses_weights=True)]},
        {"forecasters": [spec(requires=("numpy",))]},
        {"quantiles": (0.5,)},
        {"seed": 1},
    ],
    ids=lambda change: " ".join(f"{k}" for k in change),
)
def test_no_trained_cell_survives_a_change_of(change: dict[str, Any]) -> None:
    before = planned(forecasters=[spec()])
    after = planned(**{"forecasters": [spec()], **change})
    trained = [{r.cell for r in made.rows if r.forecaster == "noisy"} for made in (before, after)]
    assert not trained[0] & trained[1]


def test_quantiles_that_are_not_asked_for_are_in_no_key() -> None:
    assert all("quantiles" not in one.content for one in planned().cells.values())
    asked = planned(quantiles="0.9, 0.1").cells.values()
    assert all((one.content["quantiles"], one.quantile_levels) == ([0.1, 0.9], (0.1, 0.9)) for one in asked)


def test_another_version_of_the_cell_or_of_a_needed_library_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["gradient-boosting"]
    keys = [set(planned(forecasters=names).cells)]
    monkeypatch.setattr(cell, "VERSION", cell.VERSION + 1)
    keys.append(set(planned(forecasters=names).cells))
    assert not keys[0] & keys[1]
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99" if name == "scikit-learn" else real(name))
    trained = [key for key, one in planned(forecasters=names).cells.items() if one.training is not None]
    assert trained
    assert not keys[1] & set(trained)


@pytest.mark.parametrize("scope", ["global", "local"])
def test_keys_depend_neither_on_order_nor_on_what_else_is_asked(scope: Any) -> None:
    sources = {"a": "gen:stl-bootstrap", "b": "gen:shuffle", "c": seasonal(seed=4)}
    forecasters = [spec(scope=scope), "linear", "naive"]

    def keys(**given: Any) -> dict[tuple[Any, ...], str]:
        return {place(r): r.cell for r in planned(**given).rows}

    whole = keys(sources=sources, forecasters=forecasters, replicates=2)
    turned = keys(sources=dict(reversed(sources.items())), forecasters=forecasters[::-1], replicates=2)
    assert turned == whole
    for name, what in sources.items():
        for one in forecasters:
            alone = keys(sources={name: what}, forecasters=[one])
            assert alone.items() <= whole.items()


def test_keys_depend_on_no_path_name_of_a_source_or_label(tmp_path: Path) -> None:
    path = tmp_path / "somewhere.parquet"
    seasonal().to_parquet(path)
    twins = tmp_path / "else.csv"
    seasonal(seed=4).to_csv(twins, index=False)
    whole = planned({"s": seasonal(seed=4)})
    assert set(planned({"other name": str(twins)}, real=str(path)).cells) == set(whole.cells)
    labelled = [
        tsgap.plugins.choose_forecaster(Noisy, label="mine"),
        tsgap.plugins.choose_forecaster("linear", label="yours"),
    ]
    assert set(planned({"s": seasonal(seed=4)}, labelled).cells) == set(whole.cells)


def test_keys_depend_on_neither_workers_nor_time_limits(tmp_path: Path, sent: Sent) -> None:
    swept(tmp_path / "a", "gen:copy", null=False)
    first = set(sent.jobs)
    sent.jobs.clear()
    swept(tmp_path / "b", "gen:copy", null=False, jobs=2, timeout=60.0)
    assert set(sent.jobs) == first


# views ------------------------------------------------------------------------------------------------------------


def with_view(made: Plan, split: Split, view: str = "later") -> dict[str, plan.Cell]:
    """The cells of a view of the same split for every trained cell of a plan."""
    cells: dict[str, plan.Cell] = {}
    for one in made.cells.values():
        if one.training is not None:
            plan._cell(one.data, one.chosen, one.training, one.seed, cells, view=view, split=split)
    return cells


def test_a_view_has_a_key_of_its_own_and_the_fit_of_the_clean_one() -> None:
    made = planned(forecasters=[Noisy, LOCAL, "linear"], replicates=2)
    split = inputs.read_data(DataSpec("later", seasonal(seed=5), horizons=(1, HORIZON), windows=2)).split
    clean = {key: one for key, one in made.cells.items() if one.training is not None}
    views = with_view(made, split)
    assert not set(clean) & set(views)
    assert sorted(map(str, {one.fit for one in views.values()})) == sorted(map(str, {o.fit for o in clean.values()}))
    assert len({one.fit for one in clean.values()}) == len(clean) == len(views)
    assert {(one.view, len(one.split)) for one in views.values()} == {("later", 12)}
    assert not set(with_view(made, split, "other")) & set(views)
    longer = inputs.read_data(DataSpec("later", seasonal(seed=5), horizons=(HORIZON + 1,), windows=2)).split
    assert not {one.fit for one in with_view(made, longer).values()} & {one.fit for one in views.values()}


def test_only_the_clean_view_has_the_windows_of_the_data_set() -> None:
    made = planned()
    one = next(iter(made.cells.values()))
    noise = Perturbation("noise", 0.1)
    for given in ({"view": "later"}, {"split": one.split}, {"view": "later", "split": one.split, "how": noise}):
        with pytest.raises(ValueError, match="needs a split or a perturbation"):
            plan._cell(one.data, one.chosen, None, 0, {}, **given)


def test_scaling_train_needs_the_figures_of_every_series_of_a_view() -> None:
    made = planned(seasonal(seed=9), scaling="train")
    strangers = seasonal(seed=5).assign(unique_id=lambda f: "x" + f.unique_id)
    split = inputs.read_data(DataSpec("later", strangers, horizons=(HORIZON,), windows=2)).split
    with pytest.raises(DataError, match="no figures for 6 series of the view 'later', first 'xs0'"):
        with_view(made, split)


@pytest.mark.parametrize("paired", [True, False])
def test_views_of_a_local_cell_are_cut_by_the_same_training_series(
    paired: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "PAIRED_BLOCK", 2)
    monkeypatch.setattr(fits, "POOLED_BLOCK", 2)
    twins = seasonal(seed=9)
    made = planned(twins if paired else twins.assign(unique_id="x" + twins.unique_id), [LOCAL])
    clean = made.cells[row(made, "synthetic", "near").cell]
    fewer = seasonal(seed=5)
    fewer = fewer[~fewer.unique_id.isin(["s2", "s3", "s5"])].replace({"unique_id": {"s4": "a stranger"}})
    split = inputs.read_data(DataSpec("later", fewer, horizons=(1, HORIZON), windows=2)).split
    view = next(one for one in with_view(made, split).values() if one.fit == clean.fit)
    assert split.data.keys == ("a stranger", "s0", "s1")
    found = [(b.place, None if b.train_rows is None else b.train_rows.tolist(), b.rows.tolist())
             for b in fits.blocks(view) if b.rows is not None]  # fmt: skip
    before = {b.place: None if b.train_rows is None else b.train_rows.tolist() for b in fits.blocks(clean)}
    if paired:
        assert found == [(0, [0, 1], [2, 3, 4, 5]), (2, [4, 5], [0, 1])]
        assert before == {0: [0, 1], 1: [2, 3], 2: [4, 5]}
    else:
        assert found == [(0, None, [0, 1, 2, 3]), (1, None, [4, 5])]
        assert before == {0: None, 1: None, 2: None}
    assert clean.splits_by_series == view.splits_by_series == paired
