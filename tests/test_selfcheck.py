"""The self-check passes on a sound bench, and every check goes red on one that is broken on purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.worlds import autoregressions
from tsgap import checklist, selfchecks
from tsgap.checklist import BROKEN, NOT_APPLICABLE, OK, UNDECIDED, Check
from tsgap.errors import UsageError
from tsgap.evidence import Evidence
from tsgap.experiment import Experiment, data_specs, source_specs
from tsgap.findings import Rules
from tsgap.gap import Clusters
from tsgap.panel import Floats, Panel
from tsgap.selfchecks import NOTHING_SHOWN, PASSED, SelfCheck, selfcheck
from tsgap.sweeps import perform

RULES = Rules()
SPLIT: dict[str, Any] = {"horizons": "1,6,12", "windows": 8}


def memory(seed: int = 0, series: int = 12, length: int = 840) -> pd.DataFrame:
    """Monthly series with memory of the last step and of a year ago, stationary, long."""
    values = 40 + autoregressions(np.random.default_rng(seed), series, length, phi=0.85, seasonal=0.5, season=12)
    stamps = pd.date_range("1960-01-01", periods=length, freq="MS")
    frames = [pd.DataFrame({"unique_id": f"s{i:02d}", "ds": stamps, "y": y}) for i, y in enumerate(values)]
    return pd.concat(frames, ignore_index=True)


def checked(folder: Path, real: Any = None, **more: Any) -> SelfCheck:
    return selfcheck({"d": memory() if real is None else real}, out=folder, jobs=0, **{**SPLIT, **more})


def outcomes(found: SelfCheck) -> dict[tuple[str, str], str]:
    return {(one.name, one.forecaster.partition(":")[0]): one.outcome for one in found.checks}


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the forecaster that costs most: for what does not touch it."""
    monkeypatch.setattr(selfchecks, "EXACT", selfchecks.MEMORY)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> SelfCheck:
    return checked(tmp_path_factory.mktemp("sound"))


def test_on_long_seasonal_series_every_check_is_made_and_holds(sound: SelfCheck) -> None:
    assert outcomes(sound) == {
        ("copy", "linear"): OK,
        ("copy", "lag-probe"): OK,
        ("copy", "gradient-boosting"): OK,
        ("a/a", "gradient-boosting"): OK,
        ("canary", "seasonal-naive"): OK,
        ("shuffle", "linear"): OK,
        ("block-bootstrap", "linear"): OK,
        ("block-bootstrap", "lag-probe"): OK,
        ("iaaft", "linear"): OK,
    }
    assert sound.ok
    assert sound.verdict == PASSED


def test_it_is_a_table_a_text_and_html(sound: SelfCheck) -> None:
    frame = sound.to_frame()
    assert list(frame.columns) == ["data", "check", "forecaster", "expected", "seen", "outcome"]
    assert len(frame) == len(sound.checks)
    assert frame.notna().all().all()
    text = str(sound)
    assert repr(sound) == text
    assert text.startswith("self-check of d: passed")
    assert text.count("expected: ") == text.count("seen: ") == len(sound.checks)
    assert "<table" in sound._repr_html_()


def broken(monkeypatch: pytest.MonkeyPatch, folder: Path, what: str, by: Any) -> set[tuple[str, str]]:
    """The checks that go red where one part of the bench is replaced."""
    monkeypatch.setattr(what, by)
    found = checked(folder)
    assert not found.ok
    return {place for place, outcome in outcomes(found).items() if outcome == BROKEN}


@pytest.mark.usefixtures("cheap")
def test_a_copy_that_is_off_by_a_hair_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    red = broken(
        monkeypatch, tmp_path, "tsgap.defaults.generators._copied", lambda y, rng: y + 1e-9 * rng.normal(size=len(y))
    )
    assert red == {("copy", "linear"), ("copy", "lag-probe")}


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_a_score_that_depends_on_the_arm_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsgap.evidence import log_ratio

    def partial(arm: Floats, control: Floats, *, root: bool = False) -> Any:
        return log_ratio(arm * (1 + 1e-12), control, root=root)

    red = broken(monkeypatch, tmp_path, "tsgap.evidence.log_ratio", partial)
    assert {("copy", "linear"), ("copy", "lag-probe"), ("canary", "seasonal-naive")} <= red


