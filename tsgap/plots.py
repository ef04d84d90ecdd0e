"""A run as pictures; matplotlib is imported when something is drawn, and no figure is left open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tsgap.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tsgap.augmentation import Augmentation

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
    """Anything with a profile, a gap and augmentations: a `Run`."""

    def profile(self, metric: str, by: Any, *, data: Names, source: Names, forecaster: Names) -> pd.DataFrame:
        """See `Run.profile`."""

    def gap(self, metric: str, by: Any, *, data: Names, source: Names, forecaster: Names, on: Any) -> pd.DataFrame:
        """See `Run.gap`."""

    def augmentations(self, metric: str, *, data: Names, source: Names, forecaster: Names) -> Sequence[Augmentation]:
        """See `Run.augmentations`."""


class Plots:
    """The pictures of a run: `run.plot()` or `run.plot.profile()`, `run.plot.gap()`, and `run.plot.responses()`."""

    def __init__(self, run: Profiled) -> None:
        self._run = run

    def __repr__(self) -> str:
        return "run.plot: profile (the default), gap, responses"

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
        if by not in ("horizon", "lead"):
            raise UsageError(f"a profile is drawn by 'horizon' or 'lead', got {by!r}")
        frame = self._run.profile(metric, by, data=data, source=source, forecaster=forecaster)
        figure = _drawn(frame, metric, lambda axes, block, colours: _panel(axes, block, by, colours))
        there = set(zip(frame.arm, frame.versus, strict=True))
        _explain(figure, [(style, text) for key, (style, text) in _LINES.items() if key in there])
        return figure

    def gap(
        self,
        *,
        metric: str = "mase",
        margin: float = 0.05,
        data: Names = None,
        source: Names = None,
        forecaster: Names = None,
        on: Literal["total", "fidelity"] = "total",
    ) -> Figure:
        """The gap in bins of leads, as a ratio of errors, with its 95 % interval, the margin, and what could be seen.

        One panel for data set and source, as in `profile`. The dashed line is the margin; a dotted line in the colour
        of a forecaster is training on shuffled real series: where it is near 1, nothing can be lost. The legend says of
        whom the figures are partial, or count towards no mean.
        """
        frame = self._run.gap(metric, "bin", data=data, source=source, forecaster=forecaster, on=on)
        frame = frame[frame.bin.notna() & (frame.versus != "") & ~frame.forecaster.isin(["all"])]
        figure = _drawn(frame, metric, lambda axes, block, colours: _gap_panel(axes, block, margin, colours))
        _explain(figure, [("--", f"margin of {100 * margin:g} %"), _LINES["null", "real"]])
        return figure

    def responses(
        self, *, metric: str = "mase", data: Names = None, source: Names = None, forecaster: Names = None
    ) -> Figure:
        """What adding synthetic pairs does over λ, all leads, as a ratio to the real arm with its 95 % interval.

        The share that inner origins chose is a filled mark, the others are hollow: they are shown and choose nothing.
        """
        from tsgap.augment_tables import responses_of

        found = self._run.augmentations(metric, data=data, source=source, forecaster=forecaster)
        frame = responses_of([one for one in found if not one.cheap])
        whole = frame.groupby("data")["last"].transform("max")
        return _drawn(frame[(frame["first"] == 1) & (frame["last"] == whole)], metric, _response_panel)


def _drawn(frame: pd.DataFrame, metric: str, draw: Callable[[Axes, pd.DataFrame, dict[str, str]], None]) -> Figure:
    """A figure that nobody else holds, with a panel for each data set (row) and source (column)."""
    pyplot = _pyplot()
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
                axes[i, j].axhline(1.0, color="0.6", linewidth=1, zorder=0)
                draw(axes[i, j], block, colours)
                axes[i, j].legend(fontsize="small", frameon=False)
                axes[i, j].set_title(_plain(f"{name}: {where}"))
            else:
                axes[i, j].set_axis_off()
        axes[i, 0].set_ylabel(f"{metric.upper()}, ratio to control")
        _ratio_axis(axes[i])
    drawn: Figure = figure
    return drawn


def _gap_panel(axes: Axes, block: pd.DataFrame, margin: float, colours: dict[str, str]) -> None:
    """Gaps with their intervals over bins of leads."""
    import numpy as np

    axes.axhline(1 + margin, color="0.3", linewidth=1, linestyle="--", zorder=0)
    seen = np.exp(block[["gap", "assay"]].to_numpy(float))
    seen = seen[np.isfinite(seen) & (seen > 0)]
    # a band may be far wider than all that is compared: then its end is not in the picture
    least, most = min(seen.min(initial=1.0), 1.0) / 1.5, max(seen.max(initial=1.0), 1 + margin) * 1.5
    for name, line in block.groupby("forecaster", sort=False):
        ratio, low, high, shuffled = (np.exp(line[c].to_numpy(float)) for c in ("gap", "low", "high", "assay"))
        drawn = np.isfinite(ratio) & (ratio > 0) & (line.status != "not applicable").to_numpy()
        reason = _reason(line, line["first"].to_numpy(), drawn, [one for one in line.status[drawn] if one != "ok"])
        label, colour = _plain(name) + reason, colours[str(name)]
        if not drawn.any():
            axes.plot([], [], color=colour, label=label)
            continue
        at = np.arange(len(line))
        axes.plot(
            at, np.where(drawn, ratio, np.nan), color=colour, linewidth=1.6, marker="o", markersize=4, label=label
        )
        axes.plot(at, np.where(drawn, shuffled, np.nan), color=colour, linewidth=1.0, linestyle=":")
        low, high = np.clip(low, least, most), np.clip(high, least, most)
        axes.fill_between(at, low, high, where=drawn, color=colour, alpha=0.15, linewidth=0)
    bins = block.drop_duplicates("bin")
    axes.set_xticks(range(len(bins)), list(bins.bin))
    axes.set_xlabel("leads (steps)")


def _response_panel(axes: Axes, block: pd.DataFrame, colours: dict[str, str]) -> None:
    """The response to every share, one line a forecaster."""
    import numpy as np

    for name, line in block.groupby("forecaster", sort=False):
        ratio, low, high = (np.exp(line[c].to_numpy(float)) for c in ("change", "change_low", "change_high"))
        at, colour = np.arange(len(line)), colours[str(name)]
        drawn = np.isfinite(ratio) & (ratio > 0)
        axes.plot(at, np.where(drawn, ratio, np.nan), color=colour, linewidth=1.6, label=_plain(name))
        axes.fill_between(at, low, high, where=drawn & np.isfinite(low), color=colour, alpha=0.15, linewidth=0)
        chosen = line.chosen.to_numpy(bool)
        for which, filled in ((chosen, colour), (~chosen, "none")):
            axes.scatter(at[which & drawn], ratio[which & drawn], s=20, facecolors=filled, edgecolors=colour, zorder=3)
    axes.set_xticks(range(len(set(block.share))), [f"{share:g}" for share in sorted(set(block.share))])
    axes.set_xlabel("λ, synthetic pairs to a real one (filled: chosen on inner origins)")


def _panel(axes: Axes, block: pd.DataFrame, by: str, colours: dict[str, str]) -> None:
    """One data set and source: a line for each forecaster and comparison."""
    import numpy as np

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


def _reason(line: pd.DataFrame, at: Any, drawn: Any, weak: Sequence[str] = ()) -> str:
    """Why there are points without a figure, and what is `weak` about those with one."""
    lacking = list(dict.fromkeys(weak))
    for status in dict.fromkeys(line.status[~drawn]):
        here = ~drawn & (line.status == status).to_numpy()
        said = str(status).partition(":")[0]
        lacking.append(said if here.all() else f"{said} from {at[here].min()}")
    failed = int(line.failed_control.max() + line.failed_synthetic.max()) if "failed_control" in line else 0
    if failed and set(line.status) <= {"partial", "not taught"}:
        lacking.append(f"{failed} windows failed")
    return f" ({', '.join(lacking)})" if lacking else ""


def _explain(figure: Figure, styles: Sequence[tuple[Any, str]]) -> None:
    """What the styles of the lines mean, below the panels."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color="0.3", linestyle=style, label=text) for style, text in styles]
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize="small", frameon=False)


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
