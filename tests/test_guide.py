"""The guide for plugin authors says what the code does, and every example in it runs."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tsgap
from tsgap import cli, hookspecs
from tsgap.diagnostics import Contrast, Diagnosed, Figure, Sample, Side, contrasted
from tsgap.plugins import choose_forecaster, choose_generator, register, registry
from tsgap.protocols import DiagnosticSpec, ForecasterSpec, GeneratorSpec, MetricSpec
from tsgap.testing import check_diagnostic, check_forecaster, check_generator, check_metric
from tsgap.testing.diagnostic_laws import DIAGNOSTIC_LAWS
from tsgap.testing.forecaster_laws import FORECASTER_LAWS
from tsgap.testing.generator_laws import GENERATOR_LAWS
from tsgap.testing.metric_laws import METRIC_LAWS
from tsgap.testing.panels import panel

PLUGINS = Path(__file__).parents[1] / "plugins"
TEMPLATE = PLUGINS / "tsgap-template"
GUIDE = (PLUGINS / "README.md").read_text(encoding="utf-8")

HOOKS = [f for name, f in vars(hookspecs).items() if name.startswith("tsgap_")]


def section(heading: str) -> str:
    return next(part for part in re.split(r"^## ", GUIDE, flags=re.M) if part.startswith(heading))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


@pytest.fixture
def import_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_plugins_loaded: None) -> Any:
    def load(heading: str, which: int = 0) -> ModuleType:
        block = blocks(section(heading), "python")[which]
        (tmp_path / "guide_example.py").write_text(block)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "guide_example", raising=False)
        return importlib.import_module("guide_example")

    return load


@pytest.fixture
def template_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_plugins_loaded: None) -> Path:
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(f"{k} = {v}\n" for k, v in project["entry-points"]["tsgap"].items())
    (info / "entry_points.txt").write_text(f"[tsgap]\n{points}")
    shutil.copy(TEMPLATE / "tsgap_template.py", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "tsgap_template", raising=False)
    return tmp_path


def test_every_hook_has_a_heading_with_its_signature() -> None:
    assert len(HOOKS) == 5
    headings = re.findall(r"^## (tsgap_.*)$", GUIDE, flags=re.M)
    assert headings == [f"{hook.__name__}{inspect.signature(hook)}".replace("'", "") for hook in HOOKS]


@pytest.mark.parametrize("hook", [hook.__name__ for hook in HOOKS])
def test_every_hook_has_a_complete_example_that_loads(import_block: Any, hook: str) -> None:
    module = import_block(hook)
    (offer,) = register(module)
    assert hasattr(module, hook)
    assert offer.spec.summary.endswith(".")


@pytest.mark.parametrize("spec", [ForecasterSpec, GeneratorSpec, MetricSpec, DiagnosticSpec])
def test_every_field_of_a_spec_is_explained(spec: Any) -> None:
    hook = next(h.__name__ for h in HOOKS if spec.__name__ in str(inspect.signature(h)))
    known = section(hook) + (section("tsgap_forecasters") if spec is not ForecasterSpec else "")
    for field in dataclasses.fields(spec):
        assert f"`{field.name}" in known, field.name


def test_the_forecaster_of_the_guide_keeps_the_contract(import_block: Any) -> None:
    register(import_block("tsgap_forecasters"))
    assert [r for r in check_forecaster("level") if r.status != "ok"] == []


def test_the_local_forecaster_of_the_guide_keeps_the_contract_and_isolates_series(import_block: Any) -> None:
    module = import_block("tsgap_forecasters", 1)
    register(module)
    assert [r for r in check_forecaster("smoothing") if r.status != "ok"] == []
    model = module.Smoothing()
    train = tsgap.Panel.of({"a": [1.0, 2.0, 4.0, 3.0], "flat": [1.0, 1.0, 1.0]})
    model.fit(train, horizon=2, context=None, seed=0)
    found = model.predict(train, horizon=2)
    assert found.failed == {1: "its training series could not be fitted: the series is constant, any weight would do"}
    assert np.isfinite(found.mean[0]).all()


def test_the_additive_forecaster_of_the_guide_keeps_the_contract(import_block: Any) -> None:
    register(import_block("tsgap_forecasters", 2))
    found = {r.check: r for r in check_forecaster("decay")}
    assert [r for r in found.values() if r.status != "ok"] == []
    assert "nothing promised" not in found["check_moments_add_and_teach_what_fit_does"].reason


def test_every_python_block_of_the_guide_is_run_here() -> None:
    run = {"Without a package": 1, "The panel": 1, "tsgap_forecasters": 3, "Checks": 1}
    run |= {hook.__name__: 1 for hook in HOOKS if hook.__name__ != "tsgap_forecasters"}
    assert {heading: len(blocks(section(heading), "python")) for heading in run} == run
    assert len(blocks(GUIDE, "python")) == sum(run.values())


def test_the_panel_is_as_the_guide_says(import_block: Any) -> None:
    panel = import_block("The panel").panel
    for words in re.findall(r"^\| (`.*?) \|", section("The panel"), flags=re.M):
        for name in re.findall(r"`(\w+)", words):
            assert hasattr(panel, name), name
    parts = {f.name for f in dataclasses.fields(tsgap.Panel)}
    assert {name for name in parts if f"`{name}`" not in section("The panel")} == set()


def test_what_the_guide_says_of_check_is_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["check", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for option in re.findall(r"`(-k|--[\w]+)", section("Checks")):
        assert option in said or option == "--failures"
    assert "Hold a forecaster, generator, metric or diagnostic against its contract" in said
    assert "Exit codes: 0 all laws hold, or fail as expected, 1 a law is broken, 2 usage" in said
    assert "[default: 120.0]" in said


def test_a_generator_is_given_by_its_address_as_the_guide_says(
    import_block: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_block("tsgap_generators")
    monkeypatch.chdir(tmp_path)
    argv = ["--real", "card:nile", "--synthetic", "gen:guide_example:WhiteNoise:share=0.2", "-f", "naive"]
    assert cli.run(["sweep", *argv, "--horizons", "1", "--jobs", "0", "--quiet", "--out", str(tmp_path / "run")]) == 0


def test_the_class_without_a_package_keeps_the_contract(import_block: Any) -> None:
    module = import_block("Without a package")
    assert choose_forecaster("last-value").build().strength == 1.0
    assert [r for r in check_forecaster(module.LastValue) if r.status != "ok"] == []


def test_the_generator_of_the_guide_keeps_the_contract(import_block: Any) -> None:
    register(import_block("tsgap_generators"))
    assert choose_generator("white-noise:share=0.3").build().share == 0.3
    assert [r for r in check_generator("white-noise") if r.status != "ok"] == []


def test_the_metric_of_the_guide_is_what_it_says(import_block: Any) -> None:
    module = import_block("tsgap_metrics")
    register(module)
    assert [r for r in check_metric("log-cosh") if r.status != "ok"] == []
    loss = module.log_cosh
    error = np.array([-3.0, -0.5, 0.0, 2.0])
    np.testing.assert_allclose(loss(error, 0.0, 0.5), np.log(np.cosh(error / 0.5)), atol=1e-12)


def test_the_diagnostic_of_the_guide_is_what_it_says(import_block: Any) -> None:
    module = import_block("tsgap_diagnostics")
    register(module.roughness)
    assert [r for r in check_diagnostic("roughness") if r.status != "ok"] == []
    real = panel("one", 24, (90, 100), seed=0)
    noise = np.random.default_rng(0).normal(size=len(real.values))
    (rough,) = module.roughness(contrasted(real, real.with_values(real.values + noise), seed=0), seed=0).figures
    assert rough.value > 0.3
    assert (rough.flag, rough.advice) == ("warn", "it jumps too much from step to step")
    smoothed = real.with_values(np.convolve(real.values, np.ones(5) / 5, mode="same"))
    assert module.roughness(contrasted(real, smoothed, seed=0), seed=0).figures[0].advice.startswith("it smooths")
    floor = module.roughness(contrasted(real, real, seed=0).floor, seed=0)
    assert abs(floor.figures[0].value) < 0.1
    assert len(floor.worst) == 3


def test_every_part_of_a_contrast_and_of_what_is_returned_is_explained() -> None:
    tables = section("tsgap_diagnostics").split("What a `Side` holds:")
    assert len(tables) == 2
    for kind, table in zip((Contrast, Side), tables, strict=True):
        parts = {f.name for f in dataclasses.fields(kind)}
        parts |= {name for name, of in vars(kind).items() if isinstance(of, property | functools.cached_property)}
        told = {name for row in re.findall(r"^\| (`.*?) \|", table, flags=re.M) for name in re.findall(r"`(\w+)", row)}
        assert told == parts
    for kind in (Figure, Sample, Diagnosed):
        for field in dataclasses.fields(kind):
            assert f"`{field.name}`" in tables[1], field.name


def test_what_a_contrast_holds_is_read_only() -> None:
    contrast = contrasted(panel("one", 12, (90, 100), seed=0), panel("one", 12, (90, 100), seed=1), seed=0)
    arrays = list(contrast.features)
    for side in (contrast.real, contrast.synthetic, contrast.held_back):
        arrays += [side.windows, side.unit, side.begins, side.features, side.panel.values]
    assert not any(array.flags.writeable for array in arrays)


def test_the_data_set_of_the_guide_is_a_long_frame(import_block: Any) -> None:
    module = import_block("tsgap_datasets")
    assert list(module.load().columns) == ["unique_id", "ds", "y"]
    assert module.card().startswith("---\n")


def test_every_law_stands_in_the_guide_in_its_own_words() -> None:
    for laws in (FORECASTER_LAWS, GENERATOR_LAWS, METRIC_LAWS, DIAGNOSTIC_LAWS):
        for law in laws:
            assert f"| `{law.__name__}` | {inspect.getdoc(law)} |" in section("Checks")
    named = re.findall(r"^\| `(check_\w+)`", GUIDE, flags=re.M)
    assert named == [law.__name__ for law in (*FORECASTER_LAWS, *GENERATOR_LAWS, *METRIC_LAWS, *DIAGNOSTIC_LAWS)]


def test_the_pytest_example_collects_one_test_for_each_law(import_block: Any) -> None:
    module = import_block("Checks")
    (mark,) = module.test_contract.pytestmark
    assert [p.id for p in mark.args[1]] == [law.__name__ for law in FORECASTER_LAWS]
    (mark,) = module.test_contract_of_a_generator.pytestmark
    assert [p.id for p in mark.args[1]] == [law.__name__ for law in GENERATOR_LAWS]


def test_the_project_file_of_the_guide_is_that_of_the_template() -> None:
    (block,) = blocks(GUIDE, "toml")
    assert block == (TEMPLATE / "pyproject.toml").read_text()


def test_the_template_is_found_by_its_entry_point_and_keeps_the_contract(template_installed: Path) -> None:
    offer = registry().forecasters["reversion"]
    assert (offer.distribution, offer.version) == ("tsgap-template", "0.1.0")
    assert [r for r in check_forecaster("reversion") if r.status != "ok"] == []
    assert registry().diagnostics["deviation"].distribution == "tsgap-template"
    assert [r for r in check_diagnostic("deviation") if r.status != "ok"] == []


def test_the_commands_of_the_guide_run(template_installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsgap.engines.cores", lambda: 0)  # in this process: workers are the matter of other tests
    lines = [line[2:] for block in blocks(GUIDE, "console") for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("tsgap ")]
    assert [command[0] for command in commands] == ["forecasters", "check", "sweep", "diagnose", *["check"] * 6]
    for command in commands:
        assert cli.run([*command, "--quiet"] if command[0] == "sweep" else command) == 0
    (install,) = [line for line in lines if not line.startswith("tsgap ")]
    assert install == "pip install -e ./tsgap-template"


@pytest.mark.slow
def test_the_template_installs_as_the_guide_says(tmp_path: Path) -> None:
    shutil.copytree(TEMPLATE, tmp_path / "tsgap-template", ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(tmp_path / "env", with_pip=False)
    python = next((tmp_path / "env").glob("*/python"))
    (site,) = (tmp_path / "env").glob("lib/*/site-packages")
    (site / "host.pth").write_text(f"{Path(np.__file__).parents[1]}\n{Path(tsgap.__file__).parents[1]}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "-q", "-e", "./tsgap-template"], cwd=tmp_path, check=True)
    run = [str(python), "-m", "tsgap"]
    listed = subprocess.run([*run, "forecasters"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "reversion" in listed.stdout
    assert "tsgap-template" in listed.stdout
    subprocess.run([*run, "check", "reversion:damping=0.5"], cwd=tmp_path, check=True)
