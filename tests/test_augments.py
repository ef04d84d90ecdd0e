"""`tsgap augment`, `tsgap saturation`, `sweep --augment` and `show --augmentation`, end to end on small panels."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.worlds import autoregressions
from tsgap import augmenting
from tsgap.cli import DONE, FAILED_CELLS, USAGE, run
from tsgap.config import from_toml
from tsgap.errors import UsageError
from tsgap.panel import Floats
from tsgap.run import load

SPLIT = {"horizons": "1,3", "windows": 8}
FLAGS = ["--horizons", "1,3", "--windows", "8", "--jobs", "0", "--quiet"]


def daily(values: Floats) -> pd.DataFrame:
    """Series (S, T) as a long frame."""
    n, length = values.shape
    stamps = np.tile(pd.date_range("2020-01-01", periods=length, freq="D"), n)
    ids = np.repeat([f"s{i:02d}" for i in range(n)], length)
    return pd.DataFrame({"unique_id": ids, "ds": stamps, "y": values.ravel()})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty autoregressions, others that remember nothing, and some that remember less."""
    folder = tmp_path_factory.mktemp("augments")
    rng = np.random.default_rng(0)
    for name, phi in (("real", 0.9), ("other", 0.01), ("calm", 0.6)):
        daily(10 + autoregressions(rng, 40, 120, phi=phi)).to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def one_simple_rule(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The simple augmentation that costs least, in the folder of the data."""
    monkeypatch.setattr(augmenting, "cheap_of", lambda data: ("jitter:sd=0.1",))
    monkeypatch.chdir(home)


@dataclass(frozen=True)
class Made:
    """What the command left: its exit code, its output, and the run read again."""

    code: int
    out: str
    found: tsgap.Augmentations


@pytest.fixture(scope="module")
def made(home: Path) -> Made:
    """Others, and a copy of the real training part, added to real series; a forecaster that learns nothing beside."""
    flags = ["-f", "linear", "-f", "seasonal-naive", "--event", "y > q0.8", "--replicates", "3", *FLAGS]
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(out):
        patched.setattr(augmenting, "cheap_of", lambda data: ("jitter:sd=0.1",))
        patched.chdir(home)
        code = run(["augment", "real.csv", "bad=other.csv", "gen:copy", *flags, "--out", "made"])
    return Made(code, out.getvalue(), tsgap.Augmentations.of(load(home / "made")))


def test_each_source_gets_a_verdict_and_what_learns_nothing_is_refused_with_the_reason(made: Made) -> None:
    assert made.code == FAILED_CELLS
    assert not made.found.ok
    frame = made.found.to_frame()
    whole = frame[(frame["first"] == 1) & (frame["last"] == 3)].set_index(["source", "forecaster"])
    assert whole.verdict["bad", "linear"] == "MISMATCH"
    assert whole.verdict["copy", "linear"] != "MISMATCH"
    assert whole.rival["bad", "linear"] == "cheap jitter:sd=0.1"
    refused = frame[frame.forecaster == "seasonal-naive"]
    assert set(refused.status) == {"it learns nothing, so nothing can be added"}


def test_a_copy_of_the_real_series_is_never_said_to_help_or_to_hurt(made: Made) -> None:
    frame = made.found.to_frame().query("source == 'copy' and forecaster == 'linear'")
    assert np.abs(frame.total).max() < 1e-9
    assert set(frame.effect) == {"no difference"}


def test_the_printed_result_says_what_it_rests_on(made: Made) -> None:
    assert made.out == str(made.found)
    assert made.out.startswith("real, bad, linear: MISMATCH: as many synthetic as real pairs change the loss by +")
    assert "real, bad, seasonal-naive: not measured: it learns nothing" in made.out
    for words in (
        "shown, never used to choose", "mechanical check, duplicates of real pairs: exactly nothing changes",
        "may be made from the inner origins", "jitter:sd=0.1", "events in ", "AUROC: total ",
    ):  # fmt: skip
        assert words in made.out, words
    # one that learns nothing is refused once for each source, not with every simple augmentation again
    assert made.out.count("seasonal-naive") == 2
    assert made.out.splitlines()[1].startswith("real, bad, linear: y > q0.8, leads 1 to 3: ")
    tables = [line for line in made.out.splitlines() if line.count("  ") > 1]
    assert max(map(len, tables)) <= 120
    assert "-0.000 " not in made.out
    assert "-0.000)" not in made.out
    html = made.found._repr_html_()
    assert "<table" in html
    assert "AUROC" in html
    assert made.found.to_markdown().count("````") == 2
    assert json.loads(made.found.to_json())["run"].endswith("made")


def test_responses_and_events_are_plain_tables(made: Made) -> None:
    responses = made.found.responses().query("source == 'bad' and last == 3 and first == 1")
    assert responses.share.tolist() == [0.1, 0.25, 0.5, 1.0, 2.0]
    assert (np.diff(responses.change) > 0).all()
    assert not responses.chosen.any()
    events = made.found.events().query("source == 'bad' and first == 1 and last == 3")
    assert {"real", "synthetic", "augmented", "duplicated", "augmented - real", "part: total"} <= set(events.arm)
    assert events.prevalence.between(0.1, 0.4).all()
    one = events.set_index("arm").auroc
    assert one["augmented - real"] == pytest.approx(one["augmented"] - one["real"])


def test_a_run_is_shown_again_as_text_and_as_tables(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "made", "--augmentation", "-f", "linear", "--source", "bad", "--format", "json"]) == DONE
    told = json.loads(capsys.readouterr().out)
    assert {"schema", "findings", "places", "responses", "events"} <= set(told)
    assert run(["show", "made", "--augmentation", "-f", "linear", "--source", "bad", "--format", "csv"]) == DONE
    assert capsys.readouterr().out.startswith("data,source,cheap,forecaster,metric,first,last,verdict,")
    assert run(["show", "made", "--augmentation", "-f", "seasonal-naive"]) == FAILED_CELLS
    assert capsys.readouterr().out.count("not measured: it learns nothing") == 2


@pytest.mark.parametrize("more", [["--by", "lead"], ["--gap"], ["--validation"], ["--failures"], ["--group", "g"]])
def test_what_does_not_go_with_augmentation_is_refused(made: Made, more: list[str]) -> None:
    assert run(["show", "made", "--augmentation", *more]) == USAGE


def test_values_that_were_filled_and_a_context_that_was_cut_are_said_beside_the_figures() -> None:
    holes = pd.read_csv("calm.csv", parse_dates=["ds"])
    holes.loc[50:54, "y"] = np.nan
    short = daily(10 + autoregressions(np.random.default_rng(1), 40, 6, phi=0.6)).y.to_numpy().reshape(40, 6)
    settings = {"horizons": [1, 3], "windows": 8, "jobs": 0, "cheap": False, "out": "holes"}
    found = tsgap.augment(pd.read_csv("real.csv", parse_dates=["ds"]), {"holes": holes, "short": short}, **settings)
    told = str(found)
    assert "5 missing values of the synthetic series filled" in told
    assert "data, short, linear: scaling standard, context 3" in told
    assert json.loads(found.to_json())["notes"] == found.notes
    alone = tsgap.Augmentations.of(found.run, source="short")
    assert alone.notes == ["data, short, linear: scaling standard, context 3"]


def test_a_mismatch_is_a_finding_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["augment", "real.csv", "bad=other.csv", "--no-cheap", *FLAGS, "--out", "c", "--json"]) == DONE
    told = capsys.readouterr()
    (one,) = json.loads(told.out)["findings"]
    assert one["sentence"].startswith("real, bad, linear: MISMATCH: ")
    assert "simple augmentation" not in one["sentence"]
    assert told.err == "run: c   (tsgap show c --augmentation)\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["real.csv"], USAGE, "Missing argument"),
        (["real.csv", "nowhere.csv"], USAGE, "nowhere.csv"),
        (["real.csv", "other.csv", "--event", "y is high"], USAGE, "y is high"),
        (["real.csv", "other.csv", "-f", "seasonal-naive", "--no-cheap"], FAILED_CELLS, ""),
        (["real.csv", "other.csv", "--metric", "nope", "--out", "nope"], USAGE, "nope"),
        (["real.csv", "other.csv", "--inverse", "minmax"], USAGE, "inverse"),
    ],
)
def test_what_cannot_be_done_has_an_exit_code_and_a_reason(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["augment", *arguments, *FLAGS]) == code
    told = capsys.readouterr()
    assert says in told.err
    assert ("learns nothing" in told.out) == (code == FAILED_CELLS)
    assert not Path("nope").exists()


def test_a_forecaster_that_fails_is_no_result() -> None:
    settings = {"forecasters": {"broken": Broken}, "cheap": False, "replicates": 1, "jobs": 0, "out": "b"}
    found = tsgap.augment("real.csv", "other.csv", **settings, **SPLIT)
    assert not found.ok
    assert "real, other, broken: not measured: real arm: " in str(found)
    assert found.run.n_failed


class Broken:
    """It cannot learn."""

    def fit(self, train: object, *, horizon: int, context: int, seed: int) -> None:
        """Fail."""
        raise RuntimeError("no")

    def predict(self, history: object, *, horizon: int, quantile_levels: object = ()) -> None:
        """Never reached."""


def test_saturation_asks_the_real_series_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["saturation", "calm.csv", *FLAGS, "--out", "s"]) == DONE
    told = capsys.readouterr()
    assert told.out.startswith("calm, linear: no room: half of the real pairs change the loss by ")
    assert "half %" in told.out
    found = tsgap.saturation("calm.csv", out="s", jobs=0, **SPLIT)
    assert isinstance(found, tsgap.Saturation)
    assert found.ok
    frame = found.to_frame()
    assert frame.recommendation.iloc[-1] == "no room"
    assert (frame.double <= 0).all()
    assert str(found) == told.out
    assert run(["show", "s", "--augmentation", "--format", "csv"]) == DONE
    assert "recommendation" in capsys.readouterr().out.splitlines()[0]
    assert run(["saturation", "real.csv", "-f", "seasonal-naive", *FLAGS]) == FAILED_CELLS
    assert "real, seasonal-naive: not measured: it learns nothing" in capsys.readouterr().out


def test_a_sweep_can_add_as_well_and_says_how_to_see_it(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["sweep", "--real", "real.csv", "--synthetic", "bad=other.csv", "-f", "linear", "--replicates", "1"]
    flags += ["--horizons", "1,3", "--windows", "8", "--jobs", "0", "--out", "w", "--save-config", "w.toml"]
    assert run([*flags, "--augment", "--event", "y > q0.8"]) == DONE
    assert "adding them to the real series: tsgap show w --augmentation" in capsys.readouterr().out
    kept = from_toml("w.toml")
    assert (kept.augment, kept.cheap, kept.event) == ("also", True, "y > q0.8")
    assert run(["sweep", "w.toml", "--out", "w", "--jobs", "0", "--json"]) == DONE
    assert {row["arm"] for row in json.loads(capsys.readouterr().out)} == {"synthetic", "null"}
    (one,) = load("w").augmentations(source="bad")
    assert one.diagnoses[-1].state == "MISMATCH"
    assert one.events
    assert run(["sweep", "w.toml", "--augment"]) == USAGE
    assert run([*flags, "--event", "y > q0.8"]) == USAGE
    assert "event is for augmentation: ask for that too (--augment" in capsys.readouterr().err


def test_a_file_may_ask_for_augmentation_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("only.toml").write_text(
        'augment = "only"\nnull = false\nforecasters = ["linear"]\nhorizons = [1, 3]\n'
        '[[data]]\nreal = "real.csv"\nwindows = 8\n[[sources]]\nname = "bad"\nsynthetic = "other.csv"\n'
    )
    assert run(["sweep", "only.toml", "--out", "o", "--jobs", "0"]) == DONE
    assert capsys.readouterr().out.startswith("real, bad, linear: MISMATCH: ")
    assert run(["show", "o"]) == DONE
    assert capsys.readouterr().out.startswith("real, bad, linear: MISMATCH: ")
    Path("refused.toml").write_text(Path("only.toml").read_text().replace('["linear"]', '["linear", "seasonal-naive"]'))
    for more in ([], ["--quiet"]):
        assert run(["sweep", "refused.toml", "--out", "o", "--jobs", "0", *more]) == FAILED_CELLS
        assert bool(capsys.readouterr().out) != bool(more)
    Path("bad.toml").write_text(Path("only.toml").read_text().replace('"only"', '"sometimes"'))
    assert run(["sweep", "bad.toml"]) == USAGE


def test_a_run_without_augmentation_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    tsgap.sweep("real.csv", "other.csv", forecasters="linear", replicates=1, null=False, jobs=0, out="p", **SPLIT)
    assert run(["show", "p", "--augmentation"]) == USAGE
    assert "run the sweep with --augment" in capsys.readouterr().err
    with pytest.raises(UsageError, match="--augment"):
        tsgap.Augmentations.of(load("p"))
