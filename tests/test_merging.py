"""Shards of a sweep, and run folders put together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tsgap
from tests.said import EVERYTHING, differing, in_groups, only_quick_diagnostics
from tests.test_sweeps import Broken, swept
from tests.worlds import seasonal
from tsgap import blocks, fits, plan
from tsgap.errors import StoreError, UsageError
from tsgap.fits import fits_of
from tsgap.formats import json_text
from tsgap.opened import bench
from tsgap.previews import preview
from tsgap.run import Run
from tsgap.sharing import Shard
from tsgap.store import Part, Store
from tsgap.sweeps import Progress

SOURCES = ["gen:stl-bootstrap", "gen:shuffle"]


def sharded(tmp_path: Path, n: int, **given: Any) -> list[Run]:
    """The shards of a sweep, each in a folder of its own."""
    return [
        swept(tmp_path, **{"synthetic": SOURCES, "out": tmp_path / f"{k}of{n}", **given}, shard=(k, n))
        for k in range(1, n + 1)
    ]


def parts(folder: Path) -> dict[str, bytes]:
    """The files of parts by name."""
    return {file.name: file.read_bytes() for file in (folder / "parts").rglob("*.parquet")}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run, list[Run]]:
    """A sweep as a whole and in three shards."""
    home = tmp_path_factory.mktemp("world")
    whole = swept(home, SOURCES, out=home / "whole")
    return home, whole, sharded(home, 3)


@pytest.mark.parametrize("given", ["3/8", " 3 / 8 ", (3, 8), [3, 8], Shard(3, 8)])
def test_a_shard_is_read_from_text_and_from_numbers(given: Any) -> None:
    assert Shard.read(given) == Shard(3, 8)
    assert str(Shard.read(given)) == "3/8"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("0/8", "shares are counted from 1; if a batch system's array counts from 0, let it count from 1 to 8"),
        ("9/8", "counted from 1 to 8"),
        ("-1/8", "counted from 1 to 8"),
        ("1/0", "at least one share"),
        ("3", "such as 3/8, got '3'"),
        ("a/b", "such as 3/8"),
        ((1, 2, 3), "such as 3/8"),
        ((1.0, 2), "such as 3/8"),
        ((True, 2), "such as 3/8"),
    ],
)
def test_a_shard_that_is_none_is_refused_in_words(given: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        swept(tmp_path, shard=given)
    assert not (tmp_path / "run").exists()


def all_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **given: Any) -> list[Any]:
    """The fits of a sweep that is not run."""
    real, seen = plan.made, list[Any]()

    def made(*asked: Any) -> plan.Plan:
        seen.append(real(*asked))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(plan, "made", made)
        with pytest.raises(KeyboardInterrupt):
            swept(tmp_path, SOURCES, **given)
    return fits_of(seen[0].cells.values())


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
def test_shares_are_disjoint_together_everything_and_alike_in_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    fits = all_fits(tmp_path, monkeypatch, forecasters=["linear", "seasonal-naive", "linear:ridge=1"], replicates=5)
    shares = [Shard(k, n).share(fits) for k in range(1, n + 1)]
    names = [fit.name for share in shares for fit in share]
    assert sorted(names) == sorted(fit.name for fit in fits)
    assert len(set(names)) == len(names)
    counts = [len(share) for share in shares]
    assert max(counts) - min(counts) <= 1
    for group in {fit.group for fit in fits}:
        loads = [sum(fit.size for fit in share if fit.group == group) for share in shares]
        assert max(loads) - min(loads) <= max(fit.size for fit in fits if fit.group == group)
    rng = np.random.default_rng(0)
    mixed = [fits[i] for i in rng.permutation(len(fits))]
    assert {fit.name for fit in Shard(1, n).share(mixed)} == {fit.name for fit in shares[0]}


def test_shards_may_hold_blocks_of_other_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"forecasters": ["linear"], "replicates": 5}
    whole = swept(tmp_path, SOURCES, out=tmp_path / "whole", **given)
    runs = []
    for k, size in ((1, "200"), (2, "")):
        monkeypatch.setenv(blocks.VARIABLE, size)
        runs.append(swept(tmp_path, SOURCES, out=tmp_path / str(k), shard=(k, 2), **given))
    merged = tsgap.merge(runs, tmp_path / "merged")
    assert merged.complete
    assert len({head.n_parts for head in Store.open(merged.path).heads().values()}) > 1
    assert json_text(merged.profile()) == json_text(whole.profile())


def test_blocks_of_one_cell_are_shared_out_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "PAIRED_BLOCK", 2)
    spec = tsgap.ForecasterSpec("mean", "", Mean, scope="local")
    whole = swept(tmp_path, SOURCES, forecasters=[spec], out=tmp_path / "whole")
    one, two = sharded(tmp_path, 2, forecasters=[spec])
    assert not parts(one.path).keys() & parts(two.path).keys()
    merged = tsgap.merge([one, two], tmp_path / "merged")
    assert merged.complete
    assert json_text(merged.profile()) == json_text(whole.profile())


class Mean(Broken):
    """A local forecaster: the mean of the twin."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.mean = {key: float(y.mean()) for key, y in zip(train.keys, train, strict=True)}

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        levels = np.array([self.mean[key] for key in history.series])
        return tsgap.Forecast(np.repeat(levels[:, None], horizon, axis=1))