@pytest.mark.usefixtures("cheap")
def test_a_shuffle_that_does_not_shuffle_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsgap.experiment import SourceSpec

    def lazy(name: str, what: str) -> SourceSpec:
        return SourceSpec(name, "gen:copy" if name == "shuffle" else what)

    red = broken(monkeypatch, tmp_path, "tsgap.selfchecks.SourceSpec", lazy)
    assert red == {("shuffle", "linear")}


@pytest.mark.usefixtures("cheap")
def test_blocks_that_keep_all_memory_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    red = broken(monkeypatch, tmp_path, "tsgap.defaults.generators.blocks", lambda y, length, rng: np.roll(y, 1))
    assert red == {("block-bootstrap", "linear"), ("block-bootstrap", "lag-probe")}


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_blocks_of_another_length_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsgap.defaults.generators import blocks

    red = broken(
        monkeypatch, tmp_path, "tsgap.defaults.generators.blocks", lambda y, length, rng: blocks(y, 3 * length, rng)
    )
    assert red == {("block-bootstrap", "lag-probe")}


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_a_probe_that_uses_half_of_what_it_learns_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsgap.defaults.probe import _line

    red = broken(monkeypatch, tmp_path, "tsgap.defaults.probe._line", lambda x, y: (_line(x, y)[0] / 2, y.mean() / 2))
    assert red == {("block-bootstrap", "lag-probe")}


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_surrogates_that_are_shuffled_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    red = broken(monkeypatch, tmp_path, "tsgap.defaults.surrogates.iaaft", lambda y, rng: rng.permutation(y))
    assert red == {("iaaft", "linear")}


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_a_generator_that_raises_breaks_its_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(y: Floats, rng: np.random.Generator) -> Floats:
        raise RuntimeError("no memory left")

    red = broken(monkeypatch, tmp_path, "tsgap.defaults.surrogates.iaaft", fails)
    assert ("iaaft", "linear") in red


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_white_noise_shows_nothing_and_that_is_no_pass(tmp_path: Path) -> None:
    noise = memory()
    noise["y"] = 40 + np.random.default_rng(1).normal(size=len(noise))
    found = checked(tmp_path, noise)
    assert found.verdict == NOTHING_SHOWN
    assert not found.ok
    assert outcomes(found)["shuffle", "linear"] == NOT_APPLICABLE


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_a_shuffled_arm_that_is_not_shuffled_shows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsgap.defaults.generators._shuffled", lambda y, rng: y)
    found = checked(tmp_path)
    assert found.verdict == NOTHING_SHOWN
    assert outcomes(found)["shuffle", "linear"] == NOT_APPLICABLE


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_few_series_and_windows_decide_nothing(tmp_path: Path) -> None:
    found = checked(tmp_path, memory(series=3))
    assert found.verdict == NOTHING_SHOWN
    assert outcomes(found)["shuffle", "linear"] == UNDECIDED


@pytest.mark.usefixtures("cheap")
def test_without_a_season_there_is_no_block_and_it_says_so(tmp_path: Path) -> None:
    found = checked(tmp_path, season_length=(1,), horizons="1,4")
    (told,) = {one.seen for one in found.checks if one.name == "block-bootstrap"}
    assert told == "a season of 1 steps has no half to cut blocks of"


def test_one_data_set_at_a_time() -> None:
    with pytest.raises(UsageError, match="one real data set is needed, got 2: a, b"):
        selfcheck({"a": "card:nile", "b": "card:elnino"})


# the checks, on losses that are made up


def evidence(gap: float, null: float = 0.5, *, noise: float = 0.01, draws: int = 5, **more: Any) -> Evidence:
    """Squared or absolute losses of 20 series and 8 windows in two bins, all arms with noise of their own."""
    rng, shape = np.random.default_rng(0), (draws, 160, 2)
    base = rng.uniform(0.5, 1.5, (1, 160, 2))

    def arm(size: float) -> Floats:
        return np.asarray(base * np.exp(size) * (1 + noise * rng.normal(size=shape)))

    clusters = Clusters.of(np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20), np.arange(draws))
    losses = {"synthetic": arm(gap), "control": base, "null": arm(null)}
    told = {"taught": np.array([True, True]), "places": ((1, 1), (2, 6)), "losses": losses, "clusters": clusters}
    return Evidence("d", "s", "f", "linear", **{**told, **more})


