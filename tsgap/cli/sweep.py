"""`tsgap sweep`: train on synthetic, score on real, next to a control trained on real."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from tsgap.cli import DONE, FAILED_CELLS
from tsgap.cli.options import READ, SPLIT, comma_separated, read_options, refuse_beside, split_of
from tsgap.cli.preview import show_preview
from tsgap.cli.progress import reporting
from tsgap.errors import UsageError

if TYPE_CHECKING:
    from tsgap.readers import ReadOptions
    from tsgap.run import Run
    from tsgap.selfchecks import SelfCheck
    from tsgap.sweeps import Progress


@click.command()
@click.argument("config", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--real",
    multiple=True,
    metavar="[NAME=]FILE|card:ID",
    help="Real data: CSV, Parquet (or a folder of it), .tsf, or a card's id. Repeatable.",
)
@click.option(
    "--synthetic",
    multiple=True,
    metavar="[[DATA/]NAME=]WHAT",
    help="Synthetic series: a file, a folder or pattern of replicates ('out/{data}/{replicate}.npz'), or "
    "gen:GENERATOR[:key=value,…]. Repeatable.",
)
@click.option("--forecaster", "-f", multiple=True, metavar="NAME[:key=value,…]", help="Repeatable. Or module:callable.")
@click.option("--horizons", metavar="1,6,12|1m,2m", help="Leads in steps or in seasons. Default: card or frequency.")
@click.option("--windows", type=int, help="Forecast origins a series. Default: up to 5, by length.")
@click.option("--step", type=int, help="Steps between origins. Default: the longest horizon.")
@click.option("--first-cutoff", metavar="STAMP", help="Last stamp of the training part. Default: counted from the end.")
@click.option("--replicates", type=int, help="Draws of each generator and model seeds. Default: 5, or the files given.")
@click.option("--fast", is_flag=True, help="One replicate and no shuffled arm: a first look, which cannot PASS.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--scaling",
    type=click.Choice(["mean-abs", "standard", "train", "none"]),
    help="Default: standard for arrays of windows, else mean-abs.",
)
@click.option("--context", type=int, help="Look-back of global forecasters. Default: by season and horizon.")
@click.option(
    "--match/--no-match", default=True, show_default=True, help="The same number of training pairs in all arms."
)
@click.option("--null/--no-null", default=True, show_default=True, help="The arm trained on shuffled real series.")
@click.option("--oracle-split", is_flag=True, help="Add the noise floor: half of the real data against the other half.")
@click.option("--validation", is_flag=True, help="Also validate on held-out synthetic series: can that be trusted?")
@click.option("--augment", is_flag=True, help="Also add the synthetic series to the real ones: does that help?")
@click.option("--event", default="", metavar="TEXT", help="With --augment: rare events too, like 'y > q0.95'.")
@click.option("--diagnose", is_flag=True, help="Also compare the synthetic series themselves with the real ones.")
@click.option("--rule", "rules", multiple=True, metavar="TEXT", help="With --diagnose: what holds, as 'y >= 0'.")
@click.option("--features", metavar="MODULE:FUNCTION", help="With --diagnose: features (N, F) of windows (N, L).")
@click.option("--outsiders", metavar="FILE", help="With --diagnose: real series that the generator never saw.")
@click.option("--stress", is_flag=True, help="Also forecast from perturbed histories: noise, gaps, a shift.")
@click.option("--inverse", type=click.Choice(["minmax", "zscore"]), help="Undo the normalisation of arrays of windows.")
@click.option("--channels", default="", metavar="A,B,…", help="Names of the channels of arrays (N, L, C).")
@click.option("--quantiles", default="", metavar="0.1,0.5,0.9", help="Levels to ask of forecasters, for 'wql'.")
@click.option("--calibration", is_flag=True, help="Ask for the levels of 50, 80 and 95 % intervals: do they hold?")
@click.option("--generator-cutoff", metavar="STAMP", help="Up to when the generator saw real data.")
@read_options
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Run folder. Default: one in tsgap-runs/."
)
@click.option("--jobs", type=int, help="Worker processes; 0 none, for debugging. Default: the cores there are.")
@click.option("--engine", default="local", show_default=True, metavar="local|dask://HOST:PORT", help="What runs cells.")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds a cell may take.")
@click.option(
    "--shard",
    metavar="K/N",
    help="Only share K of N, counted from 1, for batch systems: the same command as often as there are shares, "
    "in one folder or in folders of their own, which 'tsgap merge' puts together.",
)
@click.option("--retry", type=click.Choice(["failed"]), help="Try failed cells again.")
@click.option("--selfcheck", is_flag=True, help="Check the bench on these data too: without it a PASS is 'unchecked'.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and why.")
@click.option("--save-config", type=click.Path(dir_okay=False, path_type=Path), help="Write these flags as TOML.")
@click.option("--metric", default="mase", show_default=True, help="Metrics of the table, joined by commas.")
@click.option("--by", type=click.Choice(["horizon", "lead", "series"]), default="horizon", show_default=True)
@click.option("--quiet", is_flag=True, help="No progress and no table.")
@click.option("--json", "as_json", is_flag=True, help="The profile as JSON on standard output, nothing else there.")
def sweep(config: Path | None, options: ReadOptions, **given: Any) -> int:
    """Train forecasters on synthetic series and on real ones, and score both on held-out real series.

    CONFIG is a TOML file that says the same as the flags. The same command again computes only what is missing.

    \b
    tsgap sweep --real sales.csv --synthetic gan=samples.parquet --horizons 1,6,12
    tsgap sweep --real card:macrodata --synthetic gen:stl-bootstrap -f auto-theta -f linear
    """
    from tsgap.config import to_toml
    from tsgap.plugins import registry
    from tsgap.previews import preview
    from tsgap.sweeps import perform

    experiment = _experiment(config, options, given)
    for name in comma_separated(given["metric"]):
        registry().named("metrics", name)
    if given["save_config"]:
        target: Path = given["save_config"]
        target.write_text(to_toml(experiment, target.parent), encoding="utf-8")
        click.echo(f"wrote {target}", err=True)
    retry = given["retry"] == "failed"
    if given["dry_run"]:
        found = preview(experiment, out=given["out"], retry_failed=retry, shard=given["shard"])
        show_preview(found, as_json=given["as_json"])
        return DONE
    if given["shard"] is not None:
        return _shard(experiment, given, retry)
    with reporting(quiet=given["quiet"]) as report:
        run = perform(experiment, out=given["out"], retry_failed=retry, on_progress=report, **_running(given))
        checks = _self_checked(experiment, run, given, report) if given["selfcheck"] else ()
    for one in () if given["quiet"] else checks:
        click.echo(str(one), err=given["as_json"])
    return max(_show(run, given), *(FAILED_CELLS * (one.verdict == "broken") for one in checks), DONE)


def _shard(experiment: Any, given: dict[str, Any], retry: bool) -> int:
    """One share of a sweep: no table, since what it is compared with may be in another share."""
    from tsgap.sweeps import perform

    for name in ("selfcheck", "as_json"):
        if given[name]:
            flag = {"as_json": "json"}.get(name, name)
            raise UsageError(f"--{flag} is for a whole sweep: run it without --shard once all shares are done")
    last: list[Progress] = []
    with reporting(quiet=given["quiet"]) as report:

        def told(state: Progress) -> None:
            last[:] = [state]
            if report is not None:
                report(state)

        asked = {"out": given["out"], "shard": given["shard"], "retry_failed": retry, **_running(given)}
        run = perform(experiment, on_progress=told, **asked)
    [state] = last
    if not given["quiet"]:
        faults = (
            f", {state.faults} without forecasts (tsgap show {quote(str(run.path))} --failures)" if state.faults else ""
        )
        click.echo(f"share {given['shard']}: {state.done} of {state.total} blocks of cells are done{faults}")
        rest = run.n_cells - run.n_ended
        whole = f"{rest} of {run.n_cells} cells are not there yet" if rest else f"all {run.n_cells} cells are there"
        click.echo(f"results: {run.path}, where {whole}")
    return FAILED_CELLS if state.faults or state.done < state.total else DONE


def _self_checked(experiment: Any, run: Run, given: dict[str, Any], report: Any) -> tuple[SelfCheck, ...]:
    from tsgap.selfchecks import record

    return record(experiment, run, on_progress=report, **_running(given))


def _running(given: dict[str, Any]) -> dict[str, Any]:
    """What says how cells are run, and not which."""
    return {name: given[name] for name in ("jobs", "engine", "timeout")}


def _experiment(config: Path | None, options: ReadOptions, given: dict[str, Any]) -> Any:
    from tsgap.calibration import LEVELS
    from tsgap.config import from_toml
    from tsgap.experiment import DEFAULT_FORECASTERS, SHARED, Experiment, data_specs, levels_of, source_specs

    if config is not None:
        refuse_beside(config, _IN_CONFIG)
        return from_toml(config, data_dir=options.data_dir)
    if not given["real"]:
        raise UsageError("a sweep needs real data: --real FILE or --real card:ID ('tsgap data list' shows the cards)")
    data = data_specs(list(given["real"]), options=options, **split_of(given))
    if not given["synthetic"] and not given["oracle_split"]:
        raise UsageError("a sweep needs synthetic series: --synthetic FILE or gen:NAME ('tsgap generators' lists them)")
    named = list(given["synthetic"])
    channels = comma_separated(given["channels"])
    sources = source_specs(named, inverse=given["inverse"], channels=channels) if named else ()
    forecasters = tuple(given["forecaster"]) or DEFAULT_FORECASTERS
    if given["fast"]:
        if given["replicates"] is not None:
            raise UsageError("--fast is one replicate without the shuffled arm; it does not go with --replicates")
        given |= {"replicates": 1, "null": False}
    given |= {"augment": "also" if given["augment"] else "", "cheap": bool(given["augment"])}
    if given["calibration"]:
        given |= {"quantiles": (*(set(LEVELS) | set(levels_of(given["quantiles"]))),)}
    return Experiment(data, sources, forecasters, **{name: given[name] for name in SHARED})


#: What a file of settings says itself.
_IN_CONFIG = (
    *(*READ, *SPLIT, "real", "synthetic", "forecaster", "replicates", "fast"),
    *("seed", "scaling", "context", "match", "null", "inverse", "channels", "quantiles", "generator_cutoff"),
    *("oracle_split", "validation", "augment", "event", "diagnose", "rules", "features", "outsiders", "stress"),
    "calibration",
)


def _show(run: Run, given: dict[str, Any]) -> int:
    from tsgap.remarks import all_well

    metrics = comma_separated(given["metric"])
    if run.manifest["experiment"].get("augment") == "only":
        from tsgap.augments import of_run
        from tsgap.cli.augment import shown

        every = [of_run(run, metric) for metric in metrics]
        if given["quiet"]:
            return DONE if all(found.ok for found in every) else FAILED_CELLS
        return max(shown(found, as_json=given["as_json"]) for found in every)
    if given["quiet"]:
        return DONE if run.complete and not run.n_failed else FAILED_CELLS
    if given["as_json"]:
        from tsgap.formats import json_text

        frame = run.profile(metrics, by=given["by"])
        click.echo(json_text(frame), nl=False)
    else:
        from tsgap.tables import render

        frame = render(run, metrics=tuple(metrics), by=given["by"])
        path = quote(str(run.path))
        click.echo(f"\nresults: {run.path}   (tsgap show {path} --by lead)")
        if "validation" in run.manifest:
            click.echo(f"validating on the synthetic series: tsgap show {path} --validation")
        if run.manifest["experiment"].get("quantiles"):
            click.echo(f"do quantile forecasts hold what they promise: tsgap show {path} --calibration")
        if run.manifest["experiment"].get("diagnose"):
            from tsgap.examination_formats import sentence

            for one in run.diagnostics().found:
                click.echo(sentence(one))
            click.echo(f"the series themselves: tsgap show {path} --diagnostics, --frontier, --predictors, --subgroups")
        if run.manifest["experiment"].get("stress"):
            click.echo(f"perturbed histories: tsgap show {path} --robustness")
        if "augmentation" in run.manifest:
            click.echo(f"adding them to the real series: tsgap show {path} --augmentation")
    return DONE if all_well(run, frame) else FAILED_CELLS
