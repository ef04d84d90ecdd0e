"""Plugins are found, isolated, named and chosen."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import pytest

import tsgap
from tsgap import plugins
from tsgap.errors import DataError, PluginError, UnknownNameError, UsageError
from tsgap.plugins import (
    choose_diagnostic,
    choose_forecaster,
    choose_generator,
    choose_metric,
    code_of,
    register,
    registry,
)
from tsgap.plugins.identity import code_hash

Install = Callable[..., Path]


class LastValue:
    """Repeats the last value."""

    def __init__(self, lags: int = 3) -> None:
        self.lags = lags

    def fit(self, train: Any, *, horizon: int, context: int | None, seed: int) -> None:
        self.level = float(np.mean(train.values))

    def predict(self, history: Any, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Any:
        return tsgap.Forecast(np.array([[y[-1]] * horizon for y in history]))


class Copy:
    def fit(self, train: Any, *, seed: int) -> None:
        self.train = train

    def sample(self, *, seed: int) -> Any:
        return self.train


def last_value(lags: int = 3) -> LastValue:
    return LastValue(lags)


def needy(lags: int) -> LastValue:
    return LastValue(lags)


def no_forecaster() -> dict[str, int]:
    return {}


# finding ----------------------------------------------------------------------------------------------------------


def test_a_plugin_offers_something_through_every_hook(install: Install) -> None:
    install("good")
    found = registry()
    assert found.broken == ()
    for kind, name in [
        ("forecasters", "drift"),
        ("generators", "twice"),
        ("metrics", "my-mse"),
        ("diagnostics", "level"),
        ("datasets", "one-value"),
    ]:
        offer = getattr(found, kind)[name]
        assert (offer.distribution, offer.version, offer.qualified) == ("tsgap-good", "1.0", f"tsgap-good/{name}")
    assert choose_metric("my-mse").loss is sys.modules["good"].squared


def test_first_party_plugins_go_through_the_same_door() -> None:
    assert registry().forecasters["seasonal-naive"].distribution == "tsgap"
    assert next(iter(registry().forecasters.values())).distribution == "tsgap"


@pytest.mark.parametrize(
    ("module", "cause"),
    [
        ("broken_import", "cannot be imported: ModuleNotFoundError: No module named 'nosuch_package_for_tsgap'"),
        ("exits", "cannot be imported: SystemExit: no licence found"),
        ("asks_back", "cannot be imported: PluginError: plugins are still being loaded; a plugin offers by its hooks"),
        ("misspelt", "there is no hook 'tsgap_forecaster'; did you mean 'tsgap_forecasters'?"),
        ("hook_raises", "tsgap_forecasters failed: OSError: the model list is gone"),
        ("wrong_api", "is written for TSGAP_API 99, this tsgap has 1; install versions that go together"),
        ("unmarked", "tsgap_forecasters is not marked as a hook; put @tsgap.hookimpl above it"),
        ("empty", "has no hook; mark one of"),
        ("not_a_spec", "tsgap_forecasters must yield ForecasterSpec, got type <class 'dict'>"),
        ("bad_spec", "a forecaster's name must be words joined by '-', got 'of course'"),
        ("wrapper", "tsgap_forecasters is a wrapper; a hook yields specs and wraps nothing"),
        ("yields_twice", "tsgap_forecasters yields the name 'again' twice"),
    ],
)
def test_a_broken_plugin_is_named_and_isolated(install: Install, module: str, cause: str) -> None:
    install(module, "good")
    found = registry()
    assert "drift" in found.forecasters
    assert "seasonal-naive" in found.forecasters
    (broken,) = found.broken
    assert broken.distribution == f"tsgap-{module.replace('_', '-')}"
    assert (broken.name, broken.version) == ("main", "1.0")
    assert broken.cause.startswith(cause)
    if module not in ("not_a_spec", "yields_twice"):  # nothing was raised
        assert "Error" in broken.traceback or "SystemExit" in broken.traceback


def test_all_broken_plugins_together_cost_only_themselves(install: Install) -> None:
    modules = ["broken_import", "exits", "misspelt", "hook_raises", "wrong_api", "unmarked", "empty"]
    install(*modules, "not_a_spec", "bad_spec", "wrapper", "yields_twice", "good")
    found = registry()
    assert len(found.broken) == 11
    assert "drift" in found.forecasters
    assert "survivor" in found.generators
    assert found.forecasters["again"].spec.summary == "First."


def test_an_interrupt_while_plugins_load_is_not_swallowed(install: Install) -> None:
    site = install("good")
    (site / "good.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        registry()


def test_what_a_plugin_prints_at_import_does_not_reach_stdout(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("good")
    registry()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "printed at import" in printed.err


def test_plugins_are_loaded_once_and_again_when_asked(install: Install, tmp_path: Path) -> None:
    install("good")
    assert "survivor" not in registry().generators
    from conftest import install_into

    install_into(tmp_path / "site", "hook_raises")
    assert "survivor" not in registry().generators
    assert "survivor" in registry(reload=True).generators


def test_a_name_that_two_distributions_claim_must_be_qualified(install: Install) -> None:
    install("good", "duplicate")
    with pytest.raises(PluginError, match="tsgap-duplicate and tsgap-good") as caught:
        choose_forecaster("drift")
    assert "tsgap-good/drift" in str(caught.value)
    chosen = choose_forecaster("tsgap-good/drift:lags=4")
    assert chosen.distribution == "tsgap-good"
    assert chosen.label == "tsgap-good/drift:lags=4"
    assert choose_forecaster("tsgap-duplicate/drift").spec.summary == "Another drift."
    assert "drift" not in registry().forecasters
    assert {"tsgap-good/drift", "tsgap-duplicate/drift"} <= set(registry().forecasters)


def test_a_qualified_name_works_without_a_duplicate_and_is_not_shown(install: Install) -> None:
    install("good")
    assert choose_forecaster("tsgap-good/drift").label == "drift"


def test_a_distribution_whose_metadata_lie_on_two_paths_counts_once(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conftest import install_into

    install("good")
    install_into(tmp_path / "again", "good")
    monkeypatch.syspath_prepend(tmp_path / "again")
    assert choose_forecaster("drift").distribution == "tsgap-good"
    assert registry().clashes == ()


def test_two_entry_points_of_one_distribution_cannot_offer_one_name(install: Install) -> None:
    site = install("good")
    (points,) = site.glob("*.dist-info/entry_points.txt")
    points.write_text("[tsgap]\nmain = good\nmore = duplicate\n")
    (site / "duplicate.py").write_text((Path(__file__).parent / "plugin_dists" / "duplicate.py").read_text())
    (broken,) = registry().broken
    assert (broken.name, broken.cause) == ("more", "tsgap_forecasters yields the name 'drift' twice")
    assert choose_forecaster("drift").spec.summary == "A line with a learned slope."


# names of the host ------------------------------------------------------------------------------------------------


def test_a_name_of_the_host_stays_the_hosts_whoever_claims_it(install: Install) -> None:
    install("claims_host")
    found = registry()
    assert found.broken == ()
    for kind, name in [
        ("forecasters", "seasonal-naive"),
        ("generators", "shuffle"),
        ("metrics", "mase"),
        ("diagnostics", "shift"),
        ("datasets", "macrodata"),
    ]:
        for typed in (name, f"tsgap/{name}"):
            assert found.named(kind, typed).distribution == "tsgap"
        foreign = found.named(kind, f"tsgap-claims-host/{name}")
        assert foreign.distribution == "tsgap-claims-host"
        table = getattr(found, kind)
        assert (table[name].distribution, table[f"tsgap-claims-host/{name}"]) == ("tsgap", foreign)
        assert (found.label(kind, table[name]), found.label(kind, foreign)) == (name, f"tsgap-claims-host/{name}")
    assert [(clash.kind, clash.name) for clash in found.clashes] == [
        ("forecasters", "seasonal-naive"),
        ("generators", "shuffle"),
        ("metrics", "mase"),
        ("diagnostics", "shift"),
        ("datasets", "macrodata"),
    ]
    assert found.clashes[2].cause == (
        "the metric 'mase' is tsgap's, and claimed by tsgap-claims-host too; type mase for tsgap's, "
        "tsgap-claims-host/mase for the other"
    )


def test_what_is_chosen_by_a_name_of_the_host_is_the_hosts(install: Install) -> None:
    install("claims_host")
    for typed in ("seasonal-naive", "tsgap/seasonal-naive"):
        chosen = choose_forecaster(typed)
        assert (chosen.label, chosen.distribution) == ("seasonal-naive", "tsgap")
    assert choose_generator("shuffle").distribution == "tsgap"
    foreign = choose_forecaster("tsgap-claims-host/seasonal-naive")
    assert (foreign.label, foreign.spec.summary) == ("tsgap-claims-host/seasonal-naive", "Another one.")


@pytest.mark.usefixtures("no_plugins_loaded")
def test_an_object_whose_name_is_taken_goes_by_where_it_is_from() -> None:
    class SeasonalNaive(LastValue):
        pass

    assert choose_forecaster(SeasonalNaive).label == f"{__name__}/seasonal-naive"
    assert choose_forecaster(tsgap.ForecasterSpec("linear", "Mine.", LastValue)).label.endswith("/linear")


def test_a_data_set_that_claims_the_name_of_a_card_costs_only_itself(install: Install) -> None:
    from tsgap.readers.catalog import catalog, load_card

    install("claims_host")
    for typed in ("macrodata", "tsgap/macrodata"):
        data = load_card(typed)
        assert (len(data), data.notes) == (12, ())
    found = catalog()
    assert "m4_weekly" in found.cards
    assert sorted(found.faults) == ["tsgap-claims-host/m4_weekly", "tsgap-claims-host/macrodata"]
    with pytest.raises(DataError, match="tsgap-claims-host/macrodata: a card begins with a head"):
        load_card("tsgap-claims-host/macrodata")


# signatures -------------------------------------------------------------------------------------------------------


def test_a_spec_that_cannot_be_called_as_it_will_be_is_broken_and_costs_only_itself(install: Install) -> None:
    install("bad_params")
    found = registry()
    causes = [broken.cause for broken in found.broken]
    for cause, said in zip(
        causes,
        [
            "'misspelt': its build cannot be called with (lags=…, strenght=…) as its params say: got an unexpected "
            "keyword argument 'strenght'; Two has the signature (lags, strength=1.0)",
            "'lacking': its build cannot be called with () as its params say: missing a required argument: 'lags'",
            "'misspelt-too': its build cannot be called with (lag=…) as its params say",
            "metric 'two-arguments': its loss cannot be called with (truth, forecast, scale): too many positional",
            "diagnostic 'seedless': its measure cannot be called with (contrast, *, seed): got an unexpected",
            "data set 'wants': its load cannot be called with (): missing a required argument: 'path'",
            "data set 'card-wants': its card cannot be called with (): missing a required argument: 'path'",
        ],
        strict=True,
    ):
        assert said in cause
    assert {"open", "untold", "never"} <= set(found.forecasters)
    assert "fine" in found.metrics
    assert not {"misspelt", "lacking"} & set(found.forecasters)


def test_a_spec_in_python_that_cannot_be_called_as_it_will_be_is_refused() -> None:
    spec = tsgap.ForecasterSpec("mine", "Mine.", LastValue, params={"lag": 3})
    with pytest.raises(UsageError, match="got an unexpected keyword argument 'lag'"):
        choose_forecaster(spec)
    with pytest.raises(PluginError, match=r"cannot register 'mine': .*unexpected keyword argument 'lag'"):
        register(spec)


# choosing by name -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("strength=2", "strength", 2.0),
        ("lags=12", "lags", 12),
        ("name=a b:c", "name", "a b:c"),
        ("robust=true", "robust", True),
        ("robust=no", "robust", False),
        ("order=2+1+0", "order", (2, 1, 0)),
        ("start=7", "start", 7),
        ("start=0.5", "start", 0.5),
        ("start=none", "start", None),
        ("start=true", "start", True),
        ("start=ZZN", "start", "ZZN"),
        ("start=1+1+1", "start", (1, 1, 1)),
    ],
)
def test_a_value_takes_the_type_of_the_default(install: Install, text: str, key: str, value: object) -> None:
    install("good")
    found = choose_forecaster(f"drift:{text}").params[key]
    assert found == value
    assert type(found) is type(value)


def test_the_label_shows_what_differs_from_the_defaults_in_one_order(install: Install) -> None:
    install("good")
    assert choose_forecaster("drift").label == "drift"
    assert choose_forecaster("drift:lags=3,strength=1").label == "drift"
    one, other = choose_forecaster("drift:lags=4, robust=yes"), choose_forecaster("drift:robust=1,lags=4")
    assert one.label == other.label == "drift:lags=4,robust=true"
    again = choose_forecaster(choose_forecaster("drift:start=none,order=2+0,lags=4").label)
    assert again.params["order"] == (2, 0)


def test_parameters_reach_what_is_built(install: Install) -> None:
    install("good")
    built = choose_forecaster("drift:strength=2.5").build()
    assert built.strength == 2.5
    assert built.lags == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("drift:lag=3", r"no parameter 'lag'; did you mean 'lags'\? Its parameters: strength=1.0, lags=3"),
        ("drift:lags=three", "drift:lags must be a whole number, got 'three'"),
        ("drift:strength=x", "drift:strength must be a number, got 'x'"),
        ("drift:robust=maybe", "drift:robust must be true or false, got 'maybe'"),
        ("drift:order=1+x", "drift:order must be a whole number, got 'x'"),
        ("drift:lags=3,lags=4", "the parameter 'lags' is given twice"),
        ("drift:ZZN", "a parameter is written key=value, got 'ZZN'"),
        ("drift:", "is written name, name:key=value,… or module:callable, got 'drift:'"),
        ("", "is written name"),
        ("no-way", "forecaster 'no-way' cannot be used: it learns nothing"),
        ("wants", "needs what is not installed: nosuch_package: pip install nosuch"),
    ],
)
def test_a_wrong_parameter_or_name_says_what_there_is(install: Install, words: str, message: str) -> None:
    install("good")
    with pytest.raises(UsageError, match=message):
        choose_forecaster(words)


def test_an_unknown_name_lists_near_names_all_names_and_broken_plugins(install: Install) -> None:
    install("good", "broken_import")
    with pytest.raises(UnknownNameError, match="did you mean 'drift'") as caught:
        choose_forecaster("drif")
    assert "seasonal-naive" in str(caught.value)
    assert "tsgap-broken-import (cannot be imported" in str(caught.value)
    with pytest.raises(UnknownNameError, match="did you mean 'block-bootstrap'"):
        choose_generator("block-boostrap:length=3")
    with pytest.raises(UnknownNameError, match="did you mean 'drift'"):
        choose_forecaster("drif:lags=3")


def test_missing_requirements_are_those_that_cannot_be_found() -> None:
    spec = SimpleNamespace(requires=("numpy", "nosuch_a: pip install a", "numpy.nosuch: pip install b", "nosuch_c.d"))
    found = plugins.missing_requirements(spec)
    assert found == ["nosuch_a: pip install a", "numpy.nosuch: pip install b", "nosuch_c.d"]


def test_generators_are_chosen_in_the_same_way(install: Install) -> None:
    install("good")
    assert choose_generator("block-bootstrap:length=30").label == "block-bootstrap:length=30"
    assert choose_generator("twice").distribution == "tsgap-good"
    assert choose_generator(Copy).spec.name == "copy"
    assert isinstance(choose_generator(Copy()).build(), Copy)
    with pytest.raises(UsageError, match="with fit and sample"):
        choose_generator(LastValue)


# choosing by address ----------------------------------------------------------------------------------------------

MODULE = """
import tsgap
import numpy as np

