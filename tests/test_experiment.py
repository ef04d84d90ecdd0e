"""What a sweep is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tsgap.config import from_toml, to_toml
from tsgap.errors import UnknownNameError, UsageError
from tsgap.experiment import SHARED, DataSpec, Experiment, SourceSpec, data_specs, label_of, listed, named, source_specs
from tsgap.readers import ReadOptions


def test_a_name_before_the_equals_sign_names_the_data_set_or_source() -> None:
    assert named("sales=a.csv") == ("", "sales", "a.csv")
    assert named("nn5/gan=out.npz") == ("nn5", "gan", "out.npz")
    assert named("gen:block-bootstrap:length=24") == ("", "", "gen:block-bootstrap:length=24")
    assert named("out/run=3.csv") == ("out", "run", "3.csv")


@pytest.mark.parametrize(
    ("what", "label"),
    [
        ("data/sales 2.csv", "sales_2"),
        ("gen:block-bootstrap:length=24", "block-bootstrap:length=24"),
        ("card:co2", "co2"),
        ("gan/{replicate}.npz", "gan"),
        ("{data}/{replicate}.npz", "synthetic"),
        ("folder/", "folder"),
        (np.zeros((2, 3)), "synthetic"),
    ],
)
def test_what_has_no_name_gets_one_from_its_file_card_or_generator(what: object, label: str) -> None:
    assert label_of(what, "synthetic") == label


def test_one_thing_a_list_of_texts_and_a_mapping_are_all_understood() -> None:
    assert [d.name for d in data_specs("a.csv")] == ["a"]
    assert [d.name for d in data_specs(Path("x/a.csv"))] == ["a"]
    assert [d.name for d in data_specs(["a.csv", "b=c.csv"])] == ["a", "b"]
    assert [(s.data, s.name) for s in source_specs({"nn5/gan": "x.npz", "vae": "y.npz"})] == [
        ("nn5", "gan"),
        ("", "vae"),
    ]
    frames = [np.zeros((2, 3)), np.zeros((2, 3))]
    assert [s.what is frames for s in source_specs(frames)] == [True]


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(UsageError, match="the list is empty"):
        source_specs([])


def _data(*names: str) -> tuple[DataSpec, ...]:
    return tuple(DataSpec(name, f"{name}.csv") for name in names)


def test_a_file_for_several_data_sets_must_be_bound_to_one() -> None:
    with pytest.raises(UsageError, match=r"bind it to one .*--synthetic a/gan=FILE"):
        Experiment(_data("a", "b"), (SourceSpec("gan", "gan.npz"),))
    Experiment(_data("a", "b"), (SourceSpec("gan", "gan.npz", data="a"), SourceSpec("gan", "gan.npz", data="b")))
    Experiment(_data("a", "b"), (SourceSpec("gan", "{data}/gan.npz"),))
    Experiment(_data("a", "b"), (SourceSpec("copy", "gen:copy"),))


def test_a_pattern_is_filled_in_for_each_data_set() -> None:
    experiment = Experiment(
        _data("a", "b"), (SourceSpec("gan", "{data}/{replicate}.npz"), SourceSpec("x", "x.csv", "b"))
    )
    assert [s.what for s in experiment.sources_of("a")] == ["a/{replicate}.npz"]
    assert [s.what for s in experiment.sources_of("b")] == ["b/{replicate}.npz", "x.csv"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data": ()}, "at least one real data set"),
        ({"sources": ()}, "at least one synthetic source"),
        ({"data": _data("a", "a")}, "two data sets are called 'a'"),
        ({"sources": (SourceSpec("s", "gen:copy"), SourceSpec("s", "gen:shuffle"))}, "two sources are called"),
        ({"replicates": 0}, "replicates must be a whole number from 1 on, got 0"),
        ({"replicates": 2.5}, "replicates must be a whole number, got 2.5"),
        ({"context": -3}, "context must be a whole number from 1 on"),
        ({"context": True}, "context must be a whole number, got True"),
        ({"seed": -1}, "seed must be a whole number from 0 on, got -1"),
        ({"seed": "x"}, "seed must be a whole number, got 'x'"),
        ({"seed": None}, "seed must be a whole number from 0 on, got None"),
        ({"forecasters": ()}, "at least one forecaster"),
        ({"data": _data("a", "b"), "sources": (SourceSpec("s", "x.csv", "b"),)}, "data set 'a' has no synthetic"),
        ({"sources": (SourceSpec("s", "gen:copy", inverse="minmax"),)}, "inverse is for synthetic data from files"),
        ({"sources": (SourceSpec("s", "gen:copy", channels=("x",)),)}, "channels is for synthetic data from files"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], told: str) -> None:
    given = {"data": _data("a"), "sources": (SourceSpec("s", "gen:copy"),), **change}
    with pytest.raises(UsageError, match=told):
        Experiment(**given)  # type: ignore[arg-type]


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    given: Any = {"replicates": np.int64(2), "seed": np.uint8(3)}
    one = Experiment(_data("a"), (SourceSpec("s", "gen:copy"),), **given)
    assert (type(one.replicates), type(one.seed), one.seed) == (int, int, 3)


def test_an_unknown_scaling_and_an_unknown_data_set_list_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'standard'"):
        Experiment(_data("a"), (SourceSpec("s", "gen:copy"),), scaling="standart")
    with pytest.raises(UnknownNameError, match="There are: a"):
        Experiment(_data("a"), (SourceSpec("s", "x.csv", data="b"),))


@pytest.mark.parametrize("given", ["0.1,0.9", "0.9, 0.1,", (0.9, 0.1), [0.1, np.float64(0.9)], np.array([0.1, 0.9])])
def test_quantile_levels_may_be_text_or_numbers_in_any_order(given: Any) -> None:
    assert Experiment(_data("a"), (SourceSpec("s", "gen:copy"),), quantiles=given).quantiles == (0.1, 0.9)


@pytest.mark.parametrize(
    ("given", "told"),
    [("0.1,1", "got 1$"), ((0.0, 0.5), "got 0$"), ((float("nan"),), "got nan"), ("0.5,0.5", "one twice"),
     ("low", "numbers between 0 and 1, got"), (50, "got 50"), (object(), "got")],
)  # fmt: skip
def test_levels_that_are_no_share_are_refused(given: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Experiment(_data("a"), (SourceSpec("s", "gen:copy"),), quantiles=given)


def test_a_file_says_the_same_as_the_experiment_it_was_written_from(tmp_path: Path) -> None:
    options = ReadOptions(freq="D", season_length=(7, 365), id_col='odd "name"', groups=("region",), missing="error")
    experiment = Experiment(
        (
            DataSpec("a", str(tmp_path / "a.csv"), options, (1, "1m"), 3, 2, "2020-01-31"),
            DataSpec("b", "card:co2"),
        ),
        (
            SourceSpec("gan", str(tmp_path / "g" / "{replicate}.npz"), "a", "minmax", ("x", "y")),
            SourceSpec("copy", "gen:copy"),
        ),
        ("linear", "auto-ets:model=ZZN"),
        replicates=3,
        seed=7,
        scaling="standard",
        context=9,
        match=False,
        null=False,
        oracle_split=True,
        validation=True,
        generator_cutoff="2019-12-31",
        quantiles=(0.1, 0.5),
    )
    path = tmp_path / "experiment.toml"
    path.write_text(to_toml(experiment, tmp_path))
    again = from_toml(path)
    assert sorted(again.sources, key=lambda s: s.name) == sorted(experiment.sources, key=lambda s: s.name)
    for name in Experiment.__dataclass_fields__:
        if name != "sources":
            assert getattr(again, name) == getattr(experiment, name)


def test_what_a_file_does_not_say_has_the_default_of_an_experiment(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text('[[data]]\nreal = "a.csv"\n[[sources]]\nsynthetic = "gen:copy"\n')
    found, plain = from_toml(path), Experiment(_data("a"), (SourceSpec("copy", "gen:copy"),))
    assert [getattr(found, name) for name in SHARED] == [getattr(plain, name) for name in SHARED]
    assert "quantiles" not in to_toml(found)


def test_files_named_in_a_file_lie_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text('[[data]]\nreal = "sales.csv"\n[[sources]]\nsynthetic = "gen:copy"\n')
    found = from_toml(path)
    assert (found.data[0].what, found.data[0].name) == (str(tmp_path / "sales.csv"), "sales")
    assert found.sources[0].what == "gen:copy"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[data]]\nreal = 3\n", r"data.0.real: .*string"),
        ('[[data]]\nreal = "a.csv"\nhorizon = [1]\n', r"'data.0.horizon'; did you mean 'data.0.horizons'"),
        ('forcasters = ["x"]\n', r"'forcasters'; did you mean 'forecasters'"),
        ('[[data]]\nreal = "a.csv"\n[[data.sources]]\nwhat = "x.csv"\n', r"0.what'.* There are: .*0.synthetic"),
        ("seed = 1\n", "data: Field required"),
        ("seed = \n", "is not TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "e.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        from_toml(path)


def test_stamps_in_a_file_may_be_dates_of_toml_or_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    rest = '[[data]]\nreal = "a.csv"\nfirst_cutoff = 1990-02-01\n[[sources]]\nsynthetic = "gen:copy"\n'
    path.write_text("generator_cutoff = 1990-01-01\n" + rest)
    found = from_toml(path)
    assert (found.generator_cutoff, found.data[0].first_cutoff) == ("1990-01-01", "1990-02-01")
    path.write_text("generator_cutoff = 40\n" + rest)
    assert from_toml(path).generator_cutoff == "40"


def test_python_objects_cannot_be_written_to_a_file() -> None:
    experiment = Experiment((DataSpec("a", np.zeros(3)),), (SourceSpec("s", "gen:copy"),))
    with pytest.raises(UsageError, match="ndarray as data set cannot be written"):
        to_toml(experiment)


def test_horizons_may_be_text_a_number_or_a_list() -> None:
    assert listed("1, 6,2m") == ("1", "6", "2m")
    assert listed([1, "1m"]) == (1, "1m")
    assert listed(None) == ()
    assert [type(h) for h in listed(np.array([1, 6]))] == [int, int]  # type: ignore[arg-type]
    assert listed(np.int64(6)) == (6,)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["oracle_split", "validation", "diagnose", "stress"])
def test_what_augmentation_alone_has_no_use_for_is_refused(name: str) -> None:
    data, source = DataSpec("d", "d.csv"), SourceSpec("s", "gen:copy")
    with pytest.raises(UsageError, match=f"{name} is not for augmentation alone"):
        Experiment((data,), (source,), augment="only", **{name: True})
