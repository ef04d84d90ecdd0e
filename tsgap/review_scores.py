"""From the answers on blinded sheets and their key to how often people told synthetic from real samples."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from tsgap.diagnostics.shares import interval
from tsgap.errors import DataError
from tsgap.panel import Floats
from tsgap.review import COLUMNS, KEY, KINDS

_ANSWERS = {"": "", "real": "real", "r": "real", "synthetic": "synthetic", "s": "synthetic"}
#: How often chance alone may name a feature.
_ALPHA = 0.05


@dataclass(frozen=True)
class Hits:
    """How many answers were right of how many, with the 95 % interval of the share."""

    hits: int
    answered: int

    @property
    def share(self) -> float:
        """The share that was right, NaN where nothing was answered."""
        return self.hits / self.answered if self.answered else nan

    @property
    def interval(self) -> tuple[float, float]:
        """Its interval (Clopper & Pearson 1934)."""
        return interval(self.share, self.answered) if self.answered else (0.0, 1.0)

    def __str__(self) -> str:
        if not self.answered:
            return "none answered"
        low, high = self.interval
        return f"{self.hits} of {self.answered} right ({self.share:.0%}, 95 % interval {low:.0%} to {high:.0%})"


@dataclass(frozen=True)
class Reviewer:
    """What one person answered: right answers of all, of the real and of the synthetic samples, and what is open."""

    name: str
    all: Hits
    of: Mapping[str, Hits]
    unanswered: int


@dataclass(frozen=True)
class Scores:
    """What all reviewers of a sheet answered; `truth` and `answers` are by sample, from 1 on."""

    reviewers: tuple[Reviewer, ...]
    truth: tuple[str, ...]
    answers: Mapping[str, tuple[str, ...]]
    went_by: tuple[str, ...]
    samples: tuple[Mapping[str, Any], ...]

    @property
    def complete(self) -> bool:
        """Whether every reviewer answered every sample."""
        return all(not one.unanswered for one in self.reviewers)

    @property
    def pooled(self) -> tuple[float, float, float]:
        """Mean share of right answers over reviewers, with a 95 % interval by sample: for these reviewers.

        Answers of several people on one sample are no independent answers. NaN where nobody answered.
        """
        if len(self.reviewers) == 1:
            only = self.reviewers[0].all
            return (only.share, *only.interval)
        right = np.array(
            [
                [nan if not a else float(a == t) for a, t in zip(given, self.truth, strict=True)]
                for given in self.answers.values()
            ]
        )
        answered = ~np.isnan(right)
        if not answered.any():
            return nan, 0.0, 1.0
        value = float(np.nansum(right) / answered.sum())
        away = np.where(answered, right - value, 0.0).sum(0)
        samples = int(answered.any(0).sum())
        spread = sqrt(samples / max(samples - 1, 1) * float(away @ away)) / answered.sum()
        n = min(value * (1 - value) / spread**2, float(answered.sum())) if spread > 0 else float(samples)
        return (value, *interval(value, n))

    @property
    def verdict(self) -> str:
        """What the answers show, in one sentence."""
        value, low, high = self.pooled
        if np.isnan(value):
            return "nothing was answered"
        if low > 0.5:
            return "the synthetic samples are told from the real ones more often than by chance"
        if high < 0.5:
            return "synthetic samples were taken for real ones and real ones for synthetic more often than by chance"
        return f"no difference from guessing is shown; up to {high:.0%} right answers would fit as well"


def score(sheets: Sequence[str | Path], key: str | Path | None = None) -> Scores:
    """Score filled-in sheets by their key, by default the one beside the first sheet.

    `DataError` where a sheet is not one, belongs to another key, lacks samples or has an answer that is none.
    """
    paths = [Path(one) for one in sheets]
    where = Path(key) if key is not None else paths[0].parent / KEY
    told = _key(where)
    samples = told["samples"]
    truth = tuple(one["kind"] for one in samples)
    names = [str(path) for path in paths]
    if len(set(names)) < len(names):
        raise DataError(f"{next(n for n in names if names.count(n) > 1)} is given twice; a reviewer counts once")
    answers = {
        name: _answers(path, told["sheet"], len(samples), where) for name, path in zip(names, paths, strict=True)
    }
    reviewers = tuple(_reviewer(name, given, truth) for name, given in answers.items())
    return Scores(reviewers, truth, answers, _went_by(answers, told), tuple(samples))


def _reviewer(name: str, given: Sequence[str], truth: Sequence[str]) -> Reviewer:
    pairs = [(a, t) for a, t in zip(given, truth, strict=True) if a]
    of = {kind: Hits(sum(a == t for a, t in pairs if t == kind), sum(t == kind for _, t in pairs)) for kind in KINDS}
    return Reviewer(name, Hits(sum(a == t for a, t in pairs), len(pairs)), of, len(given) - len(pairs))


def _key(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"{path}: there is no key; name it with --key, it was written beside the sheet as {KEY}")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        samples = told["samples"]
        good = [one["sample"] for one in samples] == list(range(1, len(samples) + 1)) and samples
        good = good and all(one["kind"] in KINDS and len(one["features"]) == len(told["features"]) for one in samples)
        str(told["sheet"])
    except (ValueError, KeyError, TypeError) as err:
        raise DataError(f"{path} is no key of a review: {type(err).__name__}: {err}") from err
    if not good:
        raise DataError(f"{path} is no key of a review: its samples are not numbered from 1 on, or of no kind")
    return dict(told)


def _answers(path: Path, number: str, n: int, key: Path) -> tuple[str, ...]:
    """The answers of a sheet in the order of its samples."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such sheet")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as err:
        raise DataError(f"{path} is no sheet of a review: it is not text in UTF-8; save it as CSV (UTF-8)") from err
    # spreadsheets write what the country they are set to puts between columns
    first = text.partition("\n")[0]
    table = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first and "," not in first else ",")
    columns = [(name or "").strip().lower() for name in table.fieldnames or ()]
    if missing := [name for name in COLUMNS[:3] if name not in columns]:
        raise DataError(f"{path} is no sheet of a review: it has no column {missing[0]!r}, found {columns[:6]}")
    table.fieldnames = columns
    given: dict[int, str] = {}
    for line, row in enumerate(table, start=2):
        plain = {name: (row[name] or "").strip() for name in COLUMNS[:3]}
        if not any(plain.values()):
            continue
        if plain["sheet"] != number:
            raise DataError(
                f"{path}, line {line}: this is sheet {plain['sheet']!r}, the key {key} is of {number!r}; "
                "name the key that was written with it: --key FILE"
            )
        sample = int(plain["sample"]) if plain["sample"].isascii() and plain["sample"].isdigit() else 0
        if not 1 <= sample <= n:
            raise DataError(f"{path}, line {line}: samples are numbered 1 to {n}, found {plain['sample']!r}")
        if sample in given:
            raise DataError(f"{path}, line {line}: sample {sample} is there twice")
        if plain["answer"].lower() not in _ANSWERS:
            raise DataError(
                f"{path}, line {line}: an answer is real, synthetic or nothing, sample {sample} has {plain['answer']!r}"
            )
        given[sample] = _ANSWERS[plain["answer"].lower()]
    if lost := sorted(set(range(1, n + 1)) - set(given)):
        raise DataError(
            f"{path}: {len(lost)} of {n} samples are not in it, first {lost[0]}; leave the answer empty instead"
        )
    return tuple(given[i] for i in range(1, n + 1))


def _went_by(answers: Mapping[str, Sequence[str]], told: Mapping[str, Any]) -> tuple[str, ...]:
    """Features that tell what was called synthetic from what was called real, beyond chance over all features."""
    from scipy.stats import mannwhitneyu

    votes: Floats = np.array(
        [sum((a == "synthetic") - (a == "real") for a in by) for by in zip(*answers.values(), strict=True)]
    )
    features = np.array([one["features"] for one in told["samples"]], dtype=np.float64)
    fake, real = features[votes > 0], features[votes < 0]
    if min(len(fake), len(real)) < 2:
        return ()
    found = []
    for j, name in enumerate(told["features"]):
        if np.ptp(features[:, j]) == 0:
            continue
        result = mannwhitneyu(fake[:, j], real[:, j])
        if result.pvalue <= _ALPHA / len(told["features"]):
            higher = "higher" if result.statistic > len(fake) * len(real) / 2 else "lower"
            found.append((float(result.pvalue), f"{name} ({higher} in what was called synthetic)"))
    return tuple(text for _, text in sorted(found)[:3])
