"""`tsgap forecasters | generators | metrics | diagnostics | check` on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tsgap import cli
from tsgap.testing.diagnostic_laws import DIAGNOSTIC_LAWS
from tsgap.testing.forecaster_laws import FORECASTER_LAWS
from tsgap.testing.generator_laws import GENERATOR_LAWS
from tsgap.testing.metric_laws import METRIC_LAWS

Install = Callable[..., Path]
Output = pytest.CaptureFixture[str]


def tsgap(*argv: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tsgap", *argv], capture_output=True, text=True, env={**os.environ, **(env or {})}
    )


def test_forecasters_are_listed_with_what_a_user_must_know(install: Install, capsys: Output) -> None:
    install("good")
    assert cli.run(["forecasters"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines() if line and not line.startswith(" ")}
    assert rows["drift"].split()[1:4] == ["tsgap-good", "global", "learned"]
    assert "strength=1.0, lags=3, name=plain, robust=false, order=1+1, start=none" in rows["drift"]
    assert rows["wants"].endswith("nosuch_package")
    assert "  nosuch_package: pip install nosuch\n" in out
    assert "no-way" not in rows
    assert "  no-way: it learns nothing\n" in out
    assert rows["seasonal-naive"].split()[1:4] == ["tsgap", "global", "none"]
    assert rows["gradient-boosting"].split()[1:5] == ["tsgap", "global", "learned", "nonlinear"]


def test_a_list_says_in_one_line_that_plugins_failed_and_where_to_look(install: Install, capsys: Output) -> None:
    install("broken_import", "hook_raises")
    for command in ("forecasters", "generators", "metrics", "diagnostics"):
        assert cli.run([command]) == 0
        printed = capsys.readouterr()
        assert "2 plugins or hooks failed to load (tsgap-broken-import, tsgap-hook-raises)" in printed.err
        assert "`tsgap forecasters --broken` says why" in printed.err


def test_broken_plugins_are_shown_with_cause_and_traceback(install: Install, capsys: Output) -> None:
    install("broken_import")
    assert cli.run(["forecasters", "--broken"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("tsgap-broken-import 1.0, entry point main: cannot be imported: ModuleNotFoundError")
    assert "    import nosuch_package_for_tsgap" in out
    assert cli.run(["forecasters", "--broken", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["what"], row["distribution"]) == ("broken", "tsgap-broken-import")


def test_names_that_are_claimed_twice_are_listed_with_what_to_type(install: Install, capsys: Output) -> None:
    install("claims_host", "good", "duplicate")
    assert cli.run(["forecasters", "--broken"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Every plugin loaded." not in lines
    assert (
        "clash: the forecaster 'drift' is claimed by tsgap-duplicate and tsgap-good; "
        "say which one you mean: tsgap-duplicate/drift or tsgap-good/drift" in lines
    )
    assert any("the metric 'mase' is tsgap's, and claimed by tsgap-claims-host too" in line for line in lines)
    assert len(lines) == 6
    assert cli.run(["forecasters", "--broken", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["what"], row["name"], row["distribution"]) for row in rows if row["name"] in ("drift", "mase")] == [
        ("clash", "mase", "tsgap-claims-host"),
        ("clash", "drift", "tsgap-duplicate"),
        ("clash", "drift", "tsgap-good"),
    ]
    assert cli.run(["metrics"]) == 0
    printed = capsys.readouterr()
    assert "tsgap-claims-host/mase" in printed.out
    assert "6 names are claimed twice (" in printed.err
    assert "`tsgap forecasters --broken` says why" in printed.err


def test_a_plugin_that_claims_names_of_the_host_stops_no_sweep(install: Install, tmp_path: Path) -> None:
    site = install("claims_host")
    argv = ["sweep", "--real", "card:macrodata", "--synthetic", "gen:shuffle", "-f", "tsgap/seasonal-naive"]
    found = tsgap(*argv, "--horizons", "1", "--jobs", "0", "--quiet", "--out", str(site / "run"))
    assert found.returncode == 0, found.stderr


def test_with_no_broken_plugin_the_list_says_so(
    no_plugins_loaded: None, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tsgap.plugins import finding

    monkeypatch.setattr(finding, "_entry_points", list)
    assert cli.run(["forecasters", "--broken"]) == 0
    assert capsys.readouterr().out == "Every plugin loaded.\n"


def test_generators_and_metrics_are_listed(install: Install, capsys: Output) -> None:
    install("good")
    assert cli.run(["generators"]) == 0
    out = capsys.readouterr().out
    assert "block-bootstrap" in out
    assert "length=24" in out
    assert "twice" in out
    assert cli.run(["metrics"]) == 0
    out = capsys.readouterr().out
    assert "mase" in out
    assert "my-mse" in out


def test_diagnostics_are_listed_with_what_is_missing(install: Install, capsys: Output) -> None:
    install("good")
    assert cli.run(["diagnostics"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines() if line and not line.startswith(" ")}
    assert rows["shift"].split()[1] == "tsgap"
    assert rows["level"].split()[1] == "tsgap-good"
    assert rows["fancy"].endswith("nosuch_package")
    assert out.endswith("\nMissing packages:\n  nosuch_package: pip install nosuch\n")
    assert cli.run(["diagnostics", "--json"]) == 0
    told = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert told["fancy"]["missing"] == ["nosuch_package: pip install nosuch"]
    assert told["level"]["missing"] == []


def test_of_one_generator_everything_is_told(capsys: Output) -> None:
    assert cli.run(["generators", "iaaft"]) == 0
    told = {line[:15].rstrip(): line[15:] for line in capsys.readouterr().out.splitlines()}
    assert told["source"].startswith("Schreiber & Schmitz (1996)")
    assert told["shown by"].startswith("nonlinear ones only")
    assert (told["destroys"], told["paired"]) == ("nonlinear dependence, the phase of the season", "yes")
    assert cli.run(["generators", "ar-sieve", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["parameters"], row["paired"]) == ("ar-sieve", {"order": "none"}, True)
    assert cli.run(["generators", "iaft"]) == 2
    assert "iaaft" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["forecasters", "generators", "metrics", "diagnostics"])
def test_json_is_a_list_of_rows_even_if_a_plugin_prints(install: Install, command: str) -> None:
    install("good", "broken_import")
    found = tsgap(command, "--json")
    assert found.returncode == 0
    rows = json.loads(found.stdout)
    assert {"name", "distribution", "version", "summary"} <= set(rows[0])
    assert "printed at import" in found.stderr
    assert any(row["distribution"] == "tsgap-good" for row in rows)


def test_what_a_plugin_writes_cannot_reach_the_terminal_as_control_characters(install: Install, capsys: Output) -> None:
    site = install("good")
    text = (
        (site / "good.py")
        .read_text()
        .replace("it learns nothing", "\\x1b[2Jgone")
        .replace("pip install nosuch", "\\x1b[31m")
    )
    (site / "good.py").write_text(text)
    assert cli.run(["forecasters"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "?[2Jgone" in out


def test_check_prints_one_line_for_each_law(install: Install, capsys: Output) -> None:
    install("good")
    assert cli.run(["check", "drift:strength=0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1].rstrip(":") for line in lines[:-1]] == [law.__name__ for law in FORECASTER_LAWS]
    assert {line.split()[0] for line in lines[:-1]} == {"ok"}
    assert lines[-1] == f"drift:strength=0.5: {len(FORECASTER_LAWS)} of {len(FORECASTER_LAWS)} laws hold"


def test_check_of_a_generator(capsys: Output) -> None:
    assert cli.run(["check", "shuffle", "--generator"]) == 0
    assert f"{len(GENERATOR_LAWS)} of {len(GENERATOR_LAWS)} laws hold" in capsys.readouterr().out


FAULTY = """
import numpy as np
import tsgap

