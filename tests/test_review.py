"""A blinded sheet is drawn, written, answered and scored; what does not fit together is refused."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.worlds import autoregressions
from tsgap.cli import run
from tsgap.diagnostics import Contrast, contrasted
from tsgap.errors import DataError, UsageError
from tsgap.panel import Panel
from tsgap.review import Sheet, sheet
from tsgap.review_scores import score


def contrast(series: int = 40, *, twins: bool = False, seed: int = 0) -> Contrast:
    rng = np.random.default_rng(seed)
    real, synthetic = (autoregressions(rng, series, 120, phi=0.7) for _ in range(2))
    name = "r" if twins else "s"
    panels = [
        Panel.of({f"{name}{i}": row for i, row in enumerate(values)}, seasons=(12,))
        for name, values in (("r", real), (name, synthetic + 100))
    ]
    return contrasted(panels[0], panels[1], seed=seed)


def fill(path: Path, answer: Callable[[int], str], to: Path | None = None) -> Path:
    """A sheet with an answer for each sample."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    to = to or path
    with to.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows({**row, "answer": answer(int(row["sample"]))} for row in rows)
    return to


@pytest.fixture
def drawn() -> Sheet:
    return sheet(contrast(), 20, seed=1)


@pytest.fixture
def written(drawn: Sheet, tmp_path: Path) -> Path:
    return drawn.write(tmp_path)


def truth(of: Sheet) -> dict[int, str]:
    return {one.sample: one.kind for one in of.drawn}


def wrong(kind: str) -> str:
    return "real" if kind == "synthetic" else "synthetic"


def test_half_of_the_samples_are_real_and_each_is_of_another_unit(drawn: Sheet) -> None:
    kinds = [one.kind for one in drawn.drawn]
    assert sorted(kinds) == ["real"] * 10 + ["synthetic"] * 10
    assert kinds != sorted(kinds)
    assert [one.sample for one in drawn.drawn] == list(range(1, 21))
    assert len({(one.kind, one.key) for one in drawn.drawn}) == 20
    for one, window in zip(drawn.drawn, drawn.windows, strict=True):
        assert (window.mean() > 50) == (one.kind == "synthetic")
    assert (drawn.examples.mean(1) < 50).all()
    assert len(drawn.examples) == 6


def test_the_seed_decides_what_is_drawn_and_in_which_order() -> None:
    here = contrast()
    assert sheet(here, 8, seed=1).key() == sheet(here, 8, seed=1).key()
    assert sheet(here, 8, seed=1).number != sheet(here, 8, seed=2).number


def test_no_sample_is_on_the_sheet_with_its_twin() -> None:
    here = contrast(twins=True)
    assert here.paired
    for seed in range(5):
        one = sheet(here, 20, seed=seed)
        assert len({sample.key for sample in one.drawn}) == 20


@pytest.mark.parametrize("n", [2, 7])
def test_an_odd_number_of_samples_and_too_few_are_refused(n: int) -> None:
    with pytest.raises(UsageError, match=f"even number of samples from 4 on, half of them real: got {n}"):
        sheet(contrast(), n, seed=0)


def test_more_samples_than_there_are_series_are_refused_with_both_numbers() -> None:
    with pytest.raises(UsageError, match=r"takes 41 synthetic and more than 41 real series.*there are 20 and 40"):
        sheet(contrast(), 82, seed=0)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.samples: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if "data-sample" in given:
            self.samples.append(given["data-sample"] or "")
        self.links += [given[name] or "" for name in ("src", "href") if name in given]


