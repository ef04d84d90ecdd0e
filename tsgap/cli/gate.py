"""`tsgap gate`: PASS, FAIL, or why it cannot be told, as an exit code and in words."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

FORMATS = ("text", "json", "markdown", "junit")


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--margin", type=float, default=0.05, show_default=True, help="Largest gap accepted: 0.05 is 5 % worse.")
@click.option("--retain", type=float, default=0.5, show_default=True, help="Share of the real skill to be kept.")
@click.option(
    "--metric", default="mase", show_default=True, metavar="NAME", help="One that 'tsgap metrics' calls gateable."
)
@click.option(
    "--horizons", metavar="1,7,14|1m", help="Ends of the bins of leads. Default: by season, up to the longest."
)
@click.option("--data", multiple=True, metavar="NAME", help="Only this data set. Repeatable, as the next two.")
@click.option("--source", multiple=True, metavar="NAME", help="Only this source of synthetic series.")
@click.option("--forecaster", "-f", multiple=True, metavar="NAME", help="Only this forecaster.")
@click.option(
    "--gate-on",
    type=click.Choice(["total", "fidelity"]),
    default="total",
    show_default=True,
    help="Against all real data, or real windows as short as the synthetic ones.",
)
@click.option(
    "--inconclusive",
    type=click.Choice(["fail", "warn"]),
    default="fail",
    show_default=True,
    help="'warn': exit with 0 where more data alone would decide.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The run of the last accepted version: proven worse than that fails too.",
)
@click.option(
    "--worst-group",
    is_flag=False,
    flag_value="",
    metavar="[GROUPING]",
    help="Every group must pass too, over all leads: of this grouping, or of all. Give it after RUN.",
)
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--out", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write here; the sentences are printed."
)
def gate(
    run: Path,
    margin: float,
    retain: float,
    metric: str,
    horizons: str | None,
    data: tuple[str, ...],
    source: tuple[str, ...],
    forecaster: tuple[str, ...],
    gate_on: Any,
    inconclusive: str,
    baseline: Path | None,
    worst_group: str | None,
    fmt: str,
    out: Path | None,
) -> int:
    """Is training on the synthetic series of RUN good enough?

    PASS: in every bin of leads and for every forecaster, errors are proven to be larger by less than the margin, and
    real training to gain over shuffled training, of which the share to retain is proven to be kept. FAIL: some gap is
    proven to be larger than the margin. Of several verdicts the worst counts; that on the noise floor does only where
    it is all that is asked for.

    Exit codes: 0 PASS, 1 FAIL, 3 neither, 2 usage, 74 input or output. With --inconclusive warn, neither is 0, unless
    cells failed or are missing, leads were never taught, test data leaked, the self-check failed, the baseline cannot
    be compared, or leads, or all forecasters, have no figure.

    \b
    tsgap gate tsgap-runs/demo --margin 0.05
    tsgap gate tsgap-runs/demo --format junit -o gate.xml
    tsgap gate runs/v2 --baseline runs/v1 --source gan
    tsgap gate runs/v2 --worst-group volume
    """
    from tsgap.run import load

    found = load(run).gate(
        margin,
        retain=retain,
        metric=metric,
        horizons=() if horizons is None else horizons,
        data=data or None,
        source=source or None,
        forecaster=forecaster or None,
        on=gate_on,
        baseline=baseline,
        worst_group=worst_group == "" or worst_group or False,
    )
    if fmt in ("json", "junit"):
        text = {"json": found.to_json, "junit": found.to_junit}[fmt](inconclusive)
    else:
        text = {"text": found.to_text, "markdown": found.to_markdown}[fmt]()
    code = found.exit_code(inconclusive)
    if out is not None:
        out.write_text(text, encoding="utf-8")
        text = "\n".join(found.sentences) + "\n"
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:  # who reads has had enough; that changes no verdict
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if code == 0 and not found.passed:
        click.echo("tsgap: this is no PASS; it exits with 0 because of --inconclusive warn", err=True)
    return code
