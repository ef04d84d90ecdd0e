"""Synthetic against real series without a forecaster: from Python, the command line, and beside a sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from worlds import seasonal

import tsgap
from tsgap import examining
from tsgap.cli import DONE, FAILED_CELLS, IO_ERROR, USAGE, run
from tsgap.diagnostics import Contrast, Diagnosed, Figure
from tsgap.errors import DataError, UsageError
from tsgap.plugins import choose_diagnostic
from tsgap.protocols import DiagnosticSpec

ONLY = ("here-roughness",)
#: The first figure of each diagnostic, which every text shows.
HEADLINES = {
    "shift": "AUC of a classifier",
    "drift": "covariate shift",
    "alignment": "MMD²",
    "covering": "coverage",
    "plausibility": "unusual",
    "memory": "implied gap",
    "noise": "share of noise",
    "copies": "distance to the nearest real window (ratio of medians)",
    "membership": "area under the curve",
}
SPLIT: dict[str, Any] = {"horizons": [1, 6], "windows": 2, "jobs": 0}


def steps(contrast: Contrast, *, seed: int) -> Diagnosed:
    sides = (contrast.real, contrast.synthetic)
    real, synthetic = (float(np.abs(np.diff(side.windows, axis=1)).mean()) for side in sides)
    seen = contrast.known
    told = "" if seen is None else f"{len(seen.members)} {len(seen.outsiders)} {len(seen.synthetic)} {seen.by_host}"
    detail = f"{told}|{','.join(contrast.rules)}|{contrast.real.features.shape[1]}|{sorted(contrast.as_read)}"
    return Diagnosed((Figure("steps", synthetic / real, detail=detail),))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    from tsgap.plugins import finding

    monkeypatch.setattr(finding, "_here", dict(finding._here))
    tsgap.register(DiagnosticSpec("here-roughness", "Steps.", steps))


@pytest.fixture
def real() -> pd.DataFrame:
    return seasonal(series=12, length=150)


def rougher(frame: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return frame.assign(y=frame.y + rng.normal(0, 5, len(frame)))


def figure(found: tsgap.Diagnostics, source: int = 0) -> Figure:
    return found.found[source].found[0].figures[0]


def test_two_frames_are_all_it_takes(real: pd.DataFrame) -> None:
    found = tsgap.diagnose(real, rougher(seasonal(12, 150, seed=7)), only=ONLY, **SPLIT)
    assert found.ok
    assert not found.leaked
    assert figure(found).value > 1.5
    assert 0.8 < figure(found).reference < 1.2
    frame = found.to_frame()
    assert frame.ratio[0] == pytest.approx(figure(found).value / figure(found).reference)
    assert "real and" in found.found[0].notes[0]


def test_every_diagnostic_that_is_registered_is_asked(real: pd.DataFrame) -> None:
    found = tsgap.diagnose(real, seasonal(12, 150, seed=7), **SPLIT)
    asked = [one.diagnostic for one in found.found[0].found]
    assert asked == list(tsgap.plugins.registry().diagnostics)
    assert found.ok, found
    assert {one.diagnostic: one.figures[0].name for one in found.found[0].found if one.diagnostic in HEADLINES} == (
        HEADLINES
    )


def test_only_the_training_part_is_compared(real: pd.DataFrame) -> None:
    other = seasonal(12, 150, seed=7)
    shifted = real.copy()
    last = shifted.groupby("unique_id").cumcount() >= 150 - 12
    shifted.loc[last, "y"] += 1000
    before, after = (tsgap.diagnose(one, other, only=ONLY, **SPLIT) for one in (real, shifted))
    assert figure(before) == figure(after)


def test_of_a_generator_of_tsgap_members_and_outsiders_are_known(real: pd.DataFrame) -> None:
    found = tsgap.diagnose(real, "gen:iaaft", only=ONLY, **SPLIT)
    assert figure(found).detail.startswith("6 6 6 True|")


def test_of_a_file_they_are_known_where_outsiders_are_handed_over(real: pd.DataFrame, tmp_path: Path) -> None:
    other = seasonal(12, 150, seed=7)
    assert figure(tsgap.diagnose(real, other, only=ONLY, **SPLIT)).detail.startswith("|")
    strangers = seasonal(4, 150, seed=8).assign(unique_id=lambda frame: "x" + frame.unique_id)
    found = tsgap.diagnose(real, other, only=ONLY, outsiders=strangers, **SPLIT)
    assert figure(found).detail.startswith("12 4 12 False|")
    strangers.to_csv(tmp_path / "data.csv", index=False)
    from_file = tsgap.diagnose({"data": real}, other, only=ONLY, outsiders=str(tmp_path / "{data}.csv"), **SPLIT)
    assert figure(from_file) == figure(found)


def test_outsiders_end_where_the_training_part_ends(real: pd.DataFrame) -> None:
    from tsgap.experiment import data_spec
    from tsgap.inputs import _outsiders, read_data

    data = read_data(data_spec(real, horizons=[1, 6], windows=2))
    strangers = seasonal(3, 150, seed=8).assign(unique_id=lambda frame: "x" + frame.unique_id)
    panel = _outsiders(strangers, data)
    assert panel.lengths.tolist() == [138] * 3
    with pytest.raises(DataError, match="12 of 12 series that the generator never saw are in the real data too"):
        _outsiders(real, data)
    late = strangers.assign(ds=strangers.ds + pd.DateOffset(years=30))
    with pytest.raises(DataError, match="no series that the generator never saw has a value up to"):
        _outsiders(late, data)


def test_features_of_ones_own_stand_in_for_those_of_windows(real: pd.DataFrame) -> None:
    def two(windows: np.ndarray, season: int) -> np.ndarray:
        return windows[:, :2]

    other = seasonal(12, 150, seed=7)
    assert "|2|" in figure(tsgap.diagnose(real, other, only=ONLY, features=two, **SPLIT)).detail
    assert "|20|" in figure(tsgap.diagnose(real, other, only=ONLY, **SPLIT)).detail
    by_address = "tsgap.diagnostics.features:features"
    assert "|20|" in figure(tsgap.diagnose(real, other, only=ONLY, features=by_address, **SPLIT)).detail


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ("nowhere:features", "there is no module 'nowhere'$"),
        ("tsgap.diagnostics.features:featurs", "did you mean 'features'"),
        ("tsgap.diagnostics.features:NAMES", "a tuple is no function of windows"),
        ("json:dumps", "json:dumps cannot be called with windows"),
        ("features", "features are a function, or written module:function"),
    ],
)
def test_features_that_are_not_there_are_a_mistake_of_one_line(real: pd.DataFrame, features: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tsgap.diagnose(real, seasonal(12, 150, seed=7), only=ONLY, features=features, **SPLIT)


def test_features_that_are_no_numbers_fail_the_diagnostics_that_ask_for_them(real: pd.DataFrame) -> None:
    found = tsgap.diagnose(
        real, seasonal(12, 150, seed=7), only=ONLY, features=lambda windows, season: windows[:2], **SPLIT
    )
    assert "features must be finite numbers, a row for each of" in found.found[0].found[0].failed


def test_a_generator_that_fails_is_a_source_that_cannot_be_compared(real: pd.DataFrame) -> None:
    class Breaks:
        def fit(self, train: Any, *, seed: int) -> None:
            raise ValueError("no wish to learn")

        def sample(self, *, seed: int) -> Any:
            raise AssertionError

    found = tsgap.diagnose(real, {"good": "gen:copy", "bad": Breaks}, only=ONLY, **SPLIT)
    assert [one.why[:24] for one in found.found] == ["", "it could not be drawn: e"]
    assert not found.ok


def test_a_generator_that_cannot_learn_from_half_of_the_series_is_compared_all_the_same(real: pd.DataFrame) -> None:
    class Needy:
        def fit(self, train: Any, *, seed: int) -> None:
            if len(train) < 12:
                raise ValueError("twelve or none")
            self.train = train

        def sample(self, *, seed: int) -> Any:
            return self.train

    found = tsgap.diagnose(real, {"needy": Needy}, only=ONLY, **SPLIT)
    assert figure(found).detail.startswith("|"), "nobody knows who was seen"
    assert any("nobody knows who was seen" in note and "twelve or none" in note for note in found.found[0].notes)


def test_series_that_are_too_few_cannot_be_compared_and_it_says_why() -> None:
    few = seasonal(series=2, length=40)
    found = tsgap.diagnose(few, seasonal(2, 40, seed=7), only=ONLY, horizons=[1], windows=1, jobs=0)
    assert "too short for windows of 8 values" in found.found[0].why


def test_test_data_among_the_synthetic_series_are_found(real: pd.DataFrame) -> None:
    found = tsgap.diagnose(real, real, only=ONLY, **SPLIT)
    assert found.leaked
    assert "stretches of the test (first of series 's0') occur" in found.found[0].leaks[0]


def test_a_sweep_keeps_what_was_found_and_does_not_ask_again(
    real: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"forecasters": "linear", "replicates": 2, "diagnose": True, "rules": ("y >= 0",), **SPLIT}
    first = tsgap.sweep(real, {"a": "gen:iaaft", "b": "gen:copy"}, out=tmp_path, **asked)
    found = first.diagnostics()
    assert [one.source for one in found.found] == ["a", "b"]
    assert "y >= 0" in next(one for one in found.found[0].found if one.diagnostic == ONLY[0]).figures[0].detail
    assert [one.source for one in first.diagnostics(source="b").found] == ["b"]
    with monkeypatch.context() as patched:
        patched.setattr(examining, "examine", None)
        again = tsgap.sweep(real, {"a": "gen:iaaft", "b": "gen:copy"}, out=tmp_path, **asked)
    assert again.diagnostics().found == found.found
    other = tsgap.sweep(real, {"a": "gen:iaaft", "b": "gen:copy"}, out=tmp_path, **asked | {"rules": ("y >= 1",)})
    assert (
        "y >= 1"
        in next(one for one in other.diagnostics().found[0].found if one.diagnostic == ONLY[0]).figures[0].detail
    )
    assert first.frontier().source.tolist() == ["a", "b"]
    assert all(status.endswith("sources have both, it takes 5") for status in first.predictors().status)


def test_a_dry_run_counts_the_diagnostics_and_says_what_they_take(
    real: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    specs = {name: DiagnosticSpec(name, "", steps) for name in ("one", "other")}
    monkeypatch.setattr(examining, "specs_of", lambda: specs)
    real.to_csv(tmp_path / "real.csv", index=False)
    seasonal(12, 150, seed=7).to_csv(tmp_path / "made.csv", index=False)
    asked = ["sweep", "--real", str(tmp_path / "real.csv"), "--horizons", "1,6", "--windows", "2", "-f", "naive"]
    asked += ["--synthetic", "gen:iaaft", "--synthetic", str(tmp_path / "made.csv"), "--fast", "--jobs", "0"]
    asked += ["--out", str(tmp_path / "run")]

    def told(*more: str) -> str:
        capsys.readouterr()
        assert run([*asked, *more]) == DONE
        return capsys.readouterr().out

    assert "diagnostics" not in told("--dry-run")
    first = told("--diagnose", "--dry-run")
    assert "\n4 diagnostics, 2 of each of 2 sources: 0 reused, 4 to run\n" in first
    assert "\n  1 generator is fitted once more for them, on half of the series\n  time not known yet\n" in first
    assert "diagnostics" not in told("--diagnose", "--dry-run", "--shard", "2/2")
    told("--diagnose", "--quiet")
    assert told("--diagnose", "--dry-run").endswith("4 diagnostics, 2 of each of 2 sources: 4 reused, 0 to run\n")
    # with a rule all is to be done again, and how long it took is known
    assert told("--diagnose", "--rule", "y >= 0", "--dry-run").endswith(" s, by those in the folder\n")
    found = json.loads(told("--diagnose", "--rule", "y >= 0", "--dry-run", "--json"))["diagnostics"]
    took = [one.seconds for source in tsgap.load(tmp_path / "run").diagnostics().found for one in source.found]
    assert found.pop("seconds") == pytest.approx(sum(took))
    assert found == {"total": 4, "reused": 0, "each": 2, "sources": 2, "refits": 1}
    specs["third"] = DiagnosticSpec("third", "", steps)
    assert "0 reused, 6 to run" in (more := told("--diagnose", "--dry-run"))
    assert more.endswith("  time not known yet\n")


def test_a_diagnostic_whose_code_has_changed_is_asked_anew(
    real: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examining, "specs_of", lambda: {"mine": choose_diagnostic("mine")})

    def asked(body: str) -> float:
        space: dict[str, Any] = {"__name__": "__main__", "tsgap": tsgap}
        exec(f"def mine(contrast, *, seed):\n    return tsgap.Diagnosed((tsgap.Figure('x', {body}),))", space)
        tsgap.register(space["mine"])
        options: dict[str, Any] = {"forecasters": "naive", "replicates": 1, "diagnose": True, **SPLIT}
        [found] = tsgap.sweep(real, {"a": "gen:copy"}, out=tmp_path, **options).diagnostics().found
        figure = found.figure("mine", "x")
        assert figure is not None
        return figure.value

    assert asked("1.0") == 1.0
    assert asked("2.0") == 2.0


def test_outsiders_features_and_gaps_that_changed_under_the_same_name_are_asked_anew(
    real: pd.DataFrame, tmp_path: Path
) -> None:
    made = seasonal(12, 150, seed=3)
    made.loc[5, "y"] = made.y[4]
    gappy = made.assign(y=made.y.mask(made.index == 5))

    def content(seed: int, features: int, source: pd.DataFrame) -> str:
        strangers = seasonal(11, 150, seed=seed)
        strangers.assign(unique_id="x" + strangers.unique_id).to_csv(tmp_path / "outsiders.csv", index=False)
        space: dict[str, Any] = {}
        exec(f"def mine(windows, season):\n    return windows[:, :{features}]", space)
        given: dict[str, Any] = {"outsiders": str(tmp_path / "outsiders.csv"), "features": space["mine"], **SPLIT}
        options: dict[str, Any] = {"forecasters": "naive", "replicates": 1, "diagnose": True, **given}
        tsgap.sweep({"r": real}, {"a": source}, out=tmp_path / "run", **options)
        return str(json.loads((tmp_path / "run" / "diagnostics.json").read_text())["r/a"]["content"])

    asked = [(1, 3, made), (2, 3, made), (1, 2, made), (1, 3, gappy)]
    assert len({content(*one) for one in asked}) == 4
    assert content(*asked[0]) == content(*asked[0])


def test_what_was_found_in_other_series_is_not_shown_beside_new_gaps(
    real: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"forecasters": "naive", "replicates": 1, "out": tmp_path, **SPLIT}
    found = tsgap.sweep(real, {"a": "gen:copy"}, diagnose=True, **asked).diagnostics().found
    with pytest.raises(UsageError, match="nothing was diagnosed"):
        tsgap.sweep(rougher(real), {"a": "gen:copy"}, **asked).diagnostics()
    # asked for the same again nothing is lost
    with monkeypatch.context() as patched:
        patched.setattr(examining, "examine", None)
        assert tsgap.sweep(real, {"a": "gen:copy"}, diagnose=True, **asked).diagnostics().found == found

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(examining, "examine", stopped)
    with pytest.raises(KeyboardInterrupt):
        tsgap.sweep(rougher(real), {"a": "gen:copy"}, diagnose=True, **asked)
    with pytest.raises(UsageError, match="its diagnostics are not made yet"):
        tsgap.load(tmp_path).diagnostics()


def test_outsiders_beside_a_generator_count_where_it_cannot_be_refitted_else_it_is_said(real: pd.DataFrame) -> None:
    strangers = seasonal(7, 150, seed=8).assign(unique_id=lambda frame: "x" + frame.unique_id)
    found = tsgap.diagnose(real, "gen:iaaft", only=ONLY, outsiders=strangers, **SPLIT)
    assert figure(found).detail.startswith("6 6 6 True|")
    assert "not of the outsiders handed over" in str(found)
    few = tsgap.diagnose(seasonal(4, 400), "gen:iaaft", only=ONLY, outsiders=strangers, **SPLIT)
    assert figure(few).detail.startswith("4 7 4 False|")
    assert "not of the outsiders handed over" not in str(few)


def test_a_sweep_takes_outsiders_that_are_no_file(real: pd.DataFrame, tmp_path: Path) -> None:
    strangers = seasonal(11, 150, seed=8).assign(unique_id=lambda frame: "x" + frame.unique_id)
    asked: dict[str, Any] = {"forecasters": "naive", "replicates": 1, "diagnose": True, "outsiders": strangers, **SPLIT}
    [found] = tsgap.sweep(real, {"a": seasonal(12, 150, seed=3)}, out=tmp_path, **asked).diagnostics().found
    told = found.figure(ONLY[0], "steps")
    assert told is not None
    assert told.detail.startswith("12 11 12 False|")


def test_a_sweep_without_diagnostics_says_how_to_ask_for_them(real: pd.DataFrame, tmp_path: Path) -> None:
    done = tsgap.sweep(real, "gen:copy", forecasters="linear", replicates=1, out=tmp_path, **SPLIT)
    with pytest.raises(UsageError, match="nothing was diagnosed; run the sweep with --diagnose"):
        done.diagnostics()
    assert run(["show", str(tmp_path), "--diagnostics"]) == USAGE


def test_one_share_of_a_sweep_is_asked_and_a_merge_keeps_it(real: pd.DataFrame, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"forecasters": "linear", "replicates": 1, "diagnose": True, **SPLIT}
    for k in (1, 2):
        tsgap.sweep(real, "gen:copy", shard=(k, 2), out=tmp_path / str(k), **asked)
    assert not (tmp_path / "2" / "diagnostics.json").exists()
    whole = tsgap.merge([tmp_path / "1", tmp_path / "2"], tmp_path / "both")
    assert [one.source for one in whole.diagnostics().found] == ["copy"]


@pytest.mark.parametrize("given", [{"rules": ("y >= 0",)}, {"features": "a:b"}, {"outsiders": "a.csv"}])
def test_what_is_for_diagnostics_alone_needs_them(real: pd.DataFrame, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="for diagnostics: ask for these too"):
        tsgap.sweep(real, "gen:copy", **given)


@pytest.fixture
def files(real: pd.DataFrame, tmp_path: Path) -> list[str]:
    real.to_csv(tmp_path / "real.csv", index=False)
    seasonal(12, 150, seed=7).to_csv(tmp_path / "made.csv", index=False)
    home = ["--real", str(tmp_path / "real.csv"), "--synthetic", str(tmp_path / "made.csv")]
    return ["diagnose", *home, "--only", ONLY[0], "--horizons", "1,6", "--windows", "2", "--jobs", "0"]


def test_the_command_prints_sentences_and_tables(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files) == DONE
    told = capsys.readouterr().out
    assert told.startswith("real, made: 0 of 1 figures are proven to differ")
    assert "real-real" in told


def two(contrast: Contrast, *, seed: int) -> Diagnosed:
    return Diagnosed((Figure("first", 1.0), Figure("second", 2.0)))


def test_the_command_prints_the_headline_and_every_figure_on_request(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    tsgap.register(DiagnosticSpec("two", "Two.", two))
    said = []
    for more in ([], ["--all"], ["--format", "json"], ["--format", "markdown"], ["--format", "markdown", "--all"]):
        assert run([*files, "--only", "two", *more]) == DONE
        said.append(capsys.readouterr().out)
    assert ["second" in text for text in said] == [False, True, True, False, True]
    assert "1 more figure is not proven to differ" in said[0]


@pytest.mark.parametrize("fmt", ["json", "markdown", "csv"])
def test_the_command_writes_every_format(files: list[str], fmt: str, tmp_path: Path) -> None:
    assert run([*files, "--format", fmt, "-o", str(tmp_path / "out")]) == DONE
    text = (tmp_path / "out").read_text()
    assert {"json": '"schema": 1', "markdown": "## tsgap diagnose", "csv": "data,source,diagnostic"}[fmt] in text
    if fmt == "json":
        assert json.loads(text)["sources"][0]["source"] == "made"


def test_a_leak_is_an_exit_code(files: list[str], tmp_path: Path) -> None:
    files[4] = str(tmp_path / "real.csv")
    assert run(files) == 1


def test_a_diagnostic_that_fails_is_an_exit_code(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    def breaks(contrast: Contrast, *, seed: int) -> Diagnosed:
        raise ValueError("broken inside")

    tsgap.register(DiagnosticSpec("breaks", "Breaks.", breaks))
    assert run([*files, "--only", "breaks"]) == FAILED_CELLS
    assert "breaks failed: ValueError: broken inside" in capsys.readouterr().out


def test_a_missing_package_is_said_with_how_to_install_it(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    tsgap.register(DiagnosticSpec("needy", "Needs.", steps, requires=("nosuch_package: pip install nosuch",)))
    assert run([*files, "--only", "needy"]) == FAILED_CELLS
    assert "needy failed: it needs what is not installed: nosuch_package: pip install nosuch" in capsys.readouterr().out


def test_a_function_of_ones_own_is_asked_by_itself_and_by_its_address(
    real: pd.DataFrame, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = tsgap.diagnose(real, rougher(seasonal(12, 150, seed=7)), only=steps, **SPLIT)
    assert [one.diagnostic for one in found.found[0].found] == ["steps"]
    assert run([*files, "--only", f"{__name__}:steps", "--format", "csv"]) == DONE
    assert f"{__name__}:steps,steps," in capsys.readouterr().out
    assert run([*files, "--only", f"{__name__}:nosteps"]) == USAGE
    assert "did you mean 'steps'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["diagnose", "--real", "a.csv"], "diagnostics compare two things"),
        (["diagnose", "--real", "a.csv", "--synthetic", "gen:copy", "--review", "4"], "--review writes a folder"),
        (["diagnose", "--real", "a.csv", "--synthetic", "gen:copy", "--review", "5"], "an even number of samples"),
        (["diagnose", "--real", "a.csv", "--synthetic", "gen:copy", "--review", "0"], "an even number of samples"),
        (["diagnose", "a.toml", "--real", "b.csv"], "say it in a.toml"),
        (["diagnose", "a.toml", "--seed", "1", "--freq", "D"], "--seed, --freq: say it in a.toml"),
        (["diagnose", "nowhere.toml"], "there is no such file"),
    ],
)
def test_a_mistake_is_one_line(args: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == USAGE
    assert said in capsys.readouterr().err


def test_a_name_that_no_diagnostic_has_is_a_mistake(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*files, "--only", "here-roughnes"]) == USAGE
    assert "did you mean 'here-roughness'" in capsys.readouterr().err


def test_the_file_of_a_sweep_is_diagnosed_too(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "experiment.toml"
    sweep = ["sweep", *files[1:5], "--horizons", "1,6", "--windows", "2", "--diagnose", "--rule", "y >= 0"]
    assert run([*sweep, "--save-config", str(config), "--dry-run"]) == DONE
    assert 'rules = ["y >= 0"]' in config.read_text()
    capsys.readouterr()
    assert run(["diagnose", str(config), "--only", ONLY[0], "--jobs", "0"]) == DONE
    assert capsys.readouterr().out.startswith("real, made: ")


def test_sheets_of_several_sources_have_folders_of_their_own(files: list[str], tmp_path: Path) -> None:
    asked = [text for name in ("a.b", "a_b") for text in ("--synthetic", f"{name}={tmp_path / 'made.csv'}")]
    home = tmp_path / "sheets"
    assert run([*files[:3], *asked, *files[5:], "--review", "4", "--out", str(home)]) == DONE
    assert sorted(path.parent.name for path in home.rglob("review.csv")) == ["1-real-a_b", "2-real-a_b"]


def test_a_sweep_shows_its_diagnostics(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    sweep = ["sweep", *files[1:5], "--horizons", "1,6", "--windows", "2", "-f", "linear", "--jobs", "0", "--quiet"]
    assert run([*sweep, "--diagnose", "--replicates", "1", "--out", out]) == DONE
    capsys.readouterr()
    assert run(["show", out, "--diagnostics"]) == DONE
    assert "here-roughness" in capsys.readouterr().out
    assert run(["show", out, "--diagnostics", "--all"]) == DONE
    whole = capsys.readouterr().out
    assert "what real series show (--all)" not in whole
    assert whole == tsgap.load(out).diagnostics().to_text(every=True)
    assert run(["show", out, "--frontier", "--all"]) == USAGE
    assert "--all does not go with it" in capsys.readouterr().err
    assert run(["show", out, "--all"]) == USAGE
    assert "--all goes with --diagnostics" in capsys.readouterr().err
    assert run(["show", out, "--diagnostics", "--by", "lead"]) == USAGE
    assert "--diagnostics is by source: --by does not go with it" in capsys.readouterr().err
    for view in ("frontier", "predictors"):
        # there is nobody to tell who was seen, and one source has no rank
        assert run(["show", out, f"--{view}"]) == FAILED_CELLS
        assert "1 source has both" in capsys.readouterr().out or view == "frontier"


def test_the_diagnostics_there_are_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diagnostics"]) == DONE
    assert "here-roughness" in capsys.readouterr().out
    assert run(["diagnostics", "--json"]) == DONE
    assert {"name", "summary", "missing"} <= set(json.loads(capsys.readouterr().out)[0])


def test_a_rule_that_is_none_is_a_mistake_before_anything_is_drawn(real: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="y is a bit odd"):
        tsgap.diagnose(real, "gen:nothing-of-that-name", rules=["y is a bit odd"], **SPLIT)


def test_a_place_that_cannot_be_written_to_is_said_before_anything_is_computed(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*files, "--only", "here-roughness", "-o", str(tmp_path / "nowhere" / "out.txt")]) == IO_ERROR
    told = capsys.readouterr()
    assert "there is no folder" in told.err
    assert not told.out


def test_one_rule_may_be_a_text_and_what_is_no_text_is_refused(real: pd.DataFrame) -> None:
    found = tsgap.diagnose(real, seasonal(12, 150, seed=7), only=ONLY, rules="y >= 0", **SPLIT)
    assert "|y >= 0|" in figure(found).detail
    with pytest.raises(UsageError, match="a rule is a text such as 'y >= 0', got 3"):
        tsgap.diagnose(real, seasonal(12, 150, seed=7), only=ONLY, rules=[3], **SPLIT)  # type: ignore[list-item]


def test_diagnostics_that_are_not_made_yet_are_not_called_never_asked_for(real: pd.DataFrame, tmp_path: Path) -> None:
    done = tsgap.sweep(
        real, "gen:copy", forecasters="linear", replicates=1, diagnose=True, out=tmp_path, shard=(2, 2), **SPLIT
    )
    with pytest.raises(UsageError, match="its diagnostics are not made yet"):
        done.diagnostics()
