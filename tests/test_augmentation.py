"""What the arms of augmentation say, from whole runs: planted effects, failures, leaks, few draws, bits."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.worlds import seasonal
from tsgap import additive, augment_reading, blends, sweeps
from tsgap.augment_diagnosis import CANNOT_TELL, HELPS, HURTS, MISMATCH, NOT_MEASURABLE
from tsgap.augmentation import Augmentation
from tsgap.curve import FRACTIONS
from tsgap.errors import ForecastError
from tsgap.run import Run
from tsgap.store import Store
from tsgap.weighting import Ratio

HORIZON, WINDOWS = 2, 6


def noise(series: int = 14, length: int = 90, seed: int = 0, name: str = "s") -> pd.DataFrame:
    """White noise about a level."""
    rng = np.random.default_rng(seed)
    stamps = pd.date_range("2001-01-01", periods=length, freq="MS")
    frames = [
        pd.DataFrame({"unique_id": f"{name}{i:02d}", "ds": stamps, "y": 10 + rng.normal(size=length)})
        for i in range(series)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are not foretold: that has tests of its own."""
    monkeypatch.setattr(augment_reading, "corrected", lambda *given, **_: (given[3] ** 2, given[3] ** 2))


def swept(folder: Path, synthetic: Any = "gen:stl-bootstrap", **given: Any) -> Run:
    settings: dict[str, Any] = {
        **{"forecasters": ["linear"], "horizons": [1, HORIZON], "windows": WINDOWS, "replicates": 3, "jobs": 0},
        **{"augment": "only", "null": False, "out": folder, "context": 6},
    }
    return tsgap.sweep(given.pop("real", noise()), synthetic, **{**settings, **given})


def one(run: Run, metric: str = "mase", **only: Any) -> Augmentation:
    [found] = run.augmentations(metric, **only)
    return found


# planted effects --------------------------------------------------------------------------------------------------


class Planted:
    """Forecasts 10 and a bias, which depends on what it was fitted on: real series, also synthetic ones, duplicates.

    `kind` says what goes wrong with synthetic series: `rows` of the histories fail, or the fit does, or the fit with
    `duplicates`. Synthetic series are known by their own names.
    """

    def __init__(self, bias: float = 2.0, other: float = 1.0, kind: str = "", rows: int = 1) -> None:
        self.bias, self.other, self.kind, self.rows = bias, other, kind, rows

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.both = any(name.startswith("row") for name in train.series)
        duplicates = not self.both and any(key.startswith("added") for key in train.keys)
        if (self.kind == "fit" and self.both) or (self.kind == "duplicates" and duplicates):
            raise ForecastError("it cannot learn from these")

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        mean = np.full((len(history), horizon), 10 + (self.other if self.both else self.bias))
        bad = self.kind == "everywhere" or (self.kind == "rows" and self.both)
        return tsgap.Forecast(mean, dict.fromkeys(range(self.rows), "it would rather not") if bad else {})


LOCAL = tsgap.ForecasterSpec("near", "Near.", Planted, scope="local")


def planted(tmp_path: Path, *, synthetic: Any = None, **params: Any) -> Augmentation:
    chosen = tsgap.ForecasterSpec("planted", "Planted.", Planted, params=params)
    given = noise(seed=5, name="x") if synthetic is None else synthetic
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blends, "density_ratio", lambda *given, **_: Ratio(np.ones(len(given[4])), 1.0, 0.5))
        times = len(given) if isinstance(given, list) else 1
        return one(swept(tmp_path, given, forecasters=[chosen], scaling="none", replicates=times))