def test_the_merged_run_is_the_unsharded_one(world: tuple[Path, Run, list[Run]], tmp_path: Path) -> None:
    _, whole, shards = world
    merged = tsgap.merge(shards, tmp_path / "merged")
    assert merged.complete
    assert merged.warnings == ()
    metrics = ["mae", "mase", "rmse"]
    assert json_text(merged.profile(metrics)) == json_text(whole.profile(metrics))
    assert merged.gate().to_json().replace(str(merged.path), "") == whole.gate().to_json().replace(str(whole.path), "")
    assert parts(merged.path) == {name: raw for run in shards for name, raw in parts(run.path).items()}
    assert {name.rpartition("-")[2] for name in parts(whole.path)} == {
        name.rpartition("-")[2] for name in parts(merged.path)
    }
    assert json.loads((merged.path / "plan.json").read_text()) == json.loads((whole.path / "plan.json").read_text())
    seen: list[Progress] = []
    swept(tmp_path, SOURCES, out=merged.path, on_progress=seen.append)
    assert seen[-1].reused == seen[-1].total


def test_the_merged_run_is_the_unsharded_one_in_all_its_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_quick_diagnostics(monkeypatch)

    def swept(name: str, **given: Any) -> Run:
        return tsgap.sweep(in_groups(), "gen:stl-bootstrap", out=tmp_path / name, jobs=0, **EVERYTHING, **given)

    shards = [swept(f"shard-{k}", shard=(k, 3)).path for k in (1, 2, 3)]
    merged = tsgap.merge(shards[::-1], out=tmp_path / "merged")
    assert merged.complete
    assert differing(swept("whole"), merged) == []


def test_a_shard_that_stands_alone_says_what_is_missing_and_never_passes(world: tuple[Path, Run, list[Run]]) -> None:
    for run in world[2]:
        assert not run.complete
        verdict = run.gate(margin=0.9, retain=0.01)
        assert not verdict.passed
        assert verdict.exit_code() == verdict.exit_code("warn") == 3
        assert "missing" in verdict.to_text()
        assert (run.cells().status == "missing").any()


def test_the_same_run_twice_and_a_run_merged_into_itself_change_nothing(
    world: tuple[Path, Run, list[Run]], tmp_path: Path
) -> None:
    one = shutil.copytree(world[2][0].path, tmp_path / "one")
    before = parts(one)
    tsgap.merge([one, one, tmp_path / "." / "one"], one)
    assert parts(one) == before
    merged = tsgap.merge(world[2], one)
    assert merged.complete
    assert parts(one).keys() > before.keys()
    again = tsgap.merge(one, tmp_path / "again")
    assert again.complete
    assert parts(again.path) == parts(one)


