"""The groups that the windows of a run fall into, by the columns of its data and by what was found at planning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tsgap.atoms import Truth
from tsgap.covered import COVERED
from tsgap.panel import Ints

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

#: Name of the grouping by what the synthetic series cover, which is another one for each source.
COVERAGE = "coverage"


@dataclass(frozen=True, eq=False)
class Grouping:
    """One way to part the windows of a data set: `groups` in their order, and the `label` (N,) of every window.

    `of` says what belongs to a group: whole series, or single windows. A window with the label "" belongs to none.
    `real` and `synthetic` are the share of the training series, or of stretches of them, in each group, as far as
    they are known. `why` says what kept it from being made.
    """

    name: str
    of: Literal["series", "windows"]
    groups: tuple[str, ...]
    label: NDArray[Any]
    real: Mapping[str, float] = field(default_factory=dict)
    synthetic: Mapping[str, float] = field(default_factory=dict)
    why: str = ""

    def among(self, group: str) -> NDArray[np.bool_]:
        """Which windows belong to a group (N,)."""
        return np.asarray(self.label == group)


def groupings(
    truth: Truth, told: Mapping[str, Any] | None, source: str, read: Callable[[str], pd.DataFrame]
) -> Iterator[Grouping]:
    """The groupings of a data set beside a source: every group column, then the automatic ones that `told` names.

    `told` is the entry of the data set in the manifest, None where nothing automatic was asked for; `read` gives a
    table of the store by its name.
    """
    found = told or {"groupings": [], "covered": {}, "synthetic": {}, "real": {}}
    synthetic = found["synthetic"].get(source, {})
    for name, label in truth.groups.items():
        groups = tuple(dict.fromkeys(label.tolist()))
        yield Grouping(name, "series", groups, label, _of_series(label, truth.series), synthetic.get(name, {}))
    if found["groupings"]:
        table = read(found["table"])
        for one in found["groupings"]:
            name, label = one["name"], table[one["name"]].to_numpy(dtype=object)
            there = tuple(group for group in one["groups"] if (label == group).any())
            yield Grouping(name, one["of"], there, label, found["real"].get(name, {}), synthetic.get(name, {}))
    if source in found["covered"]:
        name, why = found["covered"][source]["table"], found["covered"][source]["why"]
        label = read(name)["covered"].to_numpy(dtype=object) if name else np.full(len(truth.values), "", dtype=object)
        asked = label[label != ""]
        groups = tuple(group for group in COVERED if (label == group).any())
        shares = {group: float((asked == group).mean()) for group in groups}
        yield Grouping(COVERAGE, "windows", groups, label, shares, why=why)


def _of_series(label: NDArray[Any], series: Ints) -> dict[str, float]:
    """The share of the series in each group."""
    first = np.flatnonzero(np.diff(series, prepend=-1))
    of = label[first].tolist()
    return {group: of.count(group) / len(of) for group in dict.fromkeys(of)}