def test_a_planted_effect_is_found_and_is_the_ratio_of_losses(tmp_path: Path) -> None:
    good, bad = planted(tmp_path / "a"), planted(tmp_path / "b", bias=1.0, other=2.0)
    assert good.effects[-1] == HELPS
    assert bad.choice.share == 0.0
    assert bad.diagnoses[-1].state == MISMATCH
    for found, biases in ((good, (2.0, 1.0)), (bad, (1.0, 2.0))):
        truth, train = np.array(noise().y).reshape(14, 90), 90 - HORIZON * WINDOWS
        windows = truth[:, train:].reshape(14, WINDOWS, HORIZON)
        scale = np.abs(truth[:, 12:train] - truth[:, : train - 12]).mean(1)
        real, both = ((np.abs(windows - 10 - b).mean((1, 2)) / scale).mean() for b in biases)
        assert found.parts.total.value[-1] == pytest.approx(np.log(both / real), abs=1e-9)
        assert found.parts.duplicates.value[-1] == 0.0


def test_windows_that_fail_in_one_arm_alone_never_prove_that_it_helps(tmp_path: Path) -> None:
    whole = planted(tmp_path / "whole")
    found = planted(tmp_path / "some", kind="rows", rows=3)
    assert whole.uneven == 0
    assert found.uneven == 3
    assert found.gain.helps[-1]
    assert set(found.effects) == {CANNOT_TELL}
    assert {one.state for one in found.diagnoses} == {NOT_MEASURABLE}
    assert "3 windows have a forecast in one arm and none in another" in found.diagnoses[-1].reason


def test_windows_that_fail_in_one_arm_do_not_hide_that_it_hurts(tmp_path: Path) -> None:
    found = planted(tmp_path, bias=1.0, other=2.0, kind="rows")
    assert found.uneven == 1
    assert found.diagnoses[-1].state == MISMATCH


def test_windows_that_fail_in_all_arms_are_counted(tmp_path: Path) -> None:
    found = planted(tmp_path, kind="everywhere", rows=2)
    assert (found.uneven, found.unanswered) == (0, 2)
    assert found.effects[-1] == HELPS