def test_shards_may_share_a_folder(world: tuple[Path, Run, list[Run]], tmp_path: Path) -> None:
    seen: list[Progress] = []
    for k in (1, 2, 3):
        run = swept(tmp_path, SOURCES, out=tmp_path / "shared", shard=f"{k}/3", on_progress=seen.append)
    assert run.complete
    assert sum(state.total for state in seen if not state.done) == len(parts(run.path))
    assert seen[-1].done == seen[-1].total
    assert json_text(run.profile()) == json_text(world[1].profile())


SHARED = """
import sys, tsgap
from tests.worlds import seasonal
tsgap.sweep(seasonal(), ["gen:stl-bootstrap", "gen:shuffle"], forecasters=["seasonal-naive", "linear"], horizons=[1, 6],
            windows=3, replicates=1, jobs=1, out=sys.argv[1], shard=sys.argv[2])
"""


@pytest.mark.slow
def test_shards_may_write_to_one_folder_at_the_same_time(world: tuple[Path, Run, list[Run]], tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": str(root)}
    commands = [[sys.executable, "-c", SHARED, str(tmp_path / "r"), f"{k}/3"] for k in (1, 2, 3)]
    processes = [subprocess.Popen(command, env=env, cwd=root) for command in commands]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    run = Run(tmp_path / "r")
    assert run.complete
    assert json_text(run.profile()) == json_text(world[1].profile())


def test_more_shards_than_there_is_work_leave_some_with_nothing(tmp_path: Path) -> None:
    totals = []
    for k in range(1, 8):
        seen: list[Progress] = []
        run = swept(tmp_path, forecasters=["seasonal-naive"], null=False, shard=(k, 7), on_progress=seen.append)
        totals.append(seen[-1].total)
    assert sorted(totals) == [0, 0, 0, 0, 0, 0, 1]
    assert run.complete


def test_what_a_shard_did_is_not_done_again_and_only_its_own_failures_are_tried_again(tmp_path: Path) -> None:
    given: dict[str, Any] = {"forecasters": [Broken, "linear"], "out": tmp_path / "run"}
    for k in (1, 2):
        swept(tmp_path, SOURCES, shard=(k, 2), **given)
    files = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "run" / "parts").rglob("*.parquet")}
    seen: list[Progress] = []
    swept(tmp_path, SOURCES, shard=(1, 2), retry_failed=True, on_progress=seen.append, **given)
    retried = {f.name for f in (tmp_path / "run" / "parts").rglob("*.parquet") if f.stat().st_mtime_ns != files[f.name]}
    assert len(retried) == seen[-1].failed > 0
    assert seen[-1].reused > 0
    assert Run(tmp_path / "run").n_failed > len(retried)


def test_what_has_no_forecast_is_a_fault_of_the_share_that_has_it(tmp_path: Path) -> None:
    for _ in range(2):
        faults = []
        for k in (1, 2, 3):
            seen: list[Progress] = []
            given: dict[str, Any] = {"forecasters": ["linear", Broken], "null": False, "on_progress": seen.append}
            swept(tmp_path, "gen:shuffle", shard=(k, 3), **given)
            faults.append(seen[-1].faults)
        assert sorted(faults) == [0, 1, 1]
    seen = []
    swept(tmp_path, "gen:tests.test_sweeps:Nothing", out=tmp_path / "n", shard=(1, 9), on_progress=seen.append)
    assert seen[-1].faults == 2