print("printed at import")

class Faulty:
    def fit(self, train, *, horizon, context, seed): self.level = train.values.mean()
    def predict(self, history, *, horizon, quantile_levels=()):
        print("printed by predict")
        return tsgap.Forecast(np.full((len(history), horizon), self.level * history.values.mean()))
"""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "faulty_model.py").write_text(FAULTY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "faulty_model", raising=False)
    return "faulty_model:Faulty"


def test_check_of_a_broken_law_says_why_and_exits_with_1(faulty: str, capsys: Output) -> None:
    assert cli.run(["check", faulty]) == 1
    out = capsys.readouterr().out
    assert "FAILED   check_other_rows_do_not_matter: the forecast of a row changes with the values" in out
    assert f"of {len(FORECASTER_LAWS)} laws hold" in out.splitlines()[-1]
    assert cli.run(["check", faulty, "--json"]) == 1  # and it prints
    rows = json.loads(capsys.readouterr().out)
    assert [row["check"] for row in rows] == [law.__name__ for law in FORECASTER_LAWS]
    assert {row["status"] for row in rows} == {"ok", "failed"}


def test_a_law_that_is_expected_to_be_broken_does_not_count(faulty: str, capsys: Output) -> None:
    assert cli.run(["check", faulty, "--json"]) == 1
    broken = [row["check"] for row in json.loads(capsys.readouterr().out) if row["status"] == "failed"]
    expected = [part for name in broken for part in ("--expected", f"{name}=it averages over rows")]
    assert cli.run(["check", faulty, *expected]) == 0
    out = capsys.readouterr().out
    assert out.count("expected ") >= len(broken)
    assert "it averages over rows (" in out
    n = len(FORECASTER_LAWS)
    assert out.splitlines()[-1] == f"{faulty}: {n - len(broken)} of {n} laws hold, {len(broken)} fail as expected"
    assert cli.run(["check", faulty, *expected, "--expected", "check_it_pickles=no"]) == 1
    assert "holds, though it was expected to fail" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["check", "seasonal-naiv"], "did you mean 'seasonal-naive'"),
        (["check", "linear:rigde=1"], "did you mean 'ridge'"),
        (["check", "nosuch_module:Thing"], "there is no module 'nosuch_module'"),
        (["check", "linear", "--expected", "check_it_pickles"], "is written CHECK=REASON"),
        (["check", "linear", "--timeout", "0"], "--timeout must be more than 0 seconds, got 0"),
        (["check", "linear", "--jobs", "-1"], "-1 is not in the range x>=0"),
        (["check", "linear", "--expected", "check_it_pickle=x"], "did you mean 'check_it_pickles'"),
        (["check"], "Missing argument"),
        (["forecasters", "--nosuch"], "No such option"),
    ],
)
def test_a_mistake_is_one_message_and_exit_2(argv: list[str], message: str, capsys: Output) -> None:
    assert cli.run(argv) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""


def test_check_of_a_metric(install: Install, capsys: Output) -> None:
    install("claims_host")
    assert cli.run(["check", "mase", "--metric"]) == 0
    assert f"{len(METRIC_LAWS)} of {len(METRIC_LAWS)} laws hold" in capsys.readouterr().out
    assert cli.run(["check", "mase", "--metric", "--generator"]) == 2
    assert cli.run(["check", "tsgap-claims-host/mase", "--metric"]) == 0


def test_check_of_a_diagnostic(install: Install, capsys: Output) -> None:
    install("good")
    n = len(DIAGNOSTIC_LAWS)
    for what in ("level", "tsgap-good/level", "good:compare"):
        assert cli.run(["check", what, "--diagnostic", "--jobs", "0"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"{what}: {n} of {n} laws hold"
    assert cli.run(["check", "good:always_warns", "--diagnostic", "-k", "fair"]) == 1
    assert "FAILED   check_a_fair_second_draw_is_seldom_warned_of: 12 of 12 fair" in capsys.readouterr().out
    assert cli.run(["check", "level", "--metric", "--diagnostic"]) == 2
    assert "--generator, --metric and --diagnostic: it is one of them" in capsys.readouterr().err


def test_check_runs_the_laws_whose_names_contain_a_text(capsys: Output) -> None:
    assert cli.run(["check", "naive", "-k", "seed", "--jobs", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1].rstrip(":") for line in lines[:-1]] == [
        "check_same_seed_same_forecast",
        "check_seed_does_not_matter_where_declared",
    ]
    assert lines[-1] == f"naive: 2 of 2 laws hold ({len(FORECASTER_LAWS) - 2} not run)"
    assert cli.run(["check", "naive", "-k", "sed"]) == 2
    assert "no law has this in its name. There are: check_shape_and_finiteness" in capsys.readouterr().err


DEADLY = """
import os, time