class Mine:
    "My own."
    def __init__(self, lags: int = 3): self.lags = lags
    def fit(self, train, *, horizon, context, seed): ...
    def predict(self, history, *, horizon, quantile_levels=()): ...

def make(*, depth=2, path): return Mine(depth)

instance = Mine(7)
spec = tsgap.ForecasterSpec("named", "A spec.", Mine, params={"lags": 5}, scope="local")
number = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_plugins_loaded: None) -> Path:
    (tmp_path / "own_models.py").write_text(MODULE)
    (tmp_path / "own_broken.py").write_text("import nosuch_inner\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    for name in ("own_models", "own_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_an_address_is_imported_from_the_current_directory(here: Path) -> None:
    chosen = choose_forecaster("own_models:Mine:lags=9")
    assert chosen.label == "own_models:Mine:lags=9"
    assert chosen.spec.summary == "My own."
    assert chosen.build().lags == 9
    spec = chosen.spec
    assert (spec.transfer, spec.scope, spec.deterministic) == ("learned", "global", False)
    assert choose_forecaster("own_models:make:path=x,depth=4").build().lags == 4
    assert choose_forecaster("own_models:instance").build().lags == 7
    named = choose_forecaster("own_models:spec")
    assert (named.spec.scope, named.build().lags, named.label) == ("local", 5, "own_models:spec")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("own_models:Min", r"module own_models has no 'Min'; did you mean 'Mine'\?"),
        ("own_models:number", "a class, function or object with fit and predict, got 3"),
        ("own_models:make", "needs a value for path, as in own_models:make:path="),
        ("own_models:Mine:lag=3", "did you mean 'lags'"),
        ("own_broken:Mine", "importing own_broken failed: ModuleNotFoundError: No module named 'nosuch_inner'"),
        ("own_model:Mine", "there is no module 'own_model', nor a forecaster of that name"),
        ("seasonal-naiv:Mine", "did you mean"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(here: Path, words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_forecaster(words)


# choosing and registering objects ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_plugins_loaded")
def test_an_object_is_a_class_a_factory_an_instance_or_a_spec() -> None:
    spec = tsgap.ForecasterSpec("mine", "Mine.", LastValue, params={"lags": 5})
    for what, name, lags in [
        (LastValue, "last-value", 3),
        (last_value, "last-value", 3),
        (LastValue(8), "last-value", 8),
        (spec, "mine", 5),
    ]:
        chosen = choose_forecaster(what)
        assert (chosen.label, chosen.build().lags) == (name, lags)
        assert chosen.build() is not chosen.build()
        assert choose_forecaster(chosen) is chosen
        assert cloudpickle.loads(cloudpickle.dumps(chosen)).build().lags == lags


def test_an_instance_is_copied_as_it_was_when_it_was_handed_over() -> None:
    instance = LastValue(8)
    chosen = choose_forecaster(instance)
    instance.lags = 99
    chosen.build().lags = 98
    assert chosen.build().lags == 8


def test_an_instance_that_cannot_be_copied_is_refused() -> None:
    instance = LastValue()
    instance.lags = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(UsageError, match=r"cannot be copied .TypeError: cannot pickle.* give its class"):
        choose_forecaster(instance)


def copier() -> Copy:
    return Copy()


def test_a_generator_is_a_class_a_factory_an_instance_or_a_spec() -> None:
    panel = tsgap.Panel.of({"a": [1.0, 2.0]})
    spec = tsgap.GeneratorSpec("as-it-is", "A copy.", Copy, paired=True, deterministic=True)
    for what, name in [(Copy, "tsgap_copy"), (copier, "copier"), (Copy(), "tsgap_copy"), (spec, "as-it-is")]:
        chosen = choose_generator(what)
        assert chosen.label == (f"{__name__}/copy" if name == "tsgap_copy" else name)  # the host has a `copy`
        assert chosen.spec.paired == chosen.spec.deterministic == (what is spec)
        built = chosen.build()
        built.fit(panel, seed=0)
        assert built.sample(seed=0) is panel
        assert chosen.build() is not built
    with pytest.raises(UsageError, match="no_forecaster built a dict, which has no fit and sample"):
        choose_generator(no_forecaster)


def test_a_forecaster_may_be_given_a_label() -> None:
    chosen = choose_forecaster(LastValue(5), label="last5")
    assert (chosen.label, chosen.spec.name, chosen.build().lags) == ("last5", "last-value", 5)
    assert chosen.identity == choose_forecaster(LastValue(5)).identity
    assert choose_forecaster("linear:ridge=1", label="stiff").label == "stiff"
    assert choose_forecaster(chosen, label="again").label == "again"
    assert choose_forecaster("linear", label="linear").label == "linear"


@pytest.mark.parametrize(
    "label", ["", " ", "a b", "a:b", "a=b", "a,b", "a/b", "a\\b", "a\nb", "a\x1b[2J", "a\u202eb", 5]
)
def test_a_label_has_no_characters_that_mean_something_elsewhere(label: Any) -> None:
    with pytest.raises(UsageError, match="a label is printable, and without spaces"):
        choose_forecaster(LastValue, label=label)


@pytest.mark.parametrize("what", [LastValue, "linear:ridge=1", "naive"])
def test_a_label_is_not_the_name_of_another_forecaster(what: Any) -> None:
    with pytest.raises(UsageError, match="the label 'linear' is the name of another forecaster"):
        choose_forecaster(what, label="linear")


@pytest.mark.parametrize("what", [3, None, dict, object(), LastValue.fit.__doc__, Copy])
def test_what_is_no_forecaster_is_refused(what: object) -> None:
    with pytest.raises(UsageError, match="forecaster"):
        choose_forecaster(what)


def test_a_factory_that_builds_no_forecaster_is_refused() -> None:
    with pytest.raises(UsageError, match="no_forecaster built a dict, which has no fit and predict"):
        choose_forecaster(no_forecaster)


@pytest.mark.usefixtures("no_plugins_loaded")
def test_what_is_registered_is_found_by_name_in_this_process() -> None:
    (offer,) = register(LastValue)
    assert offer.qualified == "here/last-value"
    assert choose_forecaster("last-value:lags=4").build().lags == 4
    assert choose_forecaster("here/last-value").label == "last-value"
    register(tsgap.GeneratorSpec("copied", "A copy.", Copy))
    assert choose_generator("copied").build().__class__ is Copy

    class Copier(Copy):
        pass

    for what in (Copier, Copier()):
        assert register(what)[0].qualified == "here/copier"
        assert isinstance(choose_generator("copier").build(), Copier)


def level_of(contrast: Any, *, seed: int) -> Any:
    """Difference of mean levels."""
    return tsgap.Diagnosed((tsgap.Figure("level", contrast.synthetic.windows.mean() - contrast.real.windows.mean()),))


def test_a_diagnostic_is_meant_by_a_name_an_address_a_function_or_a_spec(install: Install) -> None:
    install("good")
    offered = choose_diagnostic("level")
    assert choose_diagnostic("tsgap-good/level") is choose_diagnostic(registry().diagnostics["level"]) is offered
    by_address, by_itself = choose_diagnostic("good:compare"), choose_diagnostic(level_of)
    assert (by_address.name, by_address.measure) == ("good.compare", offered.measure)
    assert (by_itself.name, by_itself.summary) == ("level-of", "Difference of mean levels.")
    with pytest.raises(UsageError, match="It is the name of a metric"):
        choose_diagnostic("mase")


@pytest.mark.usefixtures("no_plugins_loaded")
def test_a_function_of_a_contrast_is_registered_as_a_diagnostic() -> None:
    (offer,) = register(level_of)
    assert registry().diagnostics["level-of"] is offer
    assert (offer.qualified, offer.spec.measure) == ("here/level-of", level_of)

    def seedless(contrast: Any) -> Any: ...

    with pytest.raises(PluginError, match=r"'seedless': .*cannot be called with \(contrast, \*, seed\)"):
        register(seedless)


def test_diagnostics_of_one_name_are_both_run_and_told_apart(install: Install) -> None:
    from tsgap.examining import specs_of

    install("claims_host")
    specs = specs_of()
    assert specs["shift"] is registry().named("diagnostics", "tsgap/shift").spec
    assert specs["tsgap-claims-host/shift"].summary == "Another one."
    assert list(specs_of(["tsgap-claims-host/shift", level_of])) == ["tsgap-claims-host/shift", "level-of"]


def test_the_code_of_a_diagnostic_and_what_it_requires_name_what_it_computes(tmp_path: Path) -> None:
    def spec(body: str, *requires: str) -> tsgap.DiagnosticSpec:
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(f"def measure(contrast, *, seed):\n    return {body}", space)
        return tsgap.DiagnosticSpec("mine", "Mine.", space["measure"], requires)

    assert code_of(spec("1")) == code_of(spec("1")) != code_of(spec("2"))
    assert code_of(spec("1", "numpy: pip install numpy")) == f"{code_of(spec('1'))} numpy=={np.__version__}"


@pytest.mark.usefixtures("no_plugins_loaded")
def test_registering_a_name_again_replaces_it_and_an_installed_name_is_refused() -> None:
    register(tsgap.ForecasterSpec("mine", "First.", LastValue))
    register(tsgap.ForecasterSpec("mine", "Second.", LastValue))
    assert registry().forecasters["mine"].spec.summary == "Second."
    with pytest.raises(PluginError, match="'linear' cannot be registered, it is a name of tsgap"):
        register(tsgap.ForecasterSpec("linear", "Mine.", LastValue))


def test_a_module_with_hooks_can_be_registered(install: Install) -> None:
    site = install("good", "misspelt")
    for path in site.glob("*.dist-info"):
        (path / "entry_points.txt").unlink()
    import good
    import misspelt

    assert len(register(good)) == 8
    assert choose_forecaster("drift").distribution == "here"
    with pytest.raises(PluginError, match="did you mean 'tsgap_forecasters'"):
        register(misspelt)


# identity ---------------------------------------------------------------------------------------------------------


def test_the_identity_of_a_plugin_changes_with_its_version_and_its_code(install: Install) -> None:
    site = install("good")
    before = choose_forecaster("drift").identity
    assert before.startswith("tsgap-good==1.0 ")
    assert choose_forecaster("drift:lags=5").identity == before
    with (site / "good.py").open("a") as file:
        file.write("\n# another word\n")
    assert choose_forecaster("drift").identity != before


def test_the_identity_names_the_versions_of_the_packages_that_a_forecaster_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import importlib.metadata

    before = choose_forecaster("gradient-boosting").identity
    assert f"sklearn=={importlib.metadata.version('scikit-learn')}" in before
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99" if name == "scikit-learn" else real(name))
    assert choose_forecaster("gradient-boosting").identity == before.replace(
        f"sklearn=={real('scikit-learn')}", "sklearn==99"
    )


def test_the_identity_of_what_refers_to_itself_has_an_end() -> None:
    def ring(last: int) -> Any:
        around: dict[str, Any] = {"last": last}
        around["self"] = [around]
        return around

    assert code_hash(ring(1)) == code_hash(ring(1))
    assert code_hash(ring(1)) != code_hash(ring(2))

    class Outer:
        def again(self) -> type:
            return Outer

    assert code_hash(Outer) == code_hash(Outer)


def test_the_identity_of_an_object_changes_with_its_state_and_declarations() -> None:
    assert choose_forecaster(LastValue(1)).identity == choose_forecaster(LastValue(1)).identity
    assert choose_forecaster(LastValue(1)).identity != choose_forecaster(LastValue(2)).identity
    assert code_hash(LastValue(1)) in choose_forecaster(LastValue(1)).identity
    one, other = (tsgap.ForecasterSpec("x", "X.", LastValue, min_history=n) for n in (1, 2))
    assert choose_forecaster(one).identity != choose_forecaster(other).identity


MADE = """
class Flat:
    def __init__(self, level): self.level = level
    def fit(self, train, *, horizon, context, seed): pass
    def predict(self, history, *, horizon, quantile_levels=()): pass

def function(level):
    def build(): return Flat(level)
    return build

def class_(level):
    class Made(Flat):
        def __init__(self): self.level = level
    return Made

def decorated(level):
    def wrap(build):
        def built(): return build(level)
        built.__qualname__ = build.__qualname__
        return built
    return wrap

@decorated(1)
def one(level): return Flat(level)
first = one
@decorated(2)
def one(level): return Flat(level)
second = one
lambdas = [lambda: Flat(1), lambda: Flat(2)]
"""


def test_what_one_function_made_twice_is_not_the_same(here: Path) -> None:
    (here / "own_made.py").write_text(MADE)
    sys.path.insert(0, str(here))
    made: Any = __import__("own_made")
    for one, other in (
        (made.function(1), made.function(2)),
        (made.class_(1), made.class_(2)),
        (made.first, made.second),
        made.lambdas,
    ):
        assert choose_forecaster(one).identity != choose_forecaster(other).identity
    assert choose_forecaster(made.function(1)).identity == choose_forecaster(made.function(1)).identity
    assert choose_forecaster(made.class_(1)).identity == choose_forecaster(made.class_(1)).identity


@pytest.mark.parametrize(
    ("choose", "words", "message"),
    [
        (choose_forecaster, "linear:ridge=-1", "ridge must be a number from 0"),
        (choose_forecaster, "linear:look_back=0", "look_back must be a whole number"),
        (choose_generator, "block-bootstrap:length=0", "a block has at least 1 step"),
    ],
)
def test_a_value_that_one_of_ours_does_not_take_is_said_before_anything_runs(
    choose: Callable[[str], object], words: str, message: str
) -> None:
    with pytest.raises(UsageError, match=f"{words}.* cannot be built: {message}"):
        choose(words)


def test_parameters_that_look_alike_are_told_apart() -> None:
    a, b = np.zeros(5000), np.zeros(5000)
    b[2500] = 1.0
    specs = [tsgap.ForecasterSpec("x", "X.", LastValue, params={"lags": size}) for size in (a, b, a.copy(), 3)]
    first, other, again, plain = (choose_forecaster(spec).content for spec in specs)
    assert repr(a) == repr(b)
    assert first != other
    assert first == again
    assert plain == {"lags": "3"}


NOTEBOOK = """
import numpy as np
from tsgap.plugins import choose_forecaster

FACTOR = {factor}
def helper(x): return x * FACTOR
class Mine:
    words = {{"b", "a", "c"}}
    def __init__(self, lags=3): self.lags, self.seen, self.array = lags, {{"x", "y", "z"}}, np.arange(3.0)
    def fit(self, train, *, horizon, context, seed):
        self.ok = seed in {{"p", "q", "r"}} or helper(2) or [helper(i) for i in range(3)]
    def predict(self, history, *, horizon, quantile_levels=()): {body}

for what in (Mine, Mine(4), "own_models:Mine", "seasonal-naive", "linear"):
    print(choose_forecaster(what).identity)
"""


def test_the_identity_is_the_same_in_every_process(here: Path) -> None:
    def identities(hash_seed: int, factor: int = 2, body: str = "return 1") -> list[str]:
        code = NOTEBOOK.format(factor=factor, body=body)
        found = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        )
        return found.stdout.split("\n")[:-1]

    first = identities(1)
    assert len(first) == 5
    assert identities(2) == first
    other_global, other_body = identities(1, factor=3), identities(1, body="return 2")
    assert [a == b for a, b in zip(first, other_global, strict=True)] == [False, False, True, True, True]
    assert [a == b for a, b in zip(first, other_body, strict=True)] == [False, False, True, True, True]


def test_what_cannot_be_known_is_never_taken_for_the_same() -> None:
    lock = threading.Lock()
    assert code_hash([lock]) != code_hash([lock])
    assert code_hash([1, "a", {2: {3.0, None}}]) == code_hash([1, "a", {2: {None, 3.0}}])
    assert len({code_hash(x) for x in ([1], (1,), [1.0], [True], ["1"], [[1]], {1}, {1: 1}, [1, 1], None)}) == 10


def test_using_a_class_does_not_change_its_hash() -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("class Mine:\n    def __init__(self): self.x = 1\n    def fit(self): return self.x", space)
    before = code_hash(space["Mine"])
    cloudpickle.dumps(space["Mine"]())
    __import__("copy").deepcopy(space["Mine"]())
    assert code_hash(space["Mine"]) == before
