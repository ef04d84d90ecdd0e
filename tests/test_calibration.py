"""Coverage of central intervals: which pairs count, what is certain, and what planted truth gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import TRUTH, row, written

import tsgap
from tsgap.calibration import (
    CANNOT_TELL,
    DIFFERS,
    EQUIVALENT,
    LEVELS,
    Coverage,
    coverage,
    ends,
    estimated,
    share,
    verdict,
)
from tsgap.cli import DONE
from tsgap.cli import run as command
from tsgap.errors import UsageError
from tsgap.gap import Clusters
from tsgap.panel import Floats, Panel
from tsgap.protocols import Forecast, ForecasterSpec
from tsgap.run import Run

ARMS = (row("real", "real"), row("synthetic", "synthetic"))
NAIVE = row("real", "naive", source="", forecaster="seasonal-naive", transfer="none")
#: How far the quantiles of `LEVELS` lie from the forecast, in a tenth of the widest.
AROUND = np.array([-10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0]) / 10


def quantiles(error: float | Floats, width: float = 1.0) -> Floats:
    """Quantiles (N, H, Q) of forecasts of the hand-made truth that are off by `error`."""
    return (np.nan_to_num(TRUTH, nan=40.0) + error)[..., None] + width * AROUND


def run_of(folder: Path, cells: dict[str, Any], *, rows: Any = ARMS, levels: Any = LEVELS, **more: Any) -> Run:
    naive = np.nan_to_num(TRUTH, nan=40.0)
    return written(folder, [NAIVE, *rows], {"naive": naive, **cells}, quantiles=levels, **more)


def one(frame: pd.DataFrame, **at: Any) -> Any:
    (found,) = frame[np.logical_and.reduce([frame[name] == value for name, value in at.items()])].itertuples()
    return found


def grid(series: int, windows: int, replicates: int = 1) -> Clusters:
    at = [ids.ravel() for ids in np.indices((series, windows))]
    return Clusters.of(at[0], at[1], np.arange(replicates))


def test_true_values_are_counted_inside_of_each_interval_and_place_in_each_arm(tmp_path: Path) -> None:
    # of leads 1 to 4 the real arm is off by these shares of its widest interval, the synthetic arm by half of it more
    off = np.array([0.1, 0.4, 0.7, 1.2])
    run = run_of(tmp_path, {"real": quantiles(off), "synthetic": quantiles(off + 0.4)})
    found = run.calibration("lead")
    for interval, reach in ((0.5, 0.2), (0.8, 0.5), (0.95, 1.0)):
        for lead in (1, 2, 3, 4):
            of = one(found, lead=lead, interval=interval)
            assert of.coverage_control == float(off[lead - 1] <= reach)
            assert of.coverage_synthetic == float(off[lead - 1] + 0.4 <= reach)
            assert of.difference == of.coverage_synthetic - of.coverage_control
            assert of.n_used == (3 if lead == 3 else 4)  # one true value is missing
    every = one(run.calibration("horizon"), horizon=4, interval=0.8)
    assert (every.n_used, every.coverage_control) == (15, pytest.approx(8 / 15))
    assert every.coverage_synthetic == pytest.approx(4 / 15)


def test_a_handful_of_windows_decides_nothing_whatever_it_shows(tmp_path: Path) -> None:
    found = run_of(tmp_path, {"real": quantiles(0.0), "synthetic": quantiles(9.0)}).calibration("horizon")
    assert set(found.difference) == {-1.0}
    assert (found.high < -0.05).all()
    assert set(found.verdict) == {CANNOT_TELL}


def test_ends_of_an_interval_are_inside_of_it(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"real": quantiles(1.0), "synthetic": quantiles(-1.0)})
    found = run.calibration("horizon")
    assert set(found[found.interval == 0.95].coverage_control) == {1.0}
    assert set(found[found.interval == 0.95].coverage_synthetic) == {1.0}
    assert set(found[found.interval == 0.8].coverage_control) == {0.0}


def test_a_window_that_failed_in_one_arm_counts_in_none_and_proves_nothing_equal(tmp_path: Path) -> None:
    off = np.array([0.0, 0.0, 3.0, 0.0])[:, None]
    cells = {"real": quantiles(off), "synthetic": (quantiles(0.0), {2: "it broke"})}
    run = run_of(tmp_path, cells)
    of = one(run.calibration("horizon"), horizon=4, interval=0.95)
    assert (of.coverage_control, of.coverage_synthetic) == (1.0, 1.0)
    assert (of.n_used, of.status, of.verdict) == (11, "partial", CANNOT_TELL)


@pytest.mark.parametrize(
    ("series", "leads", "failing", "stochastic", "said"),
    [
        (40, 2, False, False, EQUIVALENT),
        (40, 2, True, False, CANNOT_TELL),  # in one arm
        (40, 2, False, True, CANNOT_TELL),  # one draw
        (40, 6, False, False, EQUIVALENT),  # windows that overlap: the step is 4
        (9, 6, False, False, CANNOT_TELL),
    ],
)
def test_equal_arms_are_proven_equal_where_nothing_is_missing_and_chance_was_seen(
    tmp_path: Path, series: int, leads: int, failing: bool, stochastic: bool, said: str
) -> None:
    n = series * 20
    truth = np.random.default_rng(0).normal(size=(n, leads))
    made = np.zeros((n, leads, 1)) + 2.0 * AROUND
    cells: dict[str, Any] = {"naive": np.zeros((n, leads)), "real": made}
    cells["synthetic"] = (made, {3: "it broke"} if failing else {})
    rows = [NAIVE, *({**arm, "stochastic": stochastic} for arm in ARMS)]
    ids = np.repeat([f"s{i:02d}" for i in range(series)], 20).tolist()
    run = written(tmp_path, rows, cells, truth=truth, ids=ids, horizons=(leads,), quantiles=LEVELS)
    of = one(run.calibration("horizon"), interval=0.95)
    assert (of.difference, of.verdict) == (0.0, said)
    assert -0.05 < of.low < 0 < of.high < 0.05


def test_an_interval_whose_levels_were_not_asked_for_says_so(tmp_path: Path) -> None:
    cells = {"real": quantiles(0.0)[..., 1:-1], "synthetic": quantiles(0.3)[..., 1:-1]}
    found = run_of(tmp_path, cells, levels=LEVELS[1:-1]).calibration("horizon")
    assert dict(zip(found.interval, found.status, strict=True)) == {0.5: "ok", 0.8: "ok", 0.95: "not asked for"}
    assert found[found.interval == 0.95].difference.isna().all()


def test_one_level_alone_is_no_interval_but_has_its_share(tmp_path: Path) -> None:
    cells = {"real": quantiles(0.3)[..., 3:4], "synthetic": quantiles(-0.3)[..., 3:4]}
    run = run_of(tmp_path, cells, levels=(0.5,))
    assert set(run.calibration("bin").status) == {"not asked for"}
    found = run.pit()
    assert found.groupby("arm").share.apply(list).to_dict() == {"real": [1.0, 0.0], "synthetic": [0.0, 1.0]}
    assert set(found.deviation) == {0.5}


def test_without_quantiles_the_next_step_is_said(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"real": TRUTH, "synthetic": TRUTH}, levels=())
    for ask in (run.calibration, run.pit):
        with pytest.raises(UsageError, match="no quantiles were asked for; run the sweep with --calibration"):
            ask()


def test_a_forecaster_without_quantiles_has_none(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"real": np.nan_to_num(TRUTH), "synthetic": quantiles(0.0)})
    assert set(run.calibration().status) == {"no quantiles"}
    assert set(run.pit().status) == {"no quantiles"}


def test_what_crossed_before_it_was_sorted_is_a_share_of_all_pairs_of_an_arm(tmp_path: Path) -> None:
    crossing = quantiles(0.0)
    crossing[1, 2] = crossing[1, 2, ::-1]
    crossing[3, :2] = crossing[3, :2, ::-1]
    run = run_of(tmp_path, {"real": quantiles(0.0), "synthetic": crossing}, parts=2)
    found = run.calibration("horizon")
    assert set(found.crossed_control) == {0.0}
    assert set(found.crossed_synthetic) == {3 / 16}


def test_leads_that_were_not_taught_have_no_figure(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"real": quantiles(0.0), "synthetic": quantiles(0.0)[:, :2]})
    found = run.calibration("lead")
    assert found.groupby("lead").status.first().tolist() == ["ok", "ok", "not taught", "not taught"]


def test_values_that_are_a_quantile_lie_half_below_it(tmp_path: Path) -> None:
    zeros = np.zeros((4, 4))
    run = run_of(tmp_path, {"real": quantiles(0.0) * 0.0, "synthetic": quantiles(5.0) * 0.0 + 1.0}, truth=zeros)
    found = run.pit().groupby("arm").share.apply(list)
    assert found["real"] == [0.5, *[0.0] * 6, 0.5]
    assert found["synthetic"] == [1.0, *[0.0] * 7]


def test_a_share_is_that_of_the_weighted_pairs_and_its_contributions_are_0_in_sum() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(1, 5, size=(12, 2)) * rng.choice([1.0, 3.0], size=(12, 1))
    hits = np.floor(rng.uniform(size=(3, 12, 2)) * (pairs + 1))
    found = share(hits, pairs)
    np.testing.assert_allclose(found.value, hits.sum((0, 1)) / (3 * pairs.sum(0)))
    np.testing.assert_allclose(found.contributions.sum((0, 1)), 0.0, atol=1e-15)
    np.testing.assert_allclose(found.shares.sum(0), 1.0)


def test_a_mean_of_independent_windows_has_the_standard_error_of_the_binomial() -> None:
    hits = (np.random.default_rng(0).uniform(size=(1, 4000, 1)) < 0.8).astype(float)
    clusters = Clusters.of(np.arange(4000), np.zeros(4000, dtype=int), np.zeros(1, dtype=int))
    found = estimated(share(hits, np.ones((4000, 1))), np.ones((4000, 1)), clusters)
    p = hits.mean()
    assert found.se[0] == pytest.approx(np.sqrt(p * (1 - p) / 4000), rel=0.02)


@pytest.mark.parametrize(("series", "said"), [(4, CANNOT_TELL), (10, CANNOT_TELL), (60, EQUIVALENT)])
def test_nothing_is_certain_because_all_windows_were_alike(series: int, said: str) -> None:
    n = series * 5
    outside = np.zeros((1, n, 1))
    found = coverage({"control": outside, "synthetic": outside}, np.full((n, 1), 3.0), grid(series, 5))
    assert found.control.value[0] == found.synthetic.value[0] == 1.0
    assert found.difference.value[0] == 0.0
    low, high = found.difference.lower(0.975)[0], found.difference.upper(0.975)[0]
    assert low < 0 < high
    assert verdict(low, high) == said


def test_a_pair_of_windows_that_agree_is_known_and_not_left_out() -> None:
    # the arms differ in two windows of 200, one each way: no window has any influence but these two
    outside = np.zeros((1, 200, 1))
    other = outside.copy()
    outside[0, 3], other[0, 77] = 1.0, 1.0
    found = coverage({"control": outside, "synthetic": other}, np.ones((200, 1)), grid(40, 5))
    assert found.difference.value[0] == 0.0
    assert found.difference.se[0] < 0.02


def worlds(
    control: float,
    synthetic: float,
    runs: int,
    *,
    series: int = 30,
    windows: int = 8,
    shared: float = 0.0,
    chance: float = 0.0,
) -> list[Coverage]:
    """Coverage of arms that hold these shares of true values.

    Leads of a window and windows of a series are alike; `shared` is the variance that all series have in common at a
    time, `chance` the standard deviation of what each of five draws of the synthetic arm moves its interval by.
    """
    from scipy.special import ndtri

    rng, leads, out = np.random.default_rng(0), 6, []
    for _ in range(runs):
        z = rng.normal(size=(series, windows, leads)) * np.sqrt(0.5 - shared)
        z += rng.normal(size=(series, 1, 1)) * np.sqrt(0.2) + rng.normal(size=(series, windows, 1)) * np.sqrt(0.3)
        z += rng.normal(size=(windows, 1)) * np.sqrt(shared)
        draws = rng.normal(size=5 if chance else 1) * chance
        # an end that moves by chance holds on average what a fixed one nearer to the middle holds
        ends = ndtri(synthetic) * np.sqrt(1 + chance**2) + draws
        beyond = [(z > end).sum(2).ravel() for end in ends]
        outside = {"control": (z > ndtri(control)).sum(2).reshape(1, -1, 1).astype(float)}
        outside["synthetic"] = np.array(beyond, dtype=float)[..., None]
        out.append(coverage(outside, np.full((series * windows, 1), float(leads)), grid(series, windows, len(draws))))
    return out


#: Without and with shocks that all series share, and draws that differ.
SHOCKS = [{}, {"shared": 0.1, "chance": 0.1}]


@pytest.mark.parametrize("more", SHOCKS)
def test_intervals_of_a_coverage_hold_the_truth_as_often_as_they_say(more: dict[str, float]) -> None:
    found = worlds(0.8, 0.7, 400, **more)
    for name, truth in (("control", 0.8), ("synthetic", 0.7), ("difference", -0.1)):
        of = [getattr(world, name) for world in found]
        held = np.mean([e.lower(0.975)[0] <= truth <= e.upper(0.975)[0] for e in of])
        assert 0.92 < held < 0.99
        assert np.mean([e.value[0] for e in of]) == pytest.approx(truth, abs=0.01)


def verdicts(control: float, synthetic: float, runs: int, **more: Any) -> dict[str, float]:
    found = [world.difference for world in worlds(control, synthetic, runs, **more)]
    said = [verdict(one.lower(0.975)[0], one.upper(0.975)[0]) for one in found]
    return {what: said.count(what) / runs for what in (EQUIVALENT, DIFFERS, CANNOT_TELL)}


@pytest.mark.parametrize("more", SHOCKS)
def test_a_difference_at_the_margin_is_rarely_called_either_way(more: dict[str, float]) -> None:
    at_margin = verdicts(0.8, 0.75, 400, **more)
    assert at_margin[EQUIVALENT] < 0.05
    assert at_margin[DIFFERS] < 0.05
    assert verdicts(0.8, 0.6, 50, **more)[DIFFERS] > 0.9


def test_equal_arms_of_many_windows_are_proven_equal() -> None:
    assert verdicts(0.8, 0.8, 50)[EQUIVALENT] > 0.9


def test_levels_are_found_as_they_are_written() -> None:
    assert ends(0.95, LEVELS) == (0, 6)
    assert ends(0.8, (0.1, 0.9)) == (0, 1)
    assert ends(0.8, (0.1, 0.5)) is None
    assert ends(0.5, ()) is None


class Known:
    """Knows that values are independent and Gaussian; learns their mean and standard deviation."""

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.mean, self.deviation = float(train.values.mean()), float(train.values.std())

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        from scipy.special import ndtri

        mean = np.full((len(history), horizon), self.mean)
        if not quantile_levels:
            return Forecast(mean)
        around = self.deviation * ndtri(np.array(quantile_levels))
        return Forecast(mean, {}, mean[..., None] + around, quantile_levels)


def gaussian(deviation: float, seed: int, series: int = 40) -> pd.DataFrame:
    rng, stamps = np.random.default_rng(seed), pd.date_range("2001-01-01", periods=200, freq="D")
    return pd.concat(
        [pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": rng.normal(5, deviation, 200)}) for i in range(series)]
    )


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A fair second draw, and a source whose values vary 0.6 times as much as the real ones."""
    return tsgap.sweep(
        gaussian(1.0, 0),
        {"fair": gaussian(1.0, 1), "bold": gaussian(0.6, 2)},
        forecasters=[ForecasterSpec("known", "known", Known)],
        horizons=[1, 4],
        windows=8,
        replicates=1,
        scaling="none",
        quantiles=LEVELS,
        out=tmp_path_factory.mktemp("planted") / "run",
        jobs=0,
    )


