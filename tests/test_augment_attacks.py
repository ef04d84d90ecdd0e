"""Attempts to get wrong answers out of augmentation, each of which once succeeded."""

from __future__ import annotations

from dataclasses import replace

from tests.test_augment_diagnosis import planted, told
from tests.test_augment_words import found as source
from tsgap.augment_diagnosis import ALREADY_OPTIMAL, NOT_MEASURABLE
from tsgap.augment_words import sentence


def test_a_correction_that_makes_errors_larger_does_not_show_that_they_cannot_be_foretold() -> None:
    arms = planted()
    assert told(arms).state == ALREADY_OPTIMAL
    for worse, state in ((1.005, ALREADY_OPTIMAL), (1.1, NOT_MEASURABLE), (3.0, NOT_MEASURABLE)):
        found = told(replace(arms, residuals=(arms.real**2, arms.real**2 * worse)))
        assert found.state == state
    assert "whether the errors can be foretold" in found.reason


def test_optimal_already_is_said_of_series_that_go_on_as_they_did() -> None:
    # a source that knows of a change after the training part helps whatever the training part says
    assert "can help by more than 1 %, as long as the series go on as they did" in sentence(source())


def test_nothing_is_not_less_than_nothing() -> None:
    arms = planted()
    found = told(replace(arms, residuals=(arms.real**2, arms.real**2 * (1 + 1e-9))))
    assert found.reason.endswith("R² 0.000 (0.000 to 0.000)")
