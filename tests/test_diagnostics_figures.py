"""What a figure may say and a sample may hold, and what becomes of a diagnostic that ends the program."""

from __future__ import annotations

import json

import numpy as np
import pytest
from trials import panel
from worlds import autoregressions

from tsgap.diagnostics import Contrast, Diagnosed, Figure, Sample, contrasted
from tsgap.errors import ContractError
from tsgap.examination import Examination, examined
from tsgap.examination_formats import json_of
from tsgap.protocols import DiagnosticSpec


def _contrast() -> Contrast:
    real, other = (autoregressions(np.random.default_rng(k), 12, 150, phi=0.5) for k in range(2))
    return contrasted(panel(real), panel(other), seed=0)


def test_no_figure_has_an_interval_upside_down_or_a_p_that_is_none() -> None:
    with pytest.raises(ContractError, match="the interval runs from 2"):
        Figure("x", 1.0, 2.0, 0.0)
    for p in (-0.1, 1.1):
        with pytest.raises(ContractError, match="p is between 0 and 1"):
            Figure("x", 1.0, p=p)
    assert Figure("x", 1.0, p=1.0).flag == ""


def test_numbers_of_numpy_are_written_too() -> None:
    def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
        worst = Sample("s0", np.argmax([0, 1]), np.int64(5), np.float32(1.5), "a step")  # type: ignore[arg-type]
        return Diagnosed((Figure("x", np.float32(1.5)),), (worst,))  # type: ignore[arg-type]

    found = Examination("d", "s", examined(_contrast(), {"x": DiagnosticSpec("x", "", measure)}, seed=0))
    assert json.loads(json.dumps(found.told)) == found.told
    assert json.loads(json_of([found], ()))


def test_a_diagnostic_that_ends_the_program_is_one_that_failed() -> None:
    def leaves(contrast: Contrast, *, seed: int) -> Diagnosed:
        raise SystemExit(0)

    [found] = examined(_contrast(), {"x": DiagnosticSpec("x", "", leaves)}, seed=0)
    assert found.failed == "SystemExit: 0"


def test_figures_that_say_the_same_are_equal_also_where_something_is_not_known() -> None:
    assert Figure("x", 1.0) == Figure("x", 1.0)
    assert hash(Figure("x", 1.0)) == hash(Figure("x", 1.0))
    assert Figure("x", 1.0) != Figure("x", 1.0, p=0.5)
    assert Figure("x", 1.0) != 1.0
