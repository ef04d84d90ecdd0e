"""README: its commands run, its Python runs, and what it lists is what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tsgap.cli import COMMANDS, run
from tsgap.comparisons import COMPARISONS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def shown_of(command: str) -> list[str]:
    """The lines of output that follow a command."""
    (found,) = re.findall(rf"^{command} .*\n```\n\n```text\n((?:(?!```).*\n)+)", README, re.MULTILINE)
    return [line for line in found.splitlines() if line]


def test_the_first_block_is_the_two_commands_each_complete_by_itself() -> None:
    lines = blocks("sh")[0].splitlines()
    assert len(lines) == 2
    assert all(line.startswith("python3 -m venv .venv && .venv/bin/pip install -e ") for line in lines)
    assert lines[0].endswith("&& .venv/bin/tsgap demo")
    assert lines[1].endswith("&& .venv/bin/pytest")


def test_every_command_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tsgap_statsforecast")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tsgap.engines.cores", lambda: 0)  # in this process: workers are the matter of other tests
    lines = [line for block in blocks("sh")[1:] for line in block.splitlines()]
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "tsgap"
        assert run(words[1:]) == 0, line
    told = capsys.readouterr()
    assert "4 reused" not in told.err
    (cutoff,) = re.findall(r"--generator-cutoff (\S+)$", README, re.MULTILINE)
    assert [line for line in shown_of("tsgap augment") if line not in told.out] == []
    assert f"declare what the generator saw with --generator-cutoff '{cutoff}T00:00:00'" in told.out


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    space: dict[str, object] = {"__name__": "__main__"}
    exec(compile(code, "README.md", "exec"), space)
    profile = space["run"].profile("mase")  # type: ignore[attr-defined]
    assert set(profile.forecaster) == {"linear", "drift"}
    assert profile.query("arm == 'synthetic'").ratio.notna().all()


def test_every_command_and_every_arm_is_in_the_readme() -> None:
    for command in COMMANDS:
        assert f"tsgap {command}" in README, command
    for arms in COMPARISONS:
        for arm in arms:
            assert f"| `{arm}` |" in README


def test_the_exit_codes_of_the_readme_are_those_of_the_command_line() -> None:
    assert (
        "Exit codes: 0 done, 2 usage or data, 3 done with failed cells, 74 input or output, 130 interrupted." in README
    )