def test_a_block_in_which_every_window_failed_is_a_fault_now_and_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "PAIRED_BLOCK", 2)
    spec = tsgap.ForecasterSpec("broken", "", Broken, scope="local")
    for _ in range(2):
        seen: list[Progress] = []
        swept(tmp_path, "gen:shuffle", forecasters=[spec], null=False, shard=(1, 2), on_progress=seen.append)
        assert seen[-1].failed == 0
        assert seen[-1].faults == 3


def test_a_preview_says_the_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("tsgap.sweeps.perform", lambda experiment, **_: given.update(experiment=experiment))
    swept(tmp_path, SOURCES)
    found = [preview(given["experiment"], shard=(k, 3)) for k in (1, 2, 3)]
    assert [one.whole for one in found] == [5, 5, 5]
    assert sorted(one.tasks for one in found) == [1, 2, 2]


def test_parts_that_are_damaged_are_told_left_out_and_computed_again(
    world: tuple[Path, Run, list[Run]], tmp_path: Path
) -> None:
    copies = [shutil.copytree(run.path, tmp_path / run.path.name) for run in world[2]]
    file = next((copies[0] / "parts").rglob("*.parquet"))
    raw = bytearray(file.read_bytes())
    raw[60] ^= 1  # among the forecasts: the end of the file, which says what it is, is whole
    file.write_bytes(raw)
    merged = tsgap.merge(copies, tmp_path / "merged")
    assert [w for w in merged.warnings if file.name in w and "damaged" in w and "left out" in w]
    assert file.exists()
    assert merged.n_ended == merged.n_cells - 1
    assert not merged.gate(margin=0.9, retain=0.01).passed
    whole = tsgap.merge([*copies, world[2][0]], tmp_path / "merged")
    assert whole.complete
    assert json_text(whole.profile()) == json_text(world[1].profile())


def test_a_damaged_part_of_the_target_is_replaced(world: tuple[Path, Run, list[Run]], tmp_path: Path) -> None:
    merged = tsgap.merge(world[2], tmp_path / "merged").path
    for kind in ("parts", "tables"):
        file = sorted((merged / kind).rglob("*.parquet"))[-1]
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 1
        file.unlink()  # it may be a second name of a shard's file
        file.write_bytes(raw)
    again = tsgap.merge(world[2], merged)
    assert again.complete
    assert json_text(again.profile()) == json_text(world[1].profile())


def test_parts_that_contradict_each_other_are_told(world: tuple[Path, Run, list[Run]], tmp_path: Path) -> None:
    copy = shutil.copytree(world[2][0].path, tmp_path / "copy")
    with Store.open(copy) as store:
        key = next(iter(store.finished()))
        [part] = store.parts(key)
        store.remove(store.heads()[key, 0, 1])
        store.add(Part(key, 0, 1, "ok", part.rows, part.mean + 1.0))
    merged = tsgap.merge([copy, *world[2]], tmp_path / "merged")
    merged.profile()
    assert any(key in warning and "not reproducible" in warning for warning in merged.warnings)
    assert json_text(merged.profile()) == json_text(world[1].profile())


