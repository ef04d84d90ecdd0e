"""A run as pictures; matplotlib is imported when something is drawn, and no figure is left open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tsgap.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Names = str | Sequence[str] | None

#: Comparisons drawn, and how: (arm, versus) → (line style, what the legend says).
_LINES: dict[tuple[str, str], tuple[Any, str]] = {
    ("synthetic", "real"): ("-", "trained on synthetic / trained on real"),
    ("synthetic", "real-short"): ("--", "the same against real windows as short"),
    ("synthetic", "real-full"): ("-.", "the same against all real data"),
    ("null", "real"): (":", "trained on shuffled real / trained on real"),
}
#: Inches of one panel.
_SIZE = (4.6, 3.4)


class Profiled(Protocol):
    """Anything with a profile: a `Run`."""

    def profile(self, metric: str, by: Any, *, data: Names, source: Names, forecaster: Names) -> pd.DataFrame:
        """See `Run.profile`."""


class Plots:
    """The pictures of a run: `run.plot()` or `run.plot.profile()`."""

    def __init__(self, run: Profiled) -> None:
        self._run = run

    def __repr__(self) -> str:
        return "run.plot: profile (the default)"

    def __call__(self, **asked: Any) -> Figure:
        """`profile`, with the same options."""
        return self.profile(**asked)

    def profile(
        self,
        *,
        metric: str = "mase",
        by: Literal["horizon", "lead"] = "horizon",
        data: Names = None,
        source: Names = None,
        forecaster: Names = None,
    ) -> Figure:
        """Ratio of synthetic-trained to control error over horizons or leads, one panel for data set and source.

        The grey line at 1 is the control; the axis is logarithmic; a dotted line in the same colour is what training
        on shuffled real series gives. Where there is no figure there is no point, and the legend says why. Returns
        a matplotlib Figure that belongs to nobody else: save it with `savefig`, or let a notebook show it.
        """
        pyplot = _pyplot()
        if by not in ("horizon", "lead"):
            raise UsageError(f"a profile is drawn by 'horizon' or 'lead', got {by!r}")
        frame = self._run.profile(metric, by, data=data, source=source, forecaster=forecaster)
        if not len(frame):
            raise UsageError("there is nothing to draw: the run has no comparison of that kind")
        rows, columns = list(dict.fromkeys(frame.data)), list(dict.fromkeys(frame.source))
        colours = {name: f"C{i % 10}" for i, name in enumerate(dict.fromkeys(frame.forecaster))}
        figure, axes = pyplot.subplots(
            len(rows),
            len(columns),
            figsize=(_SIZE[0] * len(columns), _SIZE[1] * len(rows)),
            squeeze=False,
            sharey="row",
            layout="constrained",
        )
        pyplot.close(figure)
        for i, name in enumerate(rows):
            for j, where in enumerate(columns):
                block = frame[(frame.data == name) & (frame.source == where)]
                if len(block):
                    _panel(axes[i, j], block, by, colours)
                    axes[i, j].set_title(_plain(f"{name}: {where}"))
                else:
                    axes[i, j].set_axis_off()
            axes[i, 0].set_ylabel(f"{metric.upper()}, ratio to control")
            _ratio_axis(axes[i])
        _legend_of_lines(figure, frame, len(columns))
        drawn: Figure = figure
        return drawn


def _panel(axes: Axes, block: pd.DataFrame, by: str, colours: dict[str, str]) -> None:
    """One data set and source: a line for each forecaster and comparison."""
    import numpy as np

    axes.axhline(1.0, color="0.6", linewidth=1, zorder=0)
    for key, line in block.groupby(["forecaster", "arm", "versus"], sort=False):
        forecaster, arm, versus = map(str, key)
        at, ratio = line[by].to_numpy(), line.ratio.to_numpy()
        drawn = np.isfinite(ratio) & (ratio > 0) & (line.status != "not applicable").to_numpy()
        main = (arm, versus) == ("synthetic", "real")
        label = _plain(forecaster) + _reason(line, at, drawn) if main else None
        style, _ = _LINES[arm, versus]
        if not drawn.any():
            axes.plot([], [], color=colours[forecaster], linestyle=style, label=label)
            continue
        axes.plot(
            at,
            np.where(drawn, ratio, np.nan),
            color=colours[forecaster],
            linestyle=style,
            linewidth=1.6 if main else 1.0,
            marker="o" if main and by == "horizon" else None,
            markersize=4,
            label=label,
        )
    axes.set_xlabel("horizon (leads 1 to h together)" if by == "horizon" else "lead (steps)")
    if by == "horizon":
        axes.set_xticks(sorted(set(block.horizon)))
    axes.legend(fontsize="small", frameon=False)


def _ratio_axis(row: Sequence[Axes]) -> None:
    """A logarithmic axis that all panels of a data set share; never so narrow that nothing looks like something."""
    from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

    for axes in row:
        axes.set_yscale("log")
    low, high = row[0].get_ylim()
    row[0].set_ylim(min(low, 0.9), max(high, 1.1))
    low, high = row[0].get_ylim()
    for axes in row:
        if high / low < 10:
            axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
            axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(ScalarFormatter())


def _reason(line: pd.DataFrame, at: Any, drawn: Any) -> str:
    """Why there are points without a figure."""
    lacking = []
    for status in dict.fromkeys(line.status[~drawn]):
        here = ~drawn & (line.status == status).to_numpy()
        said = str(status).partition(":")[0]
        lacking.append(said if here.all() else f"{said} from {at[here].min()}")
    failed = int(line.failed_control.max() + line.failed_synthetic.max())
    if failed and set(line.status) <= {"partial", "not taught"}:
        lacking.append(f"{failed} windows failed")
    return f" ({', '.join(lacking)})" if lacking else ""


def _legend_of_lines(figure: Figure, frame: pd.DataFrame, columns: int) -> None:
    from matplotlib.lines import Line2D

    there = set(zip(frame.arm, frame.versus, strict=True))
    lines = [Line2D([], [], color="0.3", linestyle=s, label=text) for key, (s, text) in _LINES.items() if key in there]
    figure.legend(handles=lines, loc="outside lower center", ncols=columns, fontsize="small", frameon=False)


def _plain(name: Any) -> str:
    """A name as text: matplotlib would read mathematics between dollar signs, and hide what begins with '_'."""
    text = "".join(c if c.isprintable() else "?" for c in str(name)).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as pyplot
    except ImportError as err:
        raise UsageError("plots need matplotlib: pip install 'tsgap[plot]'") from err
    return pyplot