def test_where_more_than_half_of_the_windows_fail_nothing_is_measured(tmp_path: Path) -> None:
    found = planted(tmp_path, kind="rows", rows=14 * WINDOWS // 2 + 1)
    assert found.arms is None
    assert found.why == "more than half of the windows failed in some arm"


@pytest.mark.parametrize(("kind", "lost"), [("fit", "augmented"), ("duplicates", "duplicated")])
def test_an_arm_that_cannot_be_fitted_never_helps_and_its_reason_is_told(tmp_path: Path, kind: str, lost: str) -> None:
    found = planted(tmp_path, kind=kind)
    assert set(found.effects) == {CANNOT_TELL}
    assert not getattr(found.losses, lost)
    assert found.losses.missing[lost] == f"{lost} arm: error"
    assert {one.state for one in found.diagnoses} == {NOT_MEASURABLE}
    assert np.isnan(found.parts.shortfall.value).all()


def test_fewer_than_three_draws_of_what_is_left_to_chance_prove_nothing(tmp_path: Path) -> None:
    files = [noise(seed=seed, name="x") for seed in (5, 6, 7)]
    few, enough = (planted(tmp_path / str(n), synthetic=files[:n]) for n in (2, 3))
    assert enough.effects[-1] == HELPS
    assert few.gain.helps[-1]
    assert set(few.effects) == {CANNOT_TELL}
    assert {one.state for one in few.diagnoses} == {NOT_MEASURABLE}
    assert few.diagnoses[0].reason.startswith("with 2 draws of what is left to chance nothing is proven")


def test_a_source_that_was_not_drawn_is_told_and_nothing_is_measured(tmp_path: Path) -> None:
    run = swept(tmp_path, {"bad": "gen:tests.test_sweeps:Nothing", "good": "gen:stl-bootstrap"})
    bad, good = run.augmentations()
    assert "nothing to give" in bad.why
    assert (bad.arms, bad.source) == (None, "bad")
    assert good.why == ""


def test_who_is_refused_is_told_why(tmp_path: Path) -> None:
    found = swept(tmp_path, forecasters=["linear", LOCAL, "naive"]).augmentations()
    whys = {one.forecaster: one.why for one in found}
    assert whys["linear"] == ""
    assert whys["near"].startswith("a local forecaster learns each series by itself")
    assert whys["naive"] == "it learns nothing, so nothing can be added"


@pytest.mark.parametrize("n", [1, 3, 14])
def test_a_copy_of_the_real_series_is_0_to_rounding_and_neither_helps_nor_hurts(tmp_path: Path, n: int) -> None:
    found = one(swept(tmp_path, "gen:copy", real=seasonal(n, 130), horizons=[1, 6], context=12))
    assert np.abs(found.parts.total.value).max() < 1e-9
    assert all(np.abs(response.gain.real.value).max() < 1e-9 for response in found.responses)
    assert not set(found.effects) & {HELPS, HURTS}
    assert MISMATCH not in {one.state for one in found.diagnoses}
    assert (found.parts.duplicates.value == 0).all()


def test_a_copy_of_the_test_voids_the_result(tmp_path: Path) -> None:
    frame = seasonal(6, 130)
    leaky = frame.assign(y=frame.y.to_numpy() * 3 + 5)
    run = swept(tmp_path, {"leaky": leaky, "fair": "gen:stl-bootstrap"}, real=frame, horizons=[1, 6], windows=12)
    found, fair = run.augmentations()
    assert "occur in the synthetic series, up to level and scale" in found.why
    assert found.leaks
    assert found.arms is None
    assert (fair.why, fair.leaks) == ("", ())


def test_the_real_series_alone_are_judged(tmp_path: Path) -> None:
    found = one(swept(tmp_path, None))
    assert (found.source, found.why) == ("", "")
    assert tuple(sorted(found.losses.fractions)) == FRACTIONS
    assert not found.losses.augmented
    assert found.losses.residuals is not None or "residuals" in found.losses.missing


@pytest.mark.parametrize("scaling", ["train", "standard"])
def test_every_scaling_of_twins_is_measured(tmp_path: Path, scaling: str) -> None:
    found = one(swept(tmp_path, scaling=scaling))
    assert found.why == ""
    assert {len(of) for of in (found.losses.augmented, found.losses.duplicated, found.losses.reweighted)} == {5}
    assert found.losses.inner is not None
    assert np.isfinite(found.parts.total.value).all()


@pytest.mark.slow
def test_odd_series_are_measured_or_said(tmp_path: Path) -> None:
    frame = noise(12)
    back = frame.groupby("unique_id").cumcount(ascending=False)
    frame["y"] = np.where(frame.unique_id == "s03", 4.0, frame.y)
    frame["y"] = np.where((frame.unique_id == "s04") & back.isin([1, 9, 40]), np.nan, frame.y)
    frame = frame[(frame.unique_id != "s05") | (back < 50)]
    run = swept(tmp_path, real=frame, event="y > q0.8", cheap=True)
    found = run.augmentations()
    assert found[0].why == ""
    assert np.isfinite(found[0].parts.total.value).all()
    assert found[0].losses.clusters.counts.series == 11
    assert all(one.why == "" or one.cheap for one in found)
    assert len(found[0].events) == len(found[0].places)


# bits -------------------------------------------------------------------------------------------------------------


def bits(run: Run) -> dict[str, bytes]:
    """Every array of every augmentation of a run."""
    out: dict[str, bytes] = {}

    def lay(name: str, what: Any) -> None:
        if isinstance(what, np.ndarray):
            out[name] = what.tobytes()
        elif isinstance(what, dict):
            for key, value in what.items():
                lay(f"{name} {key}", value)
        elif isinstance(what, tuple):
            for k, value in enumerate(what):
                lay(f"{name} {k}", value)
        else:
            out[name] = repr(what).encode()

    for found in run.augmentations(forecaster="linear"):
        head = f"{found.source}/{found.forecaster}"
        for field in fields(found.losses):
            if field.name not in ("clusters", "inner"):
                lay(f"{head} {field.name}", getattr(found.losses, field.name))
        assert found.losses.inner is not None
        lay(f"{head} inner", (found.losses.inner.real, dict(found.losses.inner.augmented)))
        lay(f"{head} told", (found.diagnoses, found.effects, repr(found.choice)))
    return out


SOURCES = ["gen:stl-bootstrap"]
#: Enough for bits.
FEW: dict[str, Any] = {"replicates": 2, "windows": 3}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return swept(tmp_path_factory.mktemp("world") / "whole", SOURCES, **FEW)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_worker_processes_give_the_same_bits(whole: Run, tmp_path: Path, jobs: int) -> None:
    assert bits(swept(tmp_path, SOURCES, jobs=jobs, **FEW)) == bits(whole)


@pytest.mark.slow
def test_blocks_of_other_sizes_give_the_same_bits(whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSGAP_BLOCK", "1000")
    assert bits(swept(tmp_path, SOURCES, **FEW)) == bits(whole)


def test_a_run_that_was_killed_goes_on_to_the_same_bits(
    whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, seen = Store.add, list[str]()

    def counting(self: Store, part: Any) -> None:
        if len(seen) == 20:
            raise KeyboardInterrupt
        seen.append("")
        add(self, part)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "add", counting)
        with pytest.raises(KeyboardInterrupt):
            swept(tmp_path, SOURCES, **FEW)
    progress: list[sweeps.Progress] = []
    again = swept(tmp_path, SOURCES, **FEW, on_progress=progress.append)
    assert progress[0].reused == 20
    assert bits(again) == bits(whole)


def test_shards_put_together_give_the_same_bits(whole: Run, tmp_path: Path) -> None:
    runs = [swept(tmp_path / str(k), SOURCES, **FEW, shard=(k, 3)) for k in (1, 2, 3)]
    assert all(one.arms is None or one.losses.missing for run in runs for one in run.augmentations())
    assert not any(HELPS in one.effects for run in runs for one in run.augmentations() if one.arms is not None)
    assert bits(tsgap.merge(runs, tmp_path / "merged")) == bits(whole)


@pytest.mark.slow
def test_moments_read_in_other_blocks_are_equal_to_rounding(
    whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(additive, "BLOCK", 500)
    totals = [
        [one.parts.total.value for one in run.augmentations(forecaster="linear")]
        for run in (whole, swept(tmp_path, SOURCES, **FEW))
    ]
    np.testing.assert_allclose(totals[0], totals[1], atol=1e-9)


# beside a sweep ---------------------------------------------------------------------------------------------------


def test_augmentation_changes_nothing_that_a_sweep_says(tmp_path: Path) -> None:
    given: dict[str, Any] = {"null": True, "forecasters": ["seasonal-naive", "linear"], "synthetic": SOURCES, **FEW}
    plain = swept(tmp_path / "plain", **given, augment="")
    before = plain.profile(["mae", "mase"]), plain.gap(), str(plain.gate()), plain.gate().exit_code(), plain.n_failed
    reused = plain.cells().cell.nunique()
    progress: list[sweeps.Progress] = []
    also = swept(tmp_path / "plain", **given, augment="also", on_progress=progress.append)
    assert progress[0].reused == reused
    pd.testing.assert_frame_equal(also.profile(["mae", "mase"]), before[0])
    pd.testing.assert_frame_equal(also.gap(), before[1])
    assert (str(also.gate()), also.gate().exit_code(), also.n_failed) == before[2:]
    alone = swept(tmp_path / "alone", **given)
    # the untrained forecaster is refused in both
    assert bits(alone) == bits(also)


@pytest.mark.slow
def test_a_preview_counts_what_would_be_done(tmp_path: Path) -> None:
    from tsgap.experiment import Experiment, data_specs, source_specs
    from tsgap.previews import preview

    data = data_specs(noise(), horizons=[1, HORIZON], windows=WINDOWS)
    given: dict[str, Any] = {"replicates": 3, "augment": "only", "null": False, "context": 6}
    asked = Experiment(data, source_specs("gen:stl-bootstrap"), ("linear",), **given)
    before = preview(asked, out=tmp_path / "run")
    assert before.tasks > 0
    assert before.reused == 0
    run = swept(tmp_path / "run")
    after = preview(asked, out=tmp_path / "run")
    assert (after.reused, after.tasks) == (after.whole, after.whole)
    assert run.complete