@pytest.mark.parametrize("links", [True, False])
def test_files_are_shared_where_the_system_can_and_copied_elsewhere(
    world: tuple[Path, Run, list[Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    merged = tsgap.merge(world[2], tmp_path / "merged").path
    for run in world[2]:
        for file in (run.path / "parts").rglob("*.parquet"):
            [twin] = (merged / "parts").rglob(file.name)
            assert twin.read_bytes() == file.read_bytes()
            assert os.path.samefile(file, twin) == links
    assert not list((merged / "work").iterdir())


def test_an_interrupted_merge_leaves_no_run_and_goes_on(
    world: tuple[Path, Run, list[Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = Store._adopted, iter(range(3))

    def adopt(self: Store, file: Path, target: Path) -> bool:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return real(self, file, target)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_adopted", adopt)
        with pytest.raises(KeyboardInterrupt):
            tsgap.merge(world[2], tmp_path / "merged")
    assert 0 < len(parts(tmp_path / "merged")) <= 3
    with pytest.raises(StoreError, match="no plan in it yet"):
        tsgap.load(tmp_path / "merged")
    merged = tsgap.merge(world[2], tmp_path / "merged")
    assert json_text(merged.profile()) == json_text(world[1].profile())


class Chance:
    """A generator that is not the same twice."""

    def fit(self, train: tsgap.Panel, *, seed: int) -> None:
        self.train = train

    def sample(self, *, seed: int) -> tsgap.Panel:
        return self.train.with_values(self.train.values + int.from_bytes(os.urandom(4), "little"))


SMALL: dict[str, Any] = {"synthetic": "gen:copy", "forecasters": ["linear"], "null": False}
OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "data": ({}, {"real": seasonal(seed=3)}, "truth of data set 'data'"),
    "horizons": (
        {},
        {"horizons": [1, 5]},
        r"horizons of data set 'data': \[1, 6\] and \[1, 5\]; runs that are to be compared are not merged",
    ),
    "seed": ({}, {"seed": 1}, "seed: 0 and 1"),
    "scaling": ({}, {"scaling": "standard"}, "scaling"),
    "replicates": ({}, {"replicates": 2}, "replicates: 1 and 2"),
    "source": ({}, {"synthetic": "gen:shuffle"}, "only .*a has the source 'copy'; runs that are to be compared"),
    "forecaster": ({}, {"forecasters": ["linear", "linear:ridge=1"]}, "only .*b has the forecaster 'linear:ridge=1'"),
    "quantiles": ({}, {"quantiles": "0.1,0.9"}, "quantiles: null and"),
    "generator": ({"synthetic": {"g": Chance}}, {"synthetic": {"g": Chance}}, "differ in training.*tsgap synth"),
    "undrawn": (
        {"synthetic": {"g": Chance}},
        {"synthetic": {"g": "gen:tests.test_sweeps:Nothing"}},
        "in .*b there are no synthetic series for data: g, replicate 0: error: .*nothing to give",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_runs_of_other_plans_are_refused_with_what_differs(tmp_path: Path, name: str) -> None:
    mine, yours, told = OTHERS[name]
    one, other = (swept(tmp_path, out=tmp_path / f, **{**SMALL, **g}) for f, g in (("a", mine), ("b", yours)))
    with pytest.raises(UsageError, match=told) as caught:
        tsgap.merge([one, other], tmp_path / "merged")
    assert "are not runs of one plan" in str(caught.value)
    assert not (tmp_path / "merged").exists()
    before = parts(tmp_path / "b")
    with pytest.raises(UsageError, match="are not runs of one plan"):
        tsgap.merge([one], tmp_path / "b")
    assert parts(tmp_path / "b") == before


def test_another_version_of_tsgap_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(tmp_path, out=tmp_path / "a", **SMALL)
    monkeypatch.setattr(tsgap, "__version__", "9.9")
    swept(tmp_path, out=tmp_path / "b", **SMALL)
    with pytest.raises(UsageError, match=r"by tsgap 0\.1\.0 and 9\.9"):
        tsgap.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "merged")


def test_the_same_file_elsewhere_and_other_libraries_are_no_hindrance_but_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"home-{name}").mkdir()
        file = tmp_path / f"home-{name}" / "real.csv"
        seasonal().to_csv(file, index=False)
        number = {"a": 1, "b": 2}[name]
        swept(tmp_path, real=str(file), out=tmp_path / name, **SMALL, shard=(number, 2))
    told = json.loads((tmp_path / "b" / "manifest.json").read_text())
    told["versions"]["numpy"] = "9.9"
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(told))
    merged = tsgap.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "merged")
    assert merged.complete
    assert [note for note in merged.manifest["notes"] if "merged from runs with numpy" in note and "9.9" in note]


def test_what_is_no_run_and_a_truth_that_is_nowhere_are_errors_of_input(
    world: tuple[Path, Run, list[Run]], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no run to merge"):
        tsgap.merge([], tmp_path / "merged")
    with pytest.raises(StoreError, match="is not a run folder"):
        tsgap.merge([tmp_path / "nowhere"], tmp_path / "merged")
    copy = shutil.copytree(world[2][0].path, tmp_path / "copy")
    truth = next((copy / "tables").glob("truth-*"))
    truth.write_bytes(truth.read_bytes()[:-1])
    with pytest.raises(StoreError, match="none of the runs has the table 'truth-"):
        tsgap.merge([copy], tmp_path / "merged")
    assert tsgap.merge([copy, world[2][1]], tmp_path / "merged").n_ended > 0


def with_checks(world: tuple[Path, Run, list[Run]], home: Path, *checks: tuple[str, bool]) -> list[Path]:
    """Copies of the shards, each with a self-check: how it ended, and whether it was made with these settings."""
    copies = [shutil.copytree(run.path, home / run.path.name) for run in world[2]]
    for copy, (verdict, ours) in zip(copies, checks, strict=False):
        made_with = bench(world[1].manifest, "data") | ({} if ours else {"scaling": "of another run"})
        with Store.open(copy) as store:
            store.write_json("selfcheck", {"data": {"verdict": verdict, "bench": made_with}})
    return copies


def test_drawn_series_and_the_worst_self_check_are_taken_along(
    world: tuple[Path, Run, list[Run]], tmp_path: Path
) -> None:
    copies = with_checks(world, tmp_path, ("passed", True), ("broken", True), ("passed", True))
    merged = tsgap.merge(copies, tmp_path / "merged").path
    assert json.loads((merged / "selfcheck.json").read_text())["data"]["verdict"] == "broken"
    tables = {file.name for file in (merged / "tables").iterdir()}
    assert tables == {file.name for file in (copies[0] / "tables").iterdir()}
    assert any(name.startswith("drawn-") for name in tables)


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ((("broken", True), ("broken", False)), False),
        ((("broken", False), ("broken", True)), False),
        ((("passed", True), ("broken", False)), True),
        ((("passed", False), ("passed", True)), True),
        ((("passed", True), ("nothing shown", True)), None),
        ((("nothing shown", True), ("broken", True)), False),
        ((("passed", False),), None),
    ],
)
def test_a_self_check_made_with_other_settings_hides_none_that_counts(
    world: tuple[Path, Run, list[Run]], tmp_path: Path, checks: tuple[tuple[str, bool], ...], expected: bool | None
) -> None:
    merged = tsgap.merge(with_checks(world, tmp_path, *checks), tmp_path / "merged")
    assert merged.checked("data") is expected


def test_runs_that_do_not_say_the_same_of_leaks_are_not_merged(
    world: tuple[Path, Run, list[Run]], tmp_path: Path
) -> None:
    copy = shutil.copytree(world[2][1].path, tmp_path / "copy")
    with Store.open(copy) as store:
        leaks = {"data/stl-bootstrap": ["replicate 0: 3 of 8"]}
        store.write_json("manifest", store.read_json("manifest") | {"leaks": leaks})
    with pytest.raises(UsageError, match=r"found of the test in the synthetic series: \{\} and \{.*3 of 8"):
        tsgap.merge([world[2][0], copy], tmp_path / "merged")


def test_a_source_of_which_one_table_is_damaged_is_drawn_again(
    world: tuple[Path, Run, list[Run]], tmp_path: Path
) -> None:
    copy = shutil.copytree(world[2][0].path, tmp_path / "copy")
    file = next(iter(sorted((copy / "tables").glob("drawn-*-0.parquet"))))
    file.write_bytes(file.read_bytes()[:-1])
    merged = tsgap.merge([copy], tmp_path / "merged").path
    assert not (merged / "tables" / f"{file.stem[:-2]}.parquet").exists()
    run = swept(tmp_path, SOURCES, out=merged)
    assert json_text(run.profile()) == json_text(world[1].profile())
