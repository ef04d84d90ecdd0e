"""What is offered: names, parameters and requirements, and what is said where a package is missing."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import tsgap_darts
from darts_panels import planted
from tsgap_darts import SPECS

from tsgap.errors import ForecastError, UsageError
from tsgap.plugins.choosing import shown

README = (Path(__file__).parents[1] / "README.md").read_text()
BY_NAME = {spec.name: spec for spec in SPECS}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_forecaster_is_built_from_its_parameters_and_pickles(spec):
    build = pickle.loads(pickle.dumps(spec.build))
    forecaster = build(**spec.params)
    assert forecaster.name == spec.name
    assert (spec.transfer, spec.scope) == ("learned", "global")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_missing_package_is_named_with_the_way_to_install_it(spec, monkeypatch):
    package, _, hint = spec.requires[-1].partition(": ")
    for name in [name for name in sys.modules if name.split(".")[0] in (package, "darts")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ForecastError, match=f"^{spec.name} needs {package} .*{re.escape(hint)}$"):
        spec.build().fit(planted(3, 40, seed=1), horizon=4, context=12, seed=0)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("nlinear", {"steps": 0}),
        ("nlinear", {"batch_size": 2.5}),
        ("dlinear", {"kernel_size": 1}),
        ("nhits", {"layer_widths": 0}),
        ("tide", {"lr": -1.0}),
        ("tsmixer", {"num_blocks": 0}),
        ("tcn", {"dropout": 1.0}),
        ("lightgbm", {"leaves": 1}),
        ("lightgbm", {"lr": 0.0}),
        ("random-forest", {"trees": True}),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name_and_value(name, wrong):
    ((parameter, value),) = wrong.items()
    with pytest.raises(UsageError, match=f"^{name}: {parameter} must be .*{re.escape(repr(value))}$"):
        BY_NAME[name].build(**wrong)


def test_nothing_heavy_is_imported_with_the_plugin():
    heavy = "{'darts', 'torch', 'pandas', 'sklearn', 'lightgbm', 'scipy'}"
    code = f"import sys, tsgap_darts; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_plugin_is_found_through_its_entry_point():
    (found,) = entry_points(group="tsgap", name="darts")
    assert found.load() is tsgap_darts
    assert tuple(tsgap_darts.tsgap_forecasters()) == SPECS


def test_the_readme_lists_every_forecaster_with_its_parameters():
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| (.*) \|$", README, flags=re.MULTILINE))
    told = {name: re.findall(r"`(\w+)=([^`]*)`", cell) for name, cell in rows.items()}
    assert told == {spec.name: list(shown(spec.params).items()) for spec in SPECS}


def test_the_readme_gives_the_way_to_install_every_package():
    for spec in SPECS:
        for needed in spec.requires:
            for command in needed.partition(": ")[2].split(" && "):
                assert command in README
