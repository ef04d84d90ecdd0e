"""A blinded sheet of real and synthetic samples for a person to judge, and the key that says which is which."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsgap.diagnostics import Contrast, Side
from tsgap.diagnostics.features import names_of
from tsgap.errors import UsageError
from tsgap.panel import Floats, digest

#: What a sample is, and what one answers.
KINDS = ("real", "synthetic")
#: Names of the files of a sheet.
PAGE, ANSWERS, KEY = "review.html", "review.csv", "review-key.json"
COLUMNS = ("sheet", "sample", "answer", "comment")
#: Fewest samples of a sheet, and how many real ones are shown with their name on before them.
FEWEST, SHOWN = 4, 6
_WIDTH, _HEIGHT = 520, 150


@dataclass(frozen=True)
class Drawn:
    """One sample of a sheet: its number from 1 on, what it is, and where it is from."""

    sample: int
    kind: str
    key: str
    start: int
    features: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Sheet:
    """Samples (N, L) in the order in which they are shown, what each is, and real ones (K, L) to learn from before."""

    windows: Floats
    drawn: tuple[Drawn, ...]
    examples: Floats
    names: tuple[str, ...]

    @property
    def number(self) -> str:
        """Names the sheet by all that is on it, and which sample is what."""
        return digest(self.windows, [(one.sample, one.kind) for one in self.drawn])[:12]

    def write(self, folder: str | Path) -> Path:
        """Write the page, the key and the table for answers, and return where that is.

        `UsageError` where answers would be written over.
        """
        home = Path(folder)
        page, answers, key = (home / name for name in (PAGE, ANSWERS, KEY))
        if answers.exists() and any(row["answer"].strip() for row in _rows(answers.read_text(encoding="utf-8"))):
            raise UsageError(f"{answers} has answers in it; move it away, or choose another folder")
        home.mkdir(parents=True, exist_ok=True)
        page.write_text(self.page(), encoding="utf-8")
        answers.write_text(self.answers(), encoding="utf-8")
        key.write_text(self.key(), encoding="utf-8")
        return answers

    def answers(self) -> str:
        """The table to fill in: a row for each sample, `answer` is ``real`` or ``synthetic``."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows((self.number, one.sample, "", "") for one in self.drawn)
        return out.getvalue()

    def key(self) -> str:
        """Which sample is what, not to be opened by whoever judges them."""
        told: dict[str, Any] = {
            "sheet": self.number,
            "features": list(self.names),
            "samples": [vars(one) | {"features": list(one.features)} for one in self.drawn],
        }
        return json.dumps(told, indent=1) + "\n"

    def page(self) -> str:
        """One HTML page with a plot of each sample and a field to answer in; it needs nothing but itself."""
        examples = "".join(f"<figure>{_plot(values)}</figure>" for values in self.examples)
        samples = "".join(_asked(one.sample, values) for one, values in zip(self.drawn, self.windows, strict=True))
        return _PAGE.format(
            style=_STYLE, script=_SCRIPT, sheet=self.number, n=len(self.drawn), examples=examples, samples=samples
        )


def check_size(n: int) -> None:
    """`UsageError` for a number of samples that no sheet has."""
    if n < FEWEST or n % 2:
        raise UsageError(f"a review has an even number of samples from {FEWEST} on, half of them real: got {n}")


def sheet(contrast: Contrast, n: int, *, seed: int) -> Sheet:
    """Draw `n` windows, half of them real and half synthetic, in an order by chance.

    Each sample is of another unit, and where synthetic series are twins of real ones none is there with its twin. The
    examples are real ones that are not among the samples. `UsageError` where `n` is odd or less than `FEWEST`, or where
    there are not as many units.
    """
    check_size(n)
    rng = np.random.default_rng(seed)
    half = n // 2
    synthetic = _of_units(contrast.synthetic, rng)[:half]
    twins = (
        {contrast.synthetic.panel.keys[contrast.synthetic.unit[i]] for _, i in synthetic} if contrast.paired else set()
    )
    pool = [*_of_units(contrast.held_back, rng), *_of_units(contrast.real, rng)]
    pool = [pool[k] for k in rng.permutation(len(pool))]
    pool = [(side, i) for side, i in pool if side.panel.keys[side.unit[i]] not in twins]
    if len(synthetic) < half or len(pool) <= half:
        raise UsageError(
            f"a review of {n} samples takes {half} synthetic and more than {half} real series, or stretches of them; "
            f"there are {len(synthetic)} and {len(pool)}"
        )
    real, rest = pool[:half], pool[half:]
    both = [*real, *synthetic]
    drawn, windows = [], []
    for number, k in enumerate(rng.permutation(n).tolist(), start=1):
        side, i = both[k]
        features = tuple(side.features[i].tolist())
        drawn.append(Drawn(number, KINDS[k >= half], side.panel.keys[side.unit[i]], int(side.begins[i]), features))
        windows.append(side.windows[i])
    named = names_of(contrast.real.featurise, contrast.real.features.shape[1])
    examples = np.array([side.windows[i] for side, i in rest[:SHOWN]])
    return Sheet(np.array(windows), tuple(drawn), examples, named)