def the_same() -> Evidence:
    """Both arms have the same losses."""
    one = evidence(0.0)
    return Evidence(**{**vars(one), "losses": {**one.losses, "synthetic": one.losses["control"]}})


def seeds(*sizes: float) -> Evidence:
    """A control of which each seed has its own size of error."""
    one = evidence(0.0)
    control = one.losses["control"] * np.exp(np.array(sizes))[:, None, None]
    return Evidence(**{**vars(one), "losses": {**one.losses, "control": control}})


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (checklist.exactly_none("copy", [the_same()]), OK),
        (checklist.exactly_none("copy", [evidence(1e-12, noise=0.0)]), BROKEN),
        (checklist.exactly_none("copy", [the_same(), evidence(0.0)]), BROKEN),
        (checklist.exactly_none("copy", [evidence(0.0, status="timeout", losses={})]), BROKEN),
        (checklist.exactly_none("copy", [evidence(0.0, taught=np.array([False, False]))]), NOT_APPLICABLE),
        (checklist.same_arm(seeds(0.0), RULES), NOT_APPLICABLE),
        (checklist.same_arm(seeds(0.01, -0.01, 0.0, 0.005, -0.005), RULES), OK),
        (checklist.same_arm(seeds(0.3, -0.2, 0.1, 0.25, -0.3), RULES), UNDECIDED),
        (checklist.same_arm(seeds(0.1, 0.1001, 0.0999, 0.0, 0.0001), RULES), BROKEN),
        (checklist.same_arm(evidence(0.0, missing=("real arm: crash",)), RULES), BROKEN),
        (checklist.shuffled(evidence(0.5), RULES), OK),
        (checklist.shuffled(evidence(0.0), RULES), BROKEN),
        (checklist.shuffled(evidence(0.03), RULES), BROKEN),
        (checklist.shuffled(evidence(0.5, 0.0), RULES), NOT_APPLICABLE),
        (checklist.shuffled(evidence(0.3, noise=2.0, draws=3), RULES), NOT_APPLICABLE),
        (checklist.shuffled(evidence(0.5, uneven=2), RULES), BROKEN),
        (checklist.shuffled(evidence(0.5, overlapping=True), RULES), OK),
        (checklist.blocks_break(evidence(0.2), np.array([0.0, 0.3]), RULES), OK),
        (checklist.blocks_break(evidence(0.01), np.array([0.0, 0.3]), RULES), BROKEN),
        (checklist.blocks_break(evidence(0.2), np.array([0.0, 0.05]), RULES), NOT_APPLICABLE),
        (checklist.blocks_break(evidence(0.2, 0.0), np.array([0.3, 0.3]), RULES), NOT_APPLICABLE),
        (checklist.blocks_break(evidence(0.05), np.array([0.3, 0.3]), RULES), UNDECIDED),
        (checklist.on_the_curve(evidence(0.4, root=True), np.array([0.2, 0.205]), RULES), OK),
        (checklist.on_the_curve(evidence(0.4, root=True), np.array([0.2, 0.25]), RULES), BROKEN),
        (checklist.on_the_curve(evidence(0.0, root=True), np.array([0.0, 0.01]), RULES), NOT_APPLICABLE),
        (checklist.on_the_curve(evidence(0.4, root=True, draws=1), np.array([0.2, 0.2]), RULES), BROKEN),
        (checklist.on_the_curve(evidence(0.4, root=True, noise=5.0), np.array([0.2, 0.2]), RULES), UNDECIDED),
        (checklist.on_the_curve(evidence(0.4, root=True), np.array([0.2, 0.2]), RULES, "too short"), NOT_APPLICABLE),
        (checklist.spectrum_kept(evidence(0.0), RULES, ""), OK),
        (checklist.spectrum_kept(evidence(0.01), RULES, ""), OK),
        (checklist.spectrum_kept(evidence(0.1), RULES, ""), BROKEN),
        (checklist.spectrum_kept(evidence(-0.1), RULES, ""), BROKEN),
        (checklist.spectrum_kept(evidence(0.1), RULES, "too short"), NOT_APPLICABLE),
        (checklist.spectrum_kept(evidence(0.0, noise=3.0), RULES, ""), UNDECIDED),
    ],
)
def test_each_check_comes_out_as_the_losses_say(found: Check, outcome: str) -> None:
    assert found.outcome == outcome, found