def test_an_overconfident_source_is_found_and_a_fair_one_is_not(planted: Run) -> None:
    from scipy.special import ndtr, ndtri

    found = planted.calibration("horizon")
    for interval in (0.5, 0.8, 0.95):
        fair, bold = (one(found, source=name, horizon=4, interval=interval) for name in ("fair", "bold"))
        held = 2 * ndtr(0.6 * ndtri((1 + interval) / 2)) - 1
        assert fair.coverage_control == pytest.approx(interval, abs=0.04)
        assert bold.coverage_synthetic == pytest.approx(held, abs=0.04)
        assert bold.low < held - interval < bold.high
        assert (fair.verdict, bold.verdict) == (EQUIVALENT, DIFFERS)
        assert (fair.series, fair.blocks, fair.n_used) == (40, 8, 1280)


def test_the_histogram_of_a_fair_arm_is_flat_and_that_of_an_overconfident_one_is_not(planted: Run) -> None:
    from scipy.special import ndtr, ndtri

    found = planted.pit()
    assert found.groupby(["source", "arm"]).share.sum().to_numpy() == pytest.approx(1.0)
    fair = found[(found.source == "fair") & (found.arm == "synthetic")]
    np.testing.assert_allclose(fair.share, fair.expected, atol=0.03)
    bold = found[(found.source == "bold") & (found.arm == "synthetic")]
    below = ndtr(0.6 * ndtri(np.array(LEVELS)))
    np.testing.assert_allclose(np.cumsum(bold.share)[:-1], below, atol=0.03)
    assert bold.deviation.iloc[0] == pytest.approx(np.abs(below - LEVELS).max(), abs=0.03)
    assert fair.deviation.iloc[0] < 0.04
    assert ((bold.low <= bold.share) & (bold.share <= bold.high)).all()


