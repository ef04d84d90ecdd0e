"""Draw synthetic panels from generators, in workers; what a run folder holds already is not drawn again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsgap import cell, engines
from tsgap.blocks import let_go
from tsgap.engines import Task
from tsgap.errors import ContractError, StoreError
from tsgap.inputs import NotDrawn
from tsgap.panel import Panel, digest, frozen
from tsgap.plugins import Chosen
from tsgap.ragged import offsets_of, row_blocks
from tsgap.shelf import read_panel, write_blocks, write_panel
from tsgap.store import Store


@dataclass(frozen=True, eq=False)
class Wanted:
    """One panel to be drawn: by which generator, fitted on which training part, from which seed."""

    name: str
    chosen: Chosen
    train: Panel
    seed: int

    @property
    def table(self) -> str:
        """Name of the table that keeps it, by its content."""
        chosen = self.chosen
        params = list(chosen.content.items())
        return "drawn-" + digest(chosen.spec.name, chosen.identity, params, self.train.fingerprint, self.seed)


def drawn(
    wanted: Sequence[Wanted], store: Store, *, work: Path, jobs: int | None, engine: str = engines.LOCAL, timeout: float
) -> Mapping[str, Panel | NotDrawn]:
    """Every wanted panel by its name, or the reason why there is none."""
    out: dict[str, Panel | NotDrawn] = {}
    missing: dict[str, Wanted] = {}
    for one in wanted:
        known = stored(one, store, work)
        if known is None:
            missing[one.name] = one
        else:
            out[one.name] = known
    tasks = [_task(one, work, timeout) for one in missing.values()]
    logs = store.path / "logs"
    with closing(engines.run(cell.execute, tasks, jobs=jobs, engine=engine, folder=work, log_dir=logs)) as ends:
        for outcome in ends:
            one = missing[outcome.task.id]
            if outcome.status != "ok" or outcome.value is None:
                out[one.name] = NotDrawn(f"{outcome.status}: {outcome.error}", outcome.traceback)
                continue
            try:
                panel = cell.decoded_panel(outcome.value, work / outcome.task.output)
                panel = as_declared(panel, one.chosen, one.train)
            except ContractError as err:
                out[one.name] = NotDrawn(f"contract: {err}")
                continue
            _keep(one, panel, store)
            out[one.name] = panel
    return out


def _task(one: Wanted, work: Path, timeout: float) -> Task:
    import cloudpickle

    train, output = write_panel(one.train, work), f"{one.table}.out"
    job = cell.Draw(one.chosen.spec.build, dict(one.chosen.params), train, one.seed, output)
    return Task(one.name, one.chosen.label, cloudpickle.dumps(job), timeout, (train,), output)


def as_declared(panel: Panel, chosen: Chosen, train: Panel) -> Panel:
    """A sample under the keys that its generator's spec promises, those of `train` or none of them.

    Raises `ContractError` where it says that it is paired and has other keys or lengths.
    """
    if not chosen.spec.paired:
        # equal keys would pair what the generator says does not belong together; as texts they sort as they stand
        digits = len(str(len(panel) - 1))
        return panel.renamed([f"sample {i:0{digits}d}" for i in range(len(panel))])
    if panel.keys != train.keys or (panel.lengths != train.lengths).any():
        raise ContractError(f"{chosen.label} says that it is paired, its keys or lengths are not the real ones")
    return panel


def stored(one: Wanted, store: Store | None, work: Path) -> Panel | None:
    """The panel if the run folder has it, undamaged: laid in `work` and mapped from there."""
    if store is None:
        return None
    try:
        n = len(store.read_table(one.table))
        return read_panel(work, write_blocks(one.table, (_read(one, store, k) for k in range(n)), work))
    except StoreError:
        return None


def _keep(one: Wanted, panel: Panel, store: Store) -> None:
    """In tables of a block of values each, so that no more is held at once; the one that lists them comes last."""
    import pyarrow as pa

    counts = []
    for k, rows in enumerate(row_blocks(panel.offsets)):
        begin, end = (int(panel.offsets[i]) for i in (rows.start, rows.stop))
        offsets = pa.array((panel.offsets[rows.start : rows.stop + 1] - begin).astype(np.int32))
        values = pa.ListArray.from_arrays(offsets, pa.array(panel.values[begin:end]))
        table = {"key": panel.keys[rows], "series": panel.series[rows], "values": values}
        store.write_table(f"{one.table}-{k}", pa.table(table))
        let_go(panel.values)
        counts.append(rows.stop - rows.start)
    store.write_table(one.table, pa.table({"rows": pa.array(counts, pa.int64())}))


def _read(one: Wanted, store: Store, k: int) -> Panel:
    found = store.read_table(f"{one.table}-{k}")
    values = found["values"].to_list()
    return Panel(
        frozen(np.concatenate(values)),
        frozen(offsets_of([len(row) for row in values])),
        tuple(found["key"]),
        one.train.freq,
        one.train.seasons,
        tuple(found["series"]),
    )


def stand_in(one: Wanted) -> Panel:
    """A panel of the shape that a generator that keeps the shape would give, for a plan that draws nothing."""
    return one.train.with_values(one.train.values * (1 + 1e-9 * (1 + one.seed)))
