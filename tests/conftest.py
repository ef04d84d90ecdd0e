"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# One thread a process, as in the workers: two that wait for each other on busy cores are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every machine and in every run: a red test is then somebody's change, never the draw.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

DISTS = Path(__file__).parent / "plugin_dists"


def install_into(site: Path, *modules: str) -> None:
    """Put modules of `plugin_dists` into a folder, each as an installer would leave its distribution."""
    for module in modules:
        site.mkdir(exist_ok=True)
        shutil.copy(DISTS / f"{module}.py", site / f"{module}.py")
        info = site / f"tsgap_{module}-1.0.dist-info"
        info.mkdir()
        name = f"tsgap-{module.replace('_', '-')}"
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tsgap]\nmain = {module}\n")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What this test starts can be interrupted, also where a shell runs the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_plugins_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins are looked for anew in this test, and what it registers is forgotten after it."""
    from tsgap.plugins import finding

    monkeypatch.setattr(finding, "_loaded", None)
    monkeypatch.setattr(finding, "_here", {})


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_plugins_loaded: None) -> Callable[..., Path]:
    """`install("good", "duplicate")` makes these plugins found in this test, and in processes that it starts."""

    def put(*modules: str) -> Path:
        site = tmp_path / "site"
        install_into(site, *modules)
        monkeypatch.syspath_prepend(site)
        monkeypatch.setenv("PYTHONPATH", str(site))
        for module in modules:
            monkeypatch.delitem(sys.modules, module, raising=False)
        return site

    return put