@pytest.mark.slow
def test_model_seeds_that_do_not_differ_seldom_alarm() -> None:
    rng = np.random.default_rng(0)
    found = [checklist.same_arm(seeds(*(0.01 * rng.normal(size=5))), RULES).outcome for _ in range(1500)]
    # at a rate of 1 % there are 26 or more of 1500 in one of 200 trials
    assert found.count(BROKEN) <= 26


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({}, PASSED),
        ({"iaaft": NOT_APPLICABLE, "a/a": UNDECIDED}, PASSED),
        ({"iaaft": BROKEN}, "broken"),
        ({"shuffle": UNDECIDED}, NOTHING_SHOWN),
        ({"shuffle": NOT_APPLICABLE}, NOTHING_SHOWN),
        ({"copy": NOT_APPLICABLE}, NOTHING_SHOWN),
        ({"canary": NOT_APPLICABLE}, NOTHING_SHOWN),
    ],
)
def test_it_passes_only_where_something_was_shown(given: dict[str, str], verdict: str) -> None:
    names = ("copy", "canary", "a/a", "shuffle", "iaaft")
    found = SelfCheck("d", tuple(Check(n, "f", "", "", given.get(n, OK)) for n in names), Path())
    assert found.verdict == verdict
    assert found.ok == (verdict == PASSED)


def test_no_check_at_all_is_no_pass() -> None:
    assert SelfCheck("d", (), Path()).verdict == NOTHING_SHOWN


def test_a_jump_between_halves_is_not_stationary_and_a_short_series_not_long() -> None:
    rng = np.random.default_rng(0)
    long = rng.normal(size=700)

    def told(y: Floats) -> str:
        return selfchecks.unfit_for_surrogates(Panel.of({"a": y}, seasons=(12,)))

    assert told(long) == ""
    assert "not stationary: " in told(long + 2 * (np.arange(700) > 350))
    assert told(long[:500]) == "the shortest training series has 500 values, 600 are needed"
    assert told(np.ones(700)) == ""


# what a run remembers


@pytest.mark.usefixtures("cheap")
def test_a_self_check_belongs_to_its_data_and_settings_and_lets_a_gate_pass(tmp_path: Path) -> None:
    def swept(real: pd.DataFrame, **settings: Any) -> tuple[Experiment, tsgap.Run]:
        data = data_specs({"d": real}, horizons=(1, 6, 12), windows=8)
        experiment = Experiment(data, source_specs("gen:copy"), ("seasonal-naive", "linear"), **settings)
        return experiment, perform(experiment, out=tmp_path, jobs=0)

    experiment, run = swept(memory())
    assert run.checked("d") is None
    (found,) = selfchecks.record(experiment, run, jobs=0)
    assert found.ok
    assert found.folder.parent == tmp_path / "selfcheck"
    assert tsgap.load(tmp_path).checked("d") is True
    assert [one.label for one in tsgap.load(tmp_path).gate().verdicts] == ["PASS"]
    assert swept(memory(seed=1))[1].checked("d") is None
    assert swept(memory(), context=13)[1].checked("d") is None
    assert swept(memory())[1].checked("d") is True
    kept = json.loads((tmp_path / "selfcheck.json").read_text())
    assert len(kept["d"]["checks"]) == len(found.checks)
    (tmp_path / "selfcheck.json").write_text(json.dumps({"d": {**kept["d"], "verdict": "broken"}}))
    assert run.checked("d") is False
    assert run.gate().verdicts[0].verdict != "PASS"
    (tmp_path / "selfcheck.json").write_text(json.dumps({"d": {**kept["d"], "verdict": NOTHING_SHOWN}}))
    assert run.checked("d") is None
    assert [one.label for one in run.gate().verdicts] == ["PASS (unchecked)"]
