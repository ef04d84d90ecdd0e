"""Embedded data sets: every number on their cards is computed again from the data."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from tsgap.cards import card_text, parse
from tsgap.defaults import datasets
from tsgap.errors import DataError, UnknownNameError
from tsgap.frequency import seasons_for
from tsgap.plugins import Registered, Registry
from tsgap.readers import ReadOptions, catalog, fetching, read_real
from tsgap.readers.catalog import load_card

HERE = tuple(s.name for s in datasets.tsgap_datasets())


def _at_hand():
    """Ids of cards whose data this environment has without a network."""
    for id, card in catalog.catalog().cards.items():
        if card.front.tsgap.reader == "embedded":
            if id in catalog.catalog().specs:
                yield id
        elif all((fetching.cache() / f"{o.sha256}.csv").exists() for o in card.front.tsgap.originals):
            yield id


@pytest.mark.parametrize("id", sorted(_at_hand()))
def test_the_numbers_on_the_card_are_those_of_the_data(id):
    block = catalog.catalog().cards[id].front.tsgap
    data = load_card(id)
    lengths = data.lengths
    found = {
        "n_series": len(data),
        "freq": data.freq,
        "seasons": data.seasons,
        "length": (int(lengths.min()), float(np.median(lengths)), int(lengths.max())),
        "missing": ("fill" if data.n_missing else "none", data.n_missing),
        "value_range": (float(np.nanmin(data.values)), float(np.nanmax(data.values))),
        "fingerprint": data.fingerprint,
    }
    assert block.length is not None
    assert block.missing is not None
    assert found == {
        "n_series": block.n_series,
        "freq": block.freq,
        "seasons": block.seasons,
        "length": (block.length.min, block.length.median, block.length.max),
        "missing": (block.missing.policy, block.missing.values),
        "value_range": block.value_range,
        "fingerprint": block.fingerprint,
    }
    size = catalog.catalog().cards[id].front.size_categories
    thousands = len(data.values) / 1000
    assert size == (("n<1K",) if thousands < 1 else ("1K<n<10K",) if thousands < 10 else ("10K<n<100K",))


@pytest.mark.parametrize("id", HERE)
def test_the_horizons_and_windows_of_the_card_leave_enough_to_learn_from(id):
    card = catalog.catalog().cards[id]
    length = card.front.tsgap.length
    assert length is not None
    tested = card.windows * card.horizons[-1]
    assert length.median - tested >= 2 * max(card.seasons) + card.horizons[-1]


def test_every_embedded_data_set_is_offered_and_has_a_card():
    assert set(HERE) == {"co2", "elnino", "elec_equip", "macrodata", "fertility", "sunspots", "nile"}
    assert set(HERE) <= set(catalog.catalog().specs)
    assert set(HERE) <= set(catalog.catalog().cards)


def test_the_weeks_of_co2_are_those_of_statsmodels():
    source = sm.datasets.co2.load_pandas().data["co2"]
    data = load_card("co2")
    assert list(data.stamps(0)) == list(source.index)
    np.testing.assert_array_equal(data[0], source)
    assert data.n_missing > 0


def test_the_quarters_of_macrodata_are_those_of_statsmodels():
    source = sm.datasets.macrodata.load_pandas().data
    data = load_card("macrodata")
    for i, key in enumerate(data.keys):
        np.testing.assert_array_equal(data[i], source[key])
    quarters = pd.PeriodIndex(data.stamps(0), freq="Q")
    assert quarters.year.tolist() == source["year"].tolist()
    assert quarters.quarter.tolist() == source["quarter"].tolist()


def test_the_months_of_elnino_run_along_the_rows():
    source = sm.datasets.elnino.load_pandas().data
    data = load_card("elnino")
    assert data[0][12 * 3 + 4] == source.loc[3, "MAY"]
    assert str(data.stamps(0)[12 * 3 + 4].date()) == "1953-05-01"


def test_the_years_of_fertility_sunspots_and_nile_are_those_of_statsmodels():
    fertility = sm.datasets.fertility.load_pandas().data.set_index("Country Code")
    data = load_card("fertility")
    row = data.keys.index("ZMB")
    assert data[row][0] == fertility.loc["ZMB", "1960"]
    assert data.stamps(row)[0].year == 1960
    for id, column in (("sunspots", "SUNACTIVITY"), ("nile", "volume")):
        source = getattr(sm.datasets, id).load_pandas().data
        data = load_card(id)
        np.testing.assert_array_equal(data[0], source[column])
        assert [t.year for t in data.stamps(0)] == source.iloc[:, 0].astype(int).tolist()


def test_a_card_is_asked_for_by_its_id():
    data = read_real("card:macrodata")
    assert (data.name, len(data), data.seasons) == ("macrodata", 12, (4,))
    assert read_real("card:macrodata", name="us").name == "us"
    with pytest.raises(UnknownNameError, match="no data card is called 'macrodat'; did you mean 'macrodata'"):
        read_real("card:macrodat")


def test_the_card_gives_the_seasons_and_an_option_overrules_them():
    assert load_card("sunspots").seasons == (11,) != seasons_for("YS")
    assert load_card("sunspots", options=ReadOptions(season_length=(1,))).seasons == (1,)
    assert load_card("sunspots", options=ReadOptions(freq="YS")).freq == "YS-JAN"


def test_options_that_a_card_cannot_honour_are_refused():
    with pytest.raises(DataError, match="its frequency is 'YS-JAN', 'D' was asked for"):
        load_card("sunspots", options=ReadOptions(freq="D"))
    for options in (ReadOptions(wide=True), ReadOptions(groups=("a",)), ReadOptions(weights="a")):
        with pytest.raises(DataError, match="a card's data are read as the card says"):
            load_card("sunspots", options=options)
    # Names of columns speak of files: a card beside a file in one sweep is not disturbed by them.
    assert len(load_card("sunspots", options=ReadOptions(id_col="shop"))) == 1
    with pytest.raises(DataError, match="missing values were to be refused"):
        load_card("co2", options=ReadOptions(missing="error"))


def _offer(monkeypatch, *offers):
    """Let these specs be the data sets of plugins, each of a distribution of its own."""
    found = {s.name: Registered(s, f"dist{i}", "1") for i, s in enumerate(offers)}
    monkeypatch.setattr(catalog, "registry", lambda: Registry(datasets=found))


def _nile():
    (spec,) = (s for s in datasets.tsgap_datasets() if s.name == "nile")
    return spec


def test_data_that_changed_since_the_card_was_written_are_said_to_have(monkeypatch):
    _offer(monkeypatch, replace(_nile(), load=lambda: datasets.nile().assign(y=lambda f: f["y"] + 1)))
    assert any("not the data that the card was written for" in n for n in load_card("nile").notes)
    _offer(monkeypatch, _nile())
    assert load_card("nile").notes == ()
    assert load_card("nile", options=ReadOptions(season_length=(3,))).notes == ()


def test_a_plugin_brings_a_data_set_with_a_card_of_its_own(monkeypatch):
    text = card_text("nile").replace("id: nile", "id: mine")
    _offer(monkeypatch, replace(_nile(), name="mine", card=lambda: text))
    assert load_card("mine")[0].tolist() == datasets.nile()["y"].tolist()


@pytest.mark.parametrize(
    ("name", "card", "said"),
    [
        ("mine", lambda: "no card", "dist1/mine: a card begins with a head"),
        ("mine", lambda: card_text("nile"), "dist1/mine: the card's id is 'nile'"),
        ("mine", lambda: 1 / 0, "dist1/mine: ZeroDivisionError"),
    ],
)
def test_a_bad_card_of_a_plugin_is_named_and_stops_no_other(monkeypatch, name, card, said):
    _offer(monkeypatch, _nile(), replace(_nile(), name=name, card=card))
    assert len(load_card("nile")) == 1
    with pytest.raises(DataError, match=said):
        load_card(name)
    with pytest.raises(UnknownNameError, match=f"Cards that cannot be used: .*{said}"):
        load_card("nothing-like-it")


def test_a_card_of_a_plugin_under_the_id_of_another_goes_by_its_qualified_name(monkeypatch):
    other = replace(_nile(), name="co2", card=lambda: card_text("co2").replace("windows: 8", "windows: 9"))
    _offer(monkeypatch, _nile(), other)
    known = catalog.catalog()
    assert (known.cards["co2"].windows, known.cards["dist1/co2"].windows) == (8, 9)
    assert known.faults == {}
    assert (known.id_of("dist1/co2"), known.id_of("tsgap/us_births")) == ("dist1/co2", "us_births")
    with pytest.raises(DataError, match="no installed plugin brings its data"):
        load_card("co2")


def test_data_of_a_plugin_that_is_not_installed_say_so(monkeypatch):
    _offer(monkeypatch)
    with pytest.raises(DataError, match="no installed plugin brings its data"):
        load_card("air_passengers")


def test_originals_are_read_from_a_local_folder(tmp_path, monkeypatch):
    text = b"year,month,date_of_month,day_of_week,births\n2000,1,1,6,9083\n2000,1,2,7,8006\n"
    card = card_text("us_births")
    sha = parse(card).front.tsgap.originals[0].sha256
    fake = card.replace(sha, hashlib.sha256(text).hexdigest()).replace("id: us_births", "id: mine")
    _offer(monkeypatch, replace(_nile(), name="mine", card=lambda: fake))
    (tmp_path / "US_births_2000-2014_SSA.csv").write_bytes(text)
    data = load_card("mine", options=ReadOptions(data_dir=tmp_path))
    assert (data.freq, data[0].tolist()) == ("D", [9083.0, 8006.0])
    monkeypatch.setenv(fetching.FOLDER, str(tmp_path))
    assert load_card("mine")[0].tolist() == [9083.0, 8006.0]