def test_show_says_in_a_sentence_what_intervals_hold(planted: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["show", str(planted.path), "--calibration", "--by", "horizon"]) == DONE
    told = capsys.readouterr().out
    found = one(planted.calibration("horizon"), source="bold", horizon=4, interval=0.95)
    assert (
        f"95 % intervals of known hold {100 * found.coverage_control:.1f} % after real training, "
        f"{100 * found.coverage_synthetic:.1f} % after synthetic: {-100 * found.difference:.1f} points fewer "
        f"({-100 * found.high:.1f} to {-100 * found.low:.1f}), proven to be more than 5 points"
    ) in told
    assert "WQL gap %" in told
    assert "PIT" in told
    assert "proven to be within 5 points" in told


def test_show_exports_the_rows_and_takes_no_metric(planted: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["show", str(planted.path), "--calibration", "--format", "csv"]) == DONE
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("data,source,forecaster,versus,bin,first,last,interval,coverage_control")
    assert len(rows) == 2 * 3 * 3
    assert command(["show", str(planted.path), "--calibration", "--metric", "mae"]) == 2
    assert "--metric does not go with it" in capsys.readouterr().err


def test_sweep_asks_for_the_levels_of_intervals_beside_those_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tsgap.config import from_toml

    monkeypatch.chdir(tmp_path)
    gaussian(1.0, 0, series=6).to_csv("real.csv", index=False)
    flags = ["--real", "real.csv", "--synthetic", "gen:copy", "-f", "linear", "--horizons", "2", "--fast"]
    asked = [*flags, "--calibration", "--quantiles", "0.3,0.5", "--out", "run", "--jobs", "0"]
    assert command(["sweep", *asked, "--save-config", "asked.toml"]) == DONE
    assert "tsgap show run --calibration" in capsys.readouterr().out
    assert from_toml("asked.toml").quantiles == tuple(sorted({*LEVELS, 0.3}))
    found = tsgap.load("run").calibration()
    assert set(found.status) == {"ok"}
    assert set(found.difference) == {0.0}


