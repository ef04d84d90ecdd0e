"""Every forecaster, generator and diagnostic of the first-party distributions keeps its contract."""

from __future__ import annotations

from typing import Any

import pytest

from tsgap.plugins import missing_requirements, registry
from tsgap.testing import check_diagnostic, check_forecaster, check_generator

FIRST_PARTY = {"tsgap", "tsgap-statsforecast", "tsgap-darts"}

#: Smaller settings of what takes long, for the default selection; the defaults themselves are marked slow.
QUICKER = {
    "arima": "arima:p=1,q=0,D=1,Q=0",
    "auto-ets": "auto-ets:model=ANA",
    "gradient-boosting": "gradient-boosting:iterations=20,samples=3000",
    "lightgbm": "lightgbm:trees=10",
    "random-forest": "random-forest:trees=5",
}
TOO_SLOW = {"auto-arima"}
#: Diagnostics that hold no classifier or forest: seconds for all laws.
QUICK = {"covering", "memory", "noise", "copies", "membership"}


def forecasters() -> list[Any]:
    found = []
    for name, offer in registry().forecasters.items():
        if offer.distribution not in FIRST_PARTY or offer.spec.refused:
            continue
        marks = [pytest.mark.torch] if any(line.startswith("torch") for line in offer.spec.requires) else []
        missing = missing_requirements(offer.spec)
        if missing:
            marks.append(pytest.mark.skip(reason="; ".join(missing)))
        if name in QUICKER:
            found.append(pytest.param(QUICKER[name], id=f"{name}-quicker", marks=marks))
        slow = [pytest.mark.slow] if name in QUICKER or name in TOO_SLOW else []
        found.append(pytest.param(name, id=name, marks=[*marks, *slow]))
    return found


@pytest.mark.parametrize("name", forecasters())
def test_a_first_party_forecaster_keeps_the_contract(name: str) -> None:
    assert [(r.check, r.reason) for r in check_forecaster(name) if r.status != "ok"] == []


@pytest.mark.parametrize("name", [n for n, r in registry().generators.items() if r.distribution in FIRST_PARTY])
def test_a_first_party_generator_keeps_the_contract(name: str) -> None:
    assert [(r.check, r.reason) for r in check_generator(name) if r.status != "ok"] == []


def diagnostics() -> list[Any]:
    found = []
    for name, offer in registry().diagnostics.items():
        if offer.distribution in FIRST_PARTY:
            missing = missing_requirements(offer.spec)
            marks = [pytest.mark.skip(reason="; ".join(missing))] if missing else []
            found.append(pytest.param(name, marks=[*marks, *([] if name in QUICK else [pytest.mark.slow])]))
    return found


@pytest.mark.parametrize("name", diagnostics())
def test_a_first_party_diagnostic_keeps_the_contract(name: str) -> None:
    assert [(r.check, r.reason) for r in check_diagnostic(name) if r.status != "ok"] == []


def test_first_party_plugins_all_load() -> None:
    assert [b for b in registry().broken if b.distribution in FIRST_PARTY] == []
    assert {"seasonal-naive", "naive", "linear", "gradient-boosting"} <= set(registry().forecasters)
    assert {"copy", "shuffle", "block-bootstrap", "stl-bootstrap", "iaaft", "kernel-synth"} <= set(
        registry().generators
    )
    assert {"mae", "rmse", "mape", "smape", "mase", "rmsse"} <= set(registry().metrics)
    assert {"shift", "drift", "alignment", "covering", "memory", "noise"} <= set(registry().diagnostics)


#: What each first-party forecaster can learn; a verdict on nonlinear memory rests on it.
MEMORY = {
    "": {"seasonal-naive", "naive"},
    "lag": {"lag-probe"},
    "linear": {"linear", "linear-regression", "nlinear", "dlinear"}
    | {"auto-ets", "holt-winters", "auto-theta", "dynamic-optimized-theta", "auto-ces", "mstl", "arima", "auto-arima"},
    "nonlinear": {"gradient-boosting", "random-forest", "lightgbm", "nhits", "tide", "tsmixer", "tcn"},
}


def test_every_first_party_forecaster_declares_what_dependence_it_can_learn() -> None:
    found: dict[str, set[str]] = {}
    for name, offer in registry().forecasters.items():
        if offer.distribution in FIRST_PARTY and not offer.spec.refused:
            found.setdefault(offer.spec.memory, set()).add(name)
    assert found == MEMORY


def test_every_first_party_generator_says_what_is_kept_and_lost_and_who_sees_it() -> None:
    for name, offer in registry().generators.items():
        if offer.distribution in FIRST_PARTY:
            spec = offer.spec
            assert all((spec.summary, spec.keeps, spec.destroys, spec.shown_by)), name
