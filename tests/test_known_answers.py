"""Answers that are known beforehand, through the whole host: a copy of the real series and a forecaster that learns
nothing show a gap of exactly 0 on every embedded data set."""

from __future__ import annotations

from pathlib import Path

import pytest

import tsgap
from tsgap.readers.catalog import catalog

#: Data sets that come with the installation, or with what it depends on.
EMBEDDED = (*("air_passengers", "co2", "elec_equip", "elnino", "fertility", "macrodata", "nile", "sunspots"),)
FORECASTERS = ("seasonal-naive", "naive", "linear", "lag-probe", "gradient-boosting")


def test_every_card_that_needs_no_download_is_among_them() -> None:
    assert set(catalog().specs) == set(EMBEDDED)


@pytest.mark.slow
@pytest.mark.parametrize("card", EMBEDDED)
def test_copy_and_canary_gaps_are_exactly_nothing(card: str, tmp_path: Path) -> None:
    run = tsgap.sweep(
        {card: f"card:{card}"},
        ["gen:copy", "gen:shuffle"],
        forecasters=FORECASTERS,
        replicates=3,
        out=tmp_path / "run",
    )
    gaps = run.gap()
    learned = ~gaps.forecaster.isin(["seasonal-naive", "naive"])
    nothing = gaps[(gaps.source == "copy") | ~learned]
    assert set(nothing.status) <= {"ok", "not applicable"}
    for column in ("gap", "low", "high", "half_width"):
        assert (nothing[column] == 0.0).all(), column
    # the copy is no gap because nothing was lost, not because nothing could be
    assert (gaps[(gaps.source == "shuffle") & learned].gap != 0.0).all()
    assert (gaps[(gaps.source == "copy") & (gaps.forecaster == "gradient-boosting")].replicates == 3).all()