def test_the_page_shows_every_sample_and_needs_nothing_else(drawn: Sheet) -> None:
    text = drawn.page()
    page = _Page()
    page.feed(text)
    assert page.samples == [str(i) for i in range(1, 21)]
    assert not page.links
    assert "http" not in text
    plots = [
        ET.fromstring(part.partition("</svg>")[0] + "</svg>")
        for part in text.split("<svg")[1:]
        for part in ["<svg" + part]
    ]
    assert len(plots) == 26
    for plot, values in zip(plots[6:], drawn.windows, strict=True):
        line = plot.find("polyline")
        assert line is not None
        y = [-float(point.split(",")[1]) for point in line.attrib["points"].split()]
        assert np.corrcoef(y, values)[0, 1] > 0.999


def test_neither_page_nor_table_says_which_is_which(drawn: Sheet) -> None:
    swapped = Sheet(
        drawn.windows,
        tuple(type(one)(**{**vars(one), "kind": wrong(one.kind)}) for one in drawn.drawn),
        drawn.examples,
        drawn.names,
    )
    for text, other in ((drawn.page(), swapped.page()), (drawn.answers(), swapped.answers())):
        assert text.replace(drawn.number, "") == other.replace(swapped.number, "")
        assert not any(one.key in text.replace(drawn.number, "").split(",") for one in drawn.drawn)


def test_answers_are_not_written_over(drawn: Sheet, written: Path) -> None:
    assert drawn.write(written.parent) == written
    fill(written, lambda sample: "real" if sample == 3 else "")
    with pytest.raises(UsageError, match="has answers in it"):
        drawn.write(written.parent)


def test_right_answers_are_counted_with_their_interval(drawn: Sheet, written: Path) -> None:
    kinds = truth(drawn)
    fill(written, lambda sample: kinds[sample] if sample > 5 else wrong(kinds[sample]))
    scores = score([written])
    one = scores.reviewers[0]
    assert (one.all.hits, one.all.answered, one.unanswered) == (15, 20, 0)
    assert one.all.interval == pytest.approx(tuple(binomtest(15, 20).proportion_ci(0.95, "exact")))
    assert sum(hits.hits for hits in one.of.values()) == 15
    assert scores.pooled == (one.all.share, *one.all.interval)
    assert "told from the real ones more often than by chance" in scores.verdict


def test_guessing_shows_nothing_and_all_wrong_is_said_to_be_that(drawn: Sheet, written: Path) -> None:
    fill(written, lambda sample: "real")
    assert score([written]).verdict.startswith("no difference from guessing is shown; up to 73%")
    kinds = truth(drawn)
    fill(written, lambda sample: wrong(kinds[sample]))
    assert "taken for real ones" in score([written]).verdict


def test_short_answers_and_semicolons_of_a_spreadsheet_are_read(drawn: Sheet, written: Path) -> None:
    kinds = truth(drawn)
    fill(written, lambda sample: kinds[sample][0].upper())
    text = written.read_text(encoding="utf-8").replace(",", ";")
    written.write_text("\ufeff" + text, encoding="utf-8")
    assert score([written]).reviewers[0].all.hits == 20


