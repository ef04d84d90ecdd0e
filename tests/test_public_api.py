"""What `import tsgap` offers, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tsgap

HEAVY = (
    "pandas", "sklearn", "scipy", "statsmodels", "darts", "statsforecast", "torch", "matplotlib", "pyarrow",
    "pydantic", "jinja2", "plotly",
)  # fmt: skip


def run(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", tsgap.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tsgap, name) is not None
    assert name in dir(tsgap)


def test_a_star_import_gives_the_public_names() -> None:
    space: dict[str, object] = {}
    exec("from tsgap import *", space)
    assert set(tsgap.__all__) <= set(space)
    assert len(set(tsgap.__all__)) == len(tsgap.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'tsgap' has no attribute 'sweeep'"):
        tsgap.sweeep  # noqa: B018


@pytest.mark.parametrize(
    "module", ["tsgap", "tsgap.cli", "tsgap.protocols", "tsgap.hookspecs", "tsgap.local", "tsgap.cell"]
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code) == "[]"


def test_the_public_contract_can_be_used_without_loading_anything_heavy() -> None:
    code = f"""
import sys, tsgap
tsgap.Panel.of({{"a": [1.0, 2.0]}})
tsgap.ForecasterSpec("a", "", build=dict)
tsgap.hookimpl
print([m for m in {HEAVY!r} if m in sys.modules])
"""
    assert run(code) == "[]"


@pytest.mark.parametrize("module", ["tsgap.sweeps", "tsgap.run", "tsgap.plugins", "tsgap.cli.sweep"])
def test_functions_stay_functions_whatever_module_is_imported(module: str) -> None:
    code = f"import tsgap, {module}; print(callable(tsgap.sweep), callable(tsgap.load), callable(tsgap.register))"
    assert run(code) == "True True True"
    code = f"import {module}; import tsgap; print(type(tsgap.sweep).__name__, type(tsgap.load).__name__)"
    assert run(code) == "function function"


def test_importing_changes_no_global_state() -> None:
    code = """
import logging, os, random, warnings
import numpy as np
before = (list(warnings.filters), dict(os.environ), random.getstate(), np.random.get_state()[1].tolist(),
          list(logging.getLogger().handlers))
import tsgap, tsgap.cli
after = (list(warnings.filters), dict(os.environ), random.getstate(), np.random.get_state()[1].tolist(),
         list(logging.getLogger().handlers))
print(before == after)
"""
    assert run(code) == "True"
