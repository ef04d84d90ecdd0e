"""Real data from a file, a card or an object of another library to one data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tsgap.errors import DataError, UsageError
from tsgap.panel import Dataset
from tsgap.readers import frames, tables
from tsgap.readers.assemble import assemble
from tsgap.readers.columns import SINGLE, Long, read_long, read_wide
from tsgap.readers.monash import read_tsf
from tsgap.readers.options import ReadOptions
from tsgap.readers.regular import read_regular, regular_dataset

#: What a data card's id is written behind.
CARD = "card:"

_DEFAULTS = ReadOptions()


def read_real(what: object, *, name: str | None = None, options: ReadOptions = _DEFAULTS) -> Dataset:
    """Real series from a path, ``"card:ID"``, a frame, a Series, darts series, or a Dataset (as it is).

    A path is a CSV file, a Parquet file, a folder of Parquet files that are one panel, or a Monash ``.tsf`` file.
    `name` is the file's stem, the card's id or ``"data"`` unless given. Raises DataError with one line that says
    what is wrong and where.
    """
    if isinstance(what, Dataset):
        return what
    if isinstance(what, str) and what.startswith(CARD):
        from tsgap.readers.catalog import load_card

        return load_card(what.removeprefix(CARD), name=name, options=options)
    if isinstance(what, str | Path):
        path = Path(what)
        found = read_regular(path, options)
        if found is not None:
            found = replace(found, keys=(path.stem,)) if found.keys == (SINGLE,) else found
            data = regular_dataset(found, name=name or path.stem, options=options, freq=options.freq)
            if data is not None:
                return data
            del found
        long, freq = read_path(path, options)
        return assemble(_named(long, path.stem), name=name or path.stem, options=options, freq=options.freq or freq)
    table = frames.table_of(what, options)
    long = read_wide(table, options) if options.wide else read_long(table, options)
    return assemble(_named(long, name or SINGLE), name=name or "data", options=options)


def read_path(path: Path, options: ReadOptions, *, stamps_needed: bool = True) -> tuple[Long, str | None]:
    """The long form of a file and the frequency that it states itself, if it does."""
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    kind = path.suffix.lower()
    if path.is_dir() or kind in (".parquet", ".pq"):
        table = tables.read_parquet(path)
    elif kind in (".csv", ".tsv", ".txt"):
        named = (options.id_col, options.time_col, *options.groups)
        table = tables.read_csv(path, text=named, first_is_text=options.wide)
    elif kind == ".tsf":
        return read_tsf(path)
    elif kind in (".npy", ".npz"):
        raise UsageError(f"{path}: an array of windows has no stamps; it can be synthetic data, not real data")
    else:
        raise UsageError(f"{path}: the ending {kind!r} is not one of .csv, .tsv, .txt, .parquet, .pq, .tsf")
    return (read_wide if options.wide else read_long)(table, options, stamps_needed=stamps_needed), None


def _named(long: Long, stem: str) -> Long:
    """A table without ids under the name of its file."""
    return replace(long, ids=(stem,)) if long.ids == (SINGLE,) else long
