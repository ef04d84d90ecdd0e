"""argv → one call of the library → exit code; the only place that prints and exits."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

import tsgap
from tsgap.errors import StoreError, TsgapError

#: Exit codes.
DONE, USAGE, FAILED_CELLS, IO_ERROR, INTERRUPTED = 0, 2, 3, 74, 130

#: command → (module, one line of help). A module is imported only when its command is called.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "A real sweep on embedded real data, with its verdicts."),
    "sweep": ("sweep", "Train on synthetic, score on real, next to a control trained on real."),
    "merge": ("merge", "Put the shards of a sweep together in one run folder."),
    "show": ("show", "The tables of a finished or running sweep."),
    "gate": ("gate", "The verdict on a run, as an exit code and in words."),
    "diagnose": ("diagnose", "Synthetic against real series themselves: how do they differ?"),
    "review": ("review", "How often people told synthetic from real samples on a blinded sheet."),
    "augment": ("augment", "Add synthetic series to real ones: does that help, why, and how much of them?"),
    "saturation": ("saturation", "Real series alone: is there room for more data?"),
    "selfcheck": ("selfcheck", "Known answers on your own data: does the bench see what it claims to see?"),
    "split": ("split", "Write the training part of a sweep, for your own generator."),
    "synth": ("synth", "Write a synthetic panel that a generator makes from real data."),
    "data": ("data", "Real data sets with a card: list, show, check."),
    "forecasters": ("plugins", "Forecasters there are, and plugins that failed to load."),
    "generators": ("plugins", "Generators of synthetic series there are."),
    "metrics": ("plugins", "Metrics there are."),
    "diagnostics": ("plugins", "Diagnostics there are."),
    "check": ("check", "Hold a forecaster, generator, metric or diagnostic against its contract."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are called, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tsgap.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(tsgap.__version__, prog_name="tsgap")
def cli() -> None:
    """Does a forecaster trained on synthetic series work on real ones, and how many steps ahead?

    Exit codes: 0 done, 2 usage or data, 3 done with failed cells, 74 input or output, 130 interrupted.
    'gate' exits with 0 for PASS, 1 for FAIL and 3 for neither; 'check' with 1 where a law is broken; 'selfcheck' with 1
    where the bench is broken, 3 where nothing was shown; 'augment' and 'saturation' with 3 where there is no verdict;
    'diagnose' with 1 where test data are among the synthetic series.
    """


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one line on stderr, not a traceback."""
    try:
        code = cli.main(args=None if argv is None else list(argv), prog_name="tsgap", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        click.echo("tsgap: interrupted; the same command of a sweep goes on from here", err=True)
        return INTERRUPTED
    except click.ClickException as err:
        err.show()
        return USAGE
    except BrokenPipeError:
        sys.stderr.close()
        return DONE
    except StoreError as err:
        click.echo(f"tsgap: {err}", err=True)
        return IO_ERROR
    except TsgapError as err:
        click.echo(f"tsgap: {err}", err=True)
        return USAGE
    except OSError as err:
        click.echo(f"tsgap: {f'{err.filename}: {err.strerror}' if err.filename and err.strerror else err}", err=True)
        return IO_ERROR
    return code if isinstance(code, int) else DONE