def test_open_answers_are_counted_and_nothing_is_revealed(
    drawn: Sheet, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = truth(drawn)
    fill(written, lambda sample: kinds[sample] if sample > 4 else "")
    assert run(["review", str(written)]) == 3
    out = capsys.readouterr().out
    assert "4 of 20 samples not answered" in out
    # one answer and how many were right would give that sample away
    assert "right" not in out.replace("What was right", "")
    assert "from step" not in out
    assert run(["review", str(written), "--json"]) == 3
    assert list(json.loads(capsys.readouterr().out)) == ["unanswered"]
    assert run(["review", str(written), "--reveal"]) == 0
    assert capsys.readouterr().out.count("from step") == 20


def test_all_answered_it_is_said_which_was_which(
    drawn: Sheet, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(written, lambda sample: truth(drawn)[sample])
    assert run(["review", str(written), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {one["sample"]: one["kind"] for one in told["samples"]} == truth(drawn)
    assert told["went_by"][0] == "mean (higher in what was called synthetic)"


def test_an_empty_sheet_says_nothing(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["review", str(written)]) == 3
    assert "20 of 20 samples not answered" in capsys.readouterr().out
    assert run(["review", str(written), "--reveal"]) == 0
    out = capsys.readouterr().out
    assert "none answered" in out
    assert "Nothing was answered." in out


def test_two_people_who_answer_alike_are_no_more_evidence_than_one(drawn: Sheet, written: Path, tmp_path: Path) -> None:
    kinds = truth(drawn)
    first = fill(written, lambda sample: kinds[sample] if sample > 6 else wrong(kinds[sample]), tmp_path / "ann.csv")
    second = fill(first, lambda sample: kinds[sample] if sample > 6 else wrong(kinds[sample]), tmp_path / "ben.csv")
    one, two = score([first]), score([first, second])
    assert [reviewer.name for reviewer in two.reviewers] == [str(first), str(second)]
    assert two.pooled == pytest.approx(one.pooled, abs=0.02)
    rng = np.random.default_rng(0)
    third = fill(
        first, lambda sample: kinds[sample] if rng.random() < 0.7 else wrong(kinds[sample]), tmp_path / "cas.csv"
    )
    apart = score([first, third])
    assert apart.pooled[2] - apart.pooled[1] < one.pooled[2] - one.pooled[1]


def test_the_pooled_interval_covers_the_truth_of_guessing(drawn: Sheet, tmp_path: Path) -> None:
    written = drawn.write(tmp_path)
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(30):
        names = [fill(written, lambda _: rng.choice(["r", "s"]), tmp_path / f"{i}.csv") for i in range(3)]
        _, low, high = score(names, tmp_path / "review-key.json").pooled
        missed += not low <= 0.5 <= high
    assert missed <= 5


def refused(path: Path, change: Callable[[str], str], match: str) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(change(text), encoding="utf-8")
    with pytest.raises(DataError, match=match):
        score([path])
    path.write_text(text, encoding="utf-8")


def test_what_was_changed_on_a_sheet_is_named_with_its_line(drawn: Sheet, written: Path) -> None:
    number = drawn.number
    refused(
        written,
        lambda text: text.replace(f"{number},3,", f"{number},33,"),
        "line 4: samples are numbered 1 to 20, found '33'",
    )
    refused(written, lambda text: text.replace(f"{number},3,", f"{number},x,"), "found 'x'")
    refused(written, lambda text: text.replace(f"{number},3,", f"{number},2,"), "line 4: sample 2 is there twice")
    refused(written, lambda text: text.replace(f"{number},3,,", f"{number},3,fake,"), "sample 3 has 'fake'")
    refused(written, lambda text: text.replace(f"{number},3,,\n", ""), "1 of 20 samples are not in it, first 3")
    refused(written, lambda text: text.replace("answer", "reply"), "no column 'answer'")


def test_the_key_of_another_sheet_is_noticed(written: Path, tmp_path: Path) -> None:
    other = sheet(contrast(), 20, seed=2).write(tmp_path / "other").parent / "review-key.json"
    with pytest.raises(DataError, match=r"line 2: this is sheet .* the key .* is of"):
        score([written], other)


def test_a_key_that_was_edited_or_is_none_is_refused(written: Path, tmp_path: Path) -> None:
    key = tmp_path / "review-key.json"
    told = json.loads(key.read_text(encoding="utf-8"))
    told["samples"][0]["sample"] = 7
    for text in ("{}", "no key", json.dumps(told)):
        key.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="is no key of a review"):
            score([written])
    key.unlink()
    with pytest.raises(DataError, match="there is no key; name it with --key"):
        score([written])


def test_mistakes_end_with_two_and_one_line(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["review", str(written.parent / "nothing.csv")]) == 2
    assert "there is no such sheet" in capsys.readouterr().err
    assert run(["review", str(written), str(written)]) == 2
    assert "is given twice" in capsys.readouterr().err
    assert run(["review"]) == 2
