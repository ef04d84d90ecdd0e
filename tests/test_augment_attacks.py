"""Attempts to get wrong answers out of augmentation, each of which once succeeded."""

from __future__ import annotations

from dataclasses import replace

from tests.test_diagnosis import planted, told
from tsgap.diagnosis import ALREADY_OPTIMAL, NOT_MEASURABLE


def test_a_correction_that_makes_errors_larger_does_not_show_that_they_cannot_be_foretold() -> None:
    arms = planted()
    assert told(arms).state == ALREADY_OPTIMAL
    for worse, state in ((1.005, ALREADY_OPTIMAL), (1.1, NOT_MEASURABLE), (3.0, NOT_MEASURABLE)):
        found = told(replace(arms, residuals=(arms.real**2, arms.real**2 * worse)))
        assert found.state == state
    assert "whether the errors can be foretold" in found.reason