def _of_units(side: Side, rng: np.random.Generator) -> list[tuple[Side, int]]:
    """A window of each unit, both by chance."""
    order = rng.permutation(len(side.unit))
    first = np.unique(side.unit[order], return_index=True)[1]
    return [(side, int(i)) for i in order[rng.permutation(first)]]


def _rows(text: str) -> list[dict[str, str]]:
    return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))]


def _plot(values: Floats) -> str:
    """A window as a line, with its lowest and highest value beside it."""
    low, high = float(values.min()), float(values.max())
    span = high - low if high > low else 1.0
    x = np.linspace(70, _WIDTH - 6, len(values))
    y = _HEIGHT - 10 - (values - low) / span * (_HEIGHT - 20)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    labels = "".join(
        f'<text x="64" y="{at}" text-anchor="end">{value:.3g}</text>' for at, value in ((14, high), (_HEIGHT - 6, low))
    )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{labels}<polyline points="{points}"/></svg>'


def _asked(number: int, values: Floats) -> str:
    choices = "".join(
        f'<label><input type="radio" name="a{number}" value="{kind}"> {html.escape(kind)}</label> ' for kind in KINDS
    )
    return (
        f'<figure class="asked" data-sample="{number}"><figcaption>Sample {number}</figcaption>{_plot(values)}'
        f'<p>{choices}<input type="text" placeholder="why (optional)"></p></figure>\n'
    )


_STYLE = """
body { font-family: sans-serif; max-width: 1120px; margin: 1.5em auto; color: #222; }
main, .examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 1em; }
figure { margin: 0; border: 1px solid #ccc; border-radius: 4px; padding: .5em; }
polyline { fill: none; stroke: #1f5f99; stroke-width: 1.3; }
text { font-size: 12px; fill: #555; }
button { font-size: 1em; padding: .4em 1em; }
"""
_SCRIPT = """
document.getElementById("save").addEventListener("click", function () {
  var quoted = function (text) { return '"' + text.replace(/"/g, '""').replace(/[\\r\\n]+/g, " ") + '"'; };
  var sheet = document.body.dataset.sheet, lines = ["sheet,sample,answer,comment"], open = 0;
  document.querySelectorAll("figure.asked").forEach(function (one) {
    var chosen = one.querySelector("input:checked");
    if (!chosen) { open += 1; }
    var why = one.querySelector("input[type=text]").value;
    lines.push([sheet, one.dataset.sample, chosen ? chosen.value : "", quoted(why)].join(","));
  });
  if (open && !confirm(open + " samples have no answer. Save all the same?")) { return; }
  var link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\\n") + "\\n"], { type: "text/csv" }));
  link.download = "review.csv";
  link.click();
});
"""
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Real or synthetic?</title><style>{style}</style></head>
<body data-sheet="{sheet}">
<h1>Real or synthetic?</h1>
<p>Below are {n} samples, half of them real and half of them synthetic, in an order by chance. Say of each what it is;
leave open what you cannot say. Then save your answers, or fill in the column <i>answer</i> of review.csv by hand, and
score them with <code>tsgap review review.csv</code>. Do not open review-key.json before: it says which is which.</p>
<h2>Real ones, to learn from</h2>
<div class="examples">{examples}</div>
<h2>What are these?</h2>
<main>
{samples}</main>
<p><button id="save" type="button">Save answers</button></p>
<script>{script}</script>
</body></html>
"""
