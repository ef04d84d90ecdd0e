"""Objects of other libraries to tables: pandas, polars and their like, darts series; known by what they offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.errors import DataError
from tsgap.readers.options import ReadOptions
from tsgap.readers.tables import Table

if TYPE_CHECKING:
    import pandas as pd


def is_darts(what: object) -> bool:
    """Whether this is a darts TimeSeries, by what it offers."""
    return all(hasattr(what, a) for a in ("time_index", "components", "all_values", "static_covariates"))


def table_of(what: object, options: ReadOptions) -> Table:
    """The table of a pandas DataFrame or Series, of another library's frame, or of darts series.

    Raises DataError for anything else and for a frame without rows.
    """
    import pandas as pd

    if isinstance(what, pd.Series):
        frame = _of_series(what, options)
    elif isinstance(what, pd.DataFrame):
        frame = what
    elif is_darts(what):
        return _of_darts([what], options)
    elif isinstance(what, Sequence) and what and all(is_darts(w) for w in what):
        return _of_darts(what, options)
    else:
        frame = _of_other(what)
    if not len(frame):
        raise DataError(f"the {type(what).__name__} has no rows")
    names = [str(c) for c in frame.columns]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise DataError(f"the {type(what).__name__} names the column {twice[0]!r} {names.count(twice[0])} times")
    return Table(frame.set_axis(names, axis=1), f"the {type(what).__name__}")


def _of_series(series: pd.Series[Any], options: ReadOptions) -> pd.DataFrame:
    named = series.rename(options.target_col)
    if series.index.nlevels == 2:
        return named.rename_axis(index=[options.id_col, options.time_col]).reset_index()
    return named.rename_axis(index=options.time_col).reset_index()


def _of_other(what: Any) -> pd.DataFrame:
    import pandas as pd

    found = what if hasattr(what, "to_pandas") or hasattr(what, "collect") else _by_narwhals(what)
    if hasattr(found, "collect") and not hasattr(found, "to_pandas"):
        found = found.collect()
    frame = found.to_pandas() if hasattr(found, "to_pandas") else None
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"cannot read a {type(what).__name__}: expected a path, 'card:ID', a pandas or polars frame, a pandas "
            "Series, a list of darts TimeSeries, or a Dataset"
        )
    return frame


def _by_narwhals(what: Any) -> Any:
    """A frame of any library that narwhals knows, where it is installed."""
    try:
        import narwhals
    except ImportError:
        return None
    return narwhals.from_native(what, pass_through=True)


def _of_darts(series: Sequence[Any], options: ReadOptions) -> Table:
    """Every component of every series is a series; its id is the static covariate, the component's name or a number."""
    import pandas as pd

    ids = [_darts_ids(s, options) for s in series]
    flat = [i for names in ids for i in names]
    if len(set(flat)) < len(flat):
        ids = [[str(k)] if len(names) == 1 else [f"{k}:{n}" for n in names] for k, names in enumerate(ids)]
    frames = []
    for one, names in zip(series, ids, strict=True):
        values = np.asarray(one.all_values(copy=False))
        if values.shape[2] != 1:
            raise DataError(f"the darts series {names[0]!r} holds {values.shape[2]} samples, expected 1")
        frames += [
            pd.DataFrame({options.id_col: name, options.time_col: one.time_index, options.target_col: values[:, c, 0]})
            for c, name in enumerate(names)
        ]
    return Table(pd.concat(frames, ignore_index=True), "the list of darts series")


def _darts_ids(series: Any, options: ReadOptions) -> list[str]:
    components = [str(c) for c in series.components]
    static = series.static_covariates
    if static is None or options.id_col not in static.columns or len(static) != 1:
        return components
    name = str(static[options.id_col].iloc[0])
    return [name] if len(components) == 1 else [f"{name}:{c}" for c in components]
