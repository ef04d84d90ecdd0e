"""`tsgap review`: score what people answered on a blinded sheet of real and synthetic samples."""

from __future__ import annotations

import json
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tsgap.cli import DONE, FAILED_CELLS

if TYPE_CHECKING:
    from tsgap.review_scores import Scores


@click.command()
@click.argument("sheets", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="SHEET...")
@click.option("--key", type=click.Path(path_type=Path), help="Default: review-key.json beside the first SHEET.")
@click.option("--reveal", is_flag=True, help="Say which sample is what although answers are missing.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of sentences.")
def review(sheets: tuple[Path, ...], key: Path | None, reveal: bool, as_json: bool) -> int:
    """How often people told synthetic from real samples: each SHEET holds the answers of one person.

    'tsgap diagnose --review N' writes the sheet. Its page, review.html, saves the answers as review.csv where your
    browser puts downloads: move it beside review-key.json, or name that with --key. Nothing that gives a sample away
    is said until all of them are answered, or with --reveal.

    Exit codes: 0 done, 2 a sheet or key that cannot be used, 3 answers are missing.

    \b
    tsgap review review.csv
    tsgap review ann.csv ben.csv --key review-key.json
    """
    from tsgap.review_scores import score

    scores = score(sheets, key)
    if not scores.complete and not reveal:
        click.echo(_open(scores, as_json=as_json))
        return FAILED_CELLS
    click.echo(_told(scores) if as_json else _words(scores))
    return DONE


def _open(scores: Scores, *, as_json: bool) -> str:
    """How many answers are missing, and nothing else."""
    missing = {one.name: one.unanswered for one in scores.reviewers}
    if as_json:
        return json.dumps({"unanswered": missing}, indent=1)
    lines = [f"{name}: {n} of {len(scores.samples)} samples not answered" for name, n in missing.items()]
    return "\n".join([*lines, "What was right is said when all are answered, or with --reveal."])


def _words(scores: Scores) -> str:
    lines = []
    for one in scores.reviewers:
        open_ = f"; {one.unanswered} not answered" if one.unanswered else ""
        lines.append(f"{one.name}: {one.all}{open_}")
        lines += [f"  {kind} samples: {hits}" for kind, hits in one.of.items()]
    value, low, high = scores.pooled
    if len(scores.reviewers) > 1 and not isnan(value):
        lines.append(
            f"these {len(scores.reviewers)}: {value:.0%} right, 95 % interval by sample {low:.0%} to {high:.0%}"
        )
    lines.append(f"{scores.verdict[0].upper()}{scores.verdict[1:]}.")
    if scores.went_by:
        lines.append(f"What was called synthetic stands out by: {'; '.join(scores.went_by)}.")
    lines.append("")
    for k, sample in enumerate(scores.samples):
        said = ", ".join(given[k] or "-" for given in scores.answers.values())
        lines.append(
            f"{sample['sample']:>4}  {sample['kind']:<9}  {sample['key']} from step {sample['start']}  answered: {said}"
        )
    return "\n".join(lines)


def _told(scores: Scores) -> str:
    value, low, high = scores.pooled
    told = {
        "reviewers": [
            {
                "name": one.name,
                "unanswered": one.unanswered,
                **{
                    kind: {
                        "hits": hits.hits,
                        "answered": hits.answered,
                        "low": hits.interval[0],
                        "high": hits.interval[1],
                    }
                    for kind, hits in {"all": one.all, **one.of}.items()
                },
            }
            for one in scores.reviewers
        ],
        "pooled": {"share": None if isnan(value) else value, "low": low, "high": high},
        "verdict": scores.verdict,
        "went_by": list(scores.went_by),
    }
    told["samples"] = [
        {
            **{k: one[k] for k in ("sample", "kind", "key", "start")},
            "answers": [given[i] for given in scores.answers.values()],
        }
        for i, one in enumerate(scores.samples)
    ]
    return json.dumps(told, indent=1)