class Dies:
    def fit(self, train, *, horizon, context, seed): os._exit(7)
    def predict(self, history, *, horizon, quantile_levels=()): ...

class Raises(Dies):
    def fit(self, train, *, horizon, context, seed): raise KeyError("nothing")
"""


def test_check_of_one_that_ends_its_process_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    (tmp_path / "deadly_model.py").write_text(DEADLY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert cli.run(["check", "deadly_model:Dies", "-k", "seed"]) == 1
    out = capsys.readouterr().out
    assert "FAILED   check_same_seed_same_forecast: the process ended with exit code 7 (2 attempts)\n" in out
    assert cli.run(["check", "deadly_model:Raises", "-k", "same_seed", "--traceback"]) == 1
    out = capsys.readouterr().out
    assert "FAILED   check_same_seed_same_forecast: KeyError: 'nothing'\n    Traceback (most recent call last)" in out
    assert ", in fit\n" in out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["shuffle"], "It is the name of a generator. Type: tsgap check shuffle --generator"),
        (["mase:x=1"], "It is the name of a metric. Type: tsgap check mase --metric"),
        (["shift"], "It is the name of a diagnostic. Type: tsgap check shift --diagnostic"),
        (["naive", "--diagnostic"], "It is the name of a forecaster. Type: tsgap check naive"),
        (["naive", "--generator"], "It is the name of a forecaster. Type: tsgap check naive"),
    ],
)
def test_check_of_a_name_of_another_kind_says_how_it_is_checked(argv: list[str], said: str, capsys: Output) -> None:
    assert cli.run(["check", *argv]) == 2
    assert capsys.readouterr().err.endswith(said + "\n")


@pytest.mark.parametrize("typed", ["drifter", "nosuch_module:Drift"])
def test_a_name_that_is_not_found_may_be_that_of_a_plugin_that_failed(
    install: Install, capsys: Output, typed: str
) -> None:
    install("broken_import")
    assert cli.run(["check", typed]) == 2
    said = capsys.readouterr().err
    assert "Plugins that failed to load: tsgap-broken-import (cannot be imported" in said
    assert "`tsgap forecasters --broken` says more." in said


def test_there_are_no_colours_away_from_a_terminal_nor_with_no_color() -> None:
    for env in ({}, {"NO_COLOR": "1", "FORCE_COLOR": "1", "TERM": "xterm-256color"}):
        found = tsgap("check", "naive", "-k", "pickles", env=env)
        assert found.returncode == 0
        assert "\x1b[3" not in found.stdout
    assert "\x1b[" not in tsgap("forecasters").stdout
