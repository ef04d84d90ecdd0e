"""Put the run folders of one plan together: every part as it was written, nothing computed again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsgap.atoms import truth_table
from tsgap.errors import StoreError, UsageError
from tsgap.examinations import TABLE as EXAMINATIONS
from tsgap.opened import bench
from tsgap.run import Run
from tsgap.store import Store

_PLACE = ("data", "source", "replicate", "arm", "share", "forecaster")
#: What a self-check may come to, the worst first.
_WORST = ("broken", "nothing shown", "passed")
_ASIDE = "runs that are to be compared are not merged, each is shown and gated by itself"


def merge(runs: Sequence[str | Path | Run] | str | Path | Run, out: str | Path) -> Run:
    """Put runs of one plan, such as the shards of a sweep, together in the folder `out`.

    Parts and tables are verified and taken over byte for byte (as second names of the same files where the system has
    such); what is equal is there once. A damaged part is left out and counts as missing; where two runs forecast
    differently, the part that was written first counts. Both are told by `Run.warnings`. `out` may be one of the
    runs, or hold some of the parts already: nothing that it has is removed. Whatever interrupts this, the same call
    again goes on.

    Raises `UsageError` where the runs are not of one plan: other data, settings, cells or version of tsgap.
    """
    given = [runs] if isinstance(runs, (str, Path, Run)) else list(runs)
    if not given:
        raise UsageError("there is no run to merge; give the folders of one or more")
    folders = list(_opened([one.path if isinstance(one, Run) else Path(one) for one in given]))
    target, first = Path(out), folders[0]
    for other in folders[1:]:
        _check_alike(first, other)
    if (target / "plan.json").exists() and not any(os.path.samefile(target, one.path) for one in folders):
        _check_alike(first, _Folder.of(target))
    with Store.open(target) as store:
        for one in folders:
            if not os.path.samefile(target, one.path):
                _take_over(one, store)
        _check_tables(first, store)
        if checks := _selfchecks(first.manifest, [target, *(one.path for one in folders)]):
            store.write_json("selfcheck", checks)
        if examinations := _examinations(first, [target, *(one.path for one in folders)]):
            store.write_json(EXAMINATIONS, examinations)
        # who finds these finds a run: they come last
        if not (target / "plan.json").exists():
            store.write_json("manifest", {**first.manifest, "notes": [*first.manifest["notes"], *_unlike(folders)]})
            store.write_json("plan", first.plan)
        told = tuple(store.warnings)
    return Run(target, warnings=told)


@dataclass(frozen=True, eq=False)
class _Folder:
    """What a run folder says of itself."""

    path: Path
    manifest: Mapping[str, Any]
    plan: Mapping[str, Any]

    @classmethod
    def of(cls, path: Path) -> _Folder:
        Run(path)  # says what is wrong with one that cannot be read
        store = Store.open(path, create=False)
        return cls(path, store.read_json("manifest"), store.read_json("plan"))

    def files(self, kind: str) -> Iterator[Path]:
        """The files of parts or tables, those of parts in folders of their own; none that is still being written."""
        for file in sorted((self.path / kind).glob("*/*.parquet" if kind == "parts" else "*.parquet")):
            if not file.name.startswith("."):
                yield file


def _opened(paths: Sequence[Path]) -> Iterator[_Folder]:
    """The runs, each once."""
    seen = set()
    for path in paths:
        folder = _Folder.of(path)
        if (where := path.resolve()) not in seen:
            seen.add(where)
            yield folder


def _take_over(one: _Folder, store: Store) -> None:
    """Parts of the cells of the plan, and tables; those of a drawn source only all together."""
    cells = one.plan["cells"]
    store.adopt(file for file in one.files("parts") if file.name.partition("-")[0] in cells)
    tables: dict[str, list[Path]] = {}
    for file in one.files("tables"):
        tables.setdefault("-".join(file.stem.split("-")[:2]), []).append(file)
    for name, files in tables.items():
        # the table that lists the others of a source has no number: where it is, they are
        rest = [file for file in files if file.stem != name]
        wanted = not rest or not (store.path / "tables" / f"{name}.parquet").exists()
        if wanted and store.adopt(rest) == len(rest):
            store.adopt(file for file in files if file.stem == name)


def _check_alike(one: _Folder, other: _Folder) -> None:
    """`UsageError` with the first thing in which the plans of two runs differ."""
    if told := _difference(one, other):
        raise UsageError(f"{one.path} and {other.path} are not runs of one plan: {told}")


def _difference(one: _Folder, other: _Folder) -> str:
    a, b = one.manifest, other.manifest
    if a.get("tsgap") != b.get("tsgap"):
        return f"they were computed by tsgap {a.get('tsgap')} and {b.get('tsgap')}; compute both with one version"
    for kind, names in (("data set", "data"), ("source", "source"), ("forecaster", "forecaster")):
        mine, yours = ({row[names] for row in folder.plan["rows"]} for folder in (one, other))
        if apart := sorted(mine ^ yours):
            return f"only {one.path if apart[0] in mine else other.path} has the {kind} {apart[0]!r}; {_ASIDE}"
    # settings come first: they say in words what makes the windows, and so the names of the tables, differ
    asked, wanted = (_settings(folder["experiment"]) for folder in (a, b))
    for name in {**asked, **wanted}:
        if asked.get(name) != wanted.get(name):
            return f"{name}: {_both(asked.get(name), wanted.get(name))}; {_ASIDE}"
    for name, told in a["data"].items():
        for what in told:
            if told[what] != b["data"][name].get(what):
                return f"{what} of data set {name!r}: {_both(told[what], b['data'][name].get(what))}; {_ASIDE}"
    if told := _other_cells(one, other):
        return told
    if a.get("leaks") != b.get("leaks"):
        return f"what was found of the test in the synthetic series: {_both(a.get('leaks'), b.get('leaks'))}"
    return ""


def _other_cells(one: _Folder, other: _Folder) -> str:
    for a, b in ((one, other), (other, one)):
        there = {where for where, _ in _undrawn(b)}
        if apart := next((told for told in _undrawn(a) if told[0] not in there), None):
            (data, source, replicate), why = apart
            where = f"{data}: {source}, replicate {replicate}"
            return f"in {a.path} there are no synthetic series for {where}: {why}; draw them again"
    mine, yours = ({tuple(r[n] for n in _PLACE): r for r in f.plan["rows"]} for f in (one, other))
    for place in [*mine, *(place for place in yours if place not in mine)]:
        where = ", ".join(str(name) for name in place if name != "")
        if place not in mine or place not in yours:
            return f"only {one.path if place in mine else other.path} has {where}; {_ASIDE}"
        row, twin = mine[place], yours[place]
        if row["cell"] != twin["cell"]:
            x, y = one.plan["cells"][row["cell"]], other.plan["cells"][twin["cell"]]
            differ = [name for name in {**x, **y} if x.get(name) != y.get(name)]
            why = f"the cells of {where} differ in {', '.join(differ)}"
            if "training" in differ:
                why += "; it did not draw the same series: draw them once for all machines, with 'tsgap synth'"
            return why
        for name in row:
            if name != "traceback" and row[name] != twin.get(name):
                return f"{name} of {where}: {_both(row[name], twin.get(name))}"
    return ""


def _undrawn(one: _Folder) -> list[tuple[tuple[str, str, int], str]]:
    """The replicates of sources that could not be drawn, and why."""
    return [((r["data"], r["source"], r["replicate"]), r["error"]) for r in one.plan["rows"] if r["error"]]


def _settings(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting by what it is called, those of a data set one by one."""
    found = {name: _without_paths(told) for name, told in experiment.items() if name != "data"}
    for told in _without_paths(experiment.get("data", [])):
        found.update({f"{name} of data set {told['name']!r}": value for name, value in told.items()})
    return found


