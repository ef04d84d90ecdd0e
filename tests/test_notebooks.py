"""The notebooks run from top to bottom, where a stranger would run them: in a folder of their own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="comes with nbclient, in the extra test")
nbclient = pytest.importorskip("nbclient", reason="in the extra test")
pytest.importorskip("ipykernel", reason="in the extra test")

NOTEBOOKS = sorted((Path(__file__).parent / "notebooks").glob("*.ipynb"))


def outputs(notebook: Any, word: str) -> str:
    """What the first cell that holds `word` put out, as text."""
    cell = next(c for c in notebook.cells if c.cell_type == "code" and word in c.source)
    return "\n".join(str(o.get("data", {}).get("text/html", o.get("data", o))) for o in cell.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_the_quickstart_runs_with_a_forecaster_of_its_own_in_worker_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(Path(__file__).parent / "notebooks" / "quickstart.ipynb", as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the kernel's own libraries
        nbclient.NotebookClient(
            notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
    assert "0 failed" in outputs(notebook, "run = tsgap.sweep")
    table = outputs(notebook, "pivot_table")
    assert "damped-growth" in table
    assert "stl-bootstrap" in table
    assert "image/png" in outputs(notebook, "run.plot")
    assert "percent_low" in outputs(notebook, "run.gap()")
    assert "FAIL" in outputs(notebook, "run.gate(")
    failures = outputs(notebook, "class Hasty")
    assert "no time for that" in failures
    assert failures.count("hasty") == 3 * 2
    assert (tmp_path / "quickstart" / "manifest.json").exists()