def test_show_says_who_has_no_quantiles_and_whose_crossed(tmp_path: Path) -> None:
    from tsgap.cli.calibration import tables

    crossing = quantiles(0.0)
    crossing[1, 2] = crossing[1, 2, ::-1]
    points = [row(arm, f"points {arm}", forecaster="points") for arm in ("real", "synthetic")]
    cells: dict[str, Any] = {"real": quantiles(0.0), "synthetic": crossing}
    cells |= {told["cell"]: np.nan_to_num(TRUTH) for told in points}
    frame, text = tables(run_of(tmp_path, cells, rows=[*ARMS, *points]), "lead")
    assert "  points: no quantiles\n" in text
    assert (
        "quantiles of f crossed in 0.0 % of pairs after real training, 6.2 % after synthetic, and were sorted" in text
    )
    assert "95 % intervals of f hold 100.0 % after real training, 100.0 % after synthetic" in text
    assert set(frame.forecaster) == {"f", "points"}


def test_a_sweep_from_python_may_ask_for_calibration(tmp_path: Path) -> None:
    from worlds import seasonal

    asked: dict[str, Any] = {"horizons": [1], "windows": 2, "replicates": 1, "jobs": 0, "out": tmp_path}
    run = tsgap.sweep(seasonal(), "gen:copy", forecasters="linear", calibration=True, quantiles=[0.4], **asked)
    assert run.manifest["experiment"]["quantiles"] == sorted({*LEVELS, 0.4})