def _without_paths(told: Any) -> Any:
    """What is said of data or sources without what they were read from: that may lie elsewhere."""
    if not isinstance(told, list):
        return told
    return [{k: v for k, v in one.items() if k != "what"} if isinstance(one, dict) else one for one in told]


def _both(one: Any, other: Any) -> str:
    return " and ".join(json.dumps(told, ensure_ascii=False)[:100] for told in (one, other))


def _unlike(folders: Sequence[_Folder]) -> list[str]:
    """What to say of libraries that took part in several versions."""
    versions: dict[str, dict[str, None]] = {}
    for folder in folders:
        for name, version in folder.manifest["versions"].items():
            versions.setdefault(name, {})[version] = None
    return [f"merged from runs with {name} {', '.join(found)}" for name, found in versions.items() if len(found) > 1]


def _check_tables(one: _Folder, store: Store) -> None:
    """`StoreError` where no run has a table undamaged without which figures cannot be computed."""
    needed = [told["truth"] for told in one.manifest["data"].values()]
    needed += [truth_table(content["windows"]) for content in one.plan["cells"].values()]
    for held in one.manifest.get("validation", {}).values():
        needed += [name for told in held for name in (told["truth"], told["levels"]) if name]
    for groups in one.manifest.get("groups", {}).values():
        needed += [groups["table"], *(told["table"] for told in groups["covered"].values() if told["table"])]
    for name in dict.fromkeys(needed):
        if not (store.path / "tables" / f"{name}.parquet").exists():
            raise StoreError(f"{store.path}: none of the runs has the table {name!r} undamaged")


def _selfchecks(manifest: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """The self-checks that were made with the windows and settings of this run, of each data set the worst."""
    found: dict[str, Any] = {}
    for folder in folders:
        try:
            recorded = Store.open(folder, create=False).read_json("selfcheck")
        except StoreError:
            continue
        for data, told in recorded.items():
            # one that was made for another run in the same folder says nothing, and must not hide one that does
            ours = data in manifest["data"] and told.get("bench") == bench(manifest, data)
            if not ours or told.get("verdict") not in _WORST:
                continue
            if data not in found or _WORST.index(told["verdict"]) < _WORST.index(found[data]["verdict"]):
                found[data] = told
    return found


def _examinations(one: _Folder, folders: Sequence[Path]) -> dict[str, Any]:
    """What the diagnostics said of the sources of this run; one share of a sweep asks them."""
    sources = {f"{row['data']}/{row['source']}" for row in one.plan["rows"]}
    found: dict[str, Any] = {}
    for folder in folders:
        try:
            recorded = Store.open(folder, create=False).read_json(EXAMINATIONS)
        except StoreError:
            continue
        found = {name: told for name, told in recorded.items() if name in sources} | found
    return found
