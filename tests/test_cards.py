"""Data cards: the schema, the parser and its guards."""

import re

import pytest

from tsgap import cards
from tsgap.cards import HEADINGS, card_text, parse
from tsgap.errors import DataError, UnknownNameError
from tsgap.frequency import canonical
from tsgap.readers.originals import READERS

GOOD = card_text("macrodata")


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no head", "a card begins with a head between two lines"),
        (changed("license: other", "license: other\nlicence: other"), "faults in the head, first 'licence'"),
        (changed("license: other\n", ""), "1 faults in the head, first 'license': Field required"),
        (changed("license: other", "license: other\nlicense: mit"), "the key 'license' is there twice"),
        (changed("  schema: 1", "  schema: 2"), "first 'tsgap.schema'"),
        (changed("  n_series: 12", "  n_series: '12'"), "first 'tsgap.n_series'"),
        (changed("  n_series: 12", "  n_series: 0"), "first 'tsgap.n_series'"),
        (changed("  id: macrodata", "  id: ../macrodata"), "an id has small letters"),
        (changed("  id: macrodata", "  id: a..b"), "an id has small letters"),
        (changed("  horizons: [1, 4, 8]", "  horizons: [4, 1]"), "horizons rise from at least 1"),
        (changed("  horizons: [1, 4, 8]", "  horizons: [0, 1]"), "horizons rise from at least 1"),
        (changed("  seasons: [4]", "  seasons: []"), "first 'tsgap.seasons'"),
        (changed("  seasons: [4]", "  seasons: [0]"), "season lengths are whole numbers from 1"),
        (changed("  reader: embedded", "  reader: wide-csv"), "either the reader is 'embedded' or there are originals"),
        (changed("policy: none", "policy: drop"), "first 'tsgap.missing.policy'"),
        (changed("[time-series-forecasting]", "[other]"), "first 'task_categories.0'"),
        (changed("  quirks:", "  quirks: &x\n    - a\n  known_pretraining_overlap: *x\n  ignored:"), "aliases are not"),
        (changed("  n_series: 12", "  n_series: !!python/object:os.system x"), "not plain YAML"),
        (changed("  n_series: 12", "  n_series: [12"), "not plain YAML"),
        (changed("## Uses", "## Use"), "the headings Uses are missing"),
        (GOOD + "x" * 64_000, "a data card has at most 64000"),
    ],
)
def test_a_bad_card_is_refused_with_the_first_fault(text, said):
    with pytest.raises(DataError, match=re.escape(said)) as found:
        parse(text, where="x.md")
    assert str(found.value).startswith("x.md: ")
    assert "\n" not in str(found.value)


def test_an_original_has_a_safe_address_and_a_hash():
    text = card_text("us_births")
    assert parse(text).front.tsgap.originals[0].url.startswith("https://")
    with pytest.raises(DataError, match=r"tsgap\.originals\.0\.url"):
        parse(text.replace("url: https://raw", "url: http://raw"))
    with pytest.raises(DataError, match=r"tsgap\.originals\.0\.sha256"):
        parse(re.sub(r"sha256: \w{64}", "sha256: 00", text))


def test_line_ends_of_windows_do_no_harm():
    assert parse(GOOD.replace("\n", "\r\n")).front == parse(GOOD).front


def test_an_unknown_card_lists_near_names():
    with pytest.raises(UnknownNameError, match="no data card is called 'macro'; did you mean 'macrodata'"):
        card_text("macro")


@pytest.mark.parametrize("id", sorted(cards.cards()))
def test_every_card_is_whole(id):
    card = cards.cards()[id]
    block = card.front.tsgap
    assert card.id == id
    assert canonical(block.freq) == block.freq
    assert block.reader == "embedded" or block.reader in READERS
    assert [h for h in re.findall(r"^## (.+)$", card.body, flags=re.MULTILINE) if h in HEADINGS] == list(HEADINGS)
    for original in block.originals:
        # A fixed version: the address has the 40 digits of a commit in it.
        assert re.search(r"/[0-9a-f]{40}/", original.url)
    assert block.citation
    assert all(h in (card.horizons) for h in block.horizons)


def test_cards_are_found_in_a_wheel_as_well_as_in_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "tsgap"
    package.mkdir()
    monkeypatch.setattr(cards.resources, "files", lambda name: package)
    with pytest.raises(DataError, match="the installation is not complete"):
        cards._folder()
    (tmp_path / "data_cards").mkdir()
    assert cards._folder() == tmp_path / "data_cards"
    (package / "data_cards").mkdir()
    assert cards._folder() == package / "data_cards"


def test_a_card_is_named_like_its_file(tmp_path, monkeypatch):
    (tmp_path / "other.md").write_text(GOOD, encoding="utf-8")
    monkeypatch.setattr(cards, "_folder", lambda: tmp_path)
    cards.cards.cache_clear()
    try:
        with pytest.raises(DataError, match=r"other\.md: the id 'macrodata' and the name of the file differ"):
            cards.cards()
    finally:
        cards.cards.cache_clear()
