"""The neural networks: exact number of steps, equal forecasts for equal seeds, nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
from darts_panels import SEASON, planted, scaled
from tsgap_darts import SPECS
from tsgap_darts.networks import drawn, nlinear, tcn
from tsgap_darts.windows import windows_of

from tsgap.errors import ForecastError
from tsgap.panel import Panel

pytestmark = pytest.mark.torch

NETWORKS = [spec for spec in SPECS if any("torch" in needed for needed in spec.requires)]
DIRECT = [spec for spec in NETWORKS if spec.name != "tcn"]
WITHOUT_QUANTILES = {"tcn", "nlinear"}
WITH_QUANTILES = [spec for spec in NETWORKS if spec.name not in WITHOUT_QUANTILES]
named = {"ids": lambda spec: spec.name}


def fitted(spec, train: Panel, *, horizon: int = 4, context: int = 12, seed: int = 0, steps: int = 3, **params):
    forecaster = spec.build(steps=steps, batch_size=8, **params)
    forecaster.fit(train, horizon=horizon, context=context, seed=seed)
    return forecaster


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_training_takes_exactly_the_steps_asked_for_whatever_the_panel(spec):
    for train in (planted(1, 20, seed=1), planted(9, 90, seed=1)):
        forecaster = fitted(spec, train, steps=7)
        assert forecaster.model.trainer.global_step == 7


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_the_same_seed_gives_the_same_forecast_to_the_last_bit(spec):
    train, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    first, again, other = (fitted(spec, train, seed=s).predict(history, horizon=4).mean for s in (5, 5, 2**33 + 6))
    assert first.dtype == np.float64
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert not spec.deterministic


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_the_number_of_threads_outside_changes_nothing_and_is_put_back(spec):
    import torch

    train, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    one = fitted(spec, train).predict(history, horizon=4).mean
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        torch.manual_seed(99)
        np.random.seed(99)  # noqa: NPY002 - the global generator must not matter
        forecaster = fitted(spec, train)
        assert torch.get_num_threads() == 3
        assert np.array_equal(forecaster.predict(history, horizon=4).mean, one)
    finally:
        torch.set_num_threads(before)


def test_torch_is_held_to_one_thread(monkeypatch):
    import torch

    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    fitted(NETWORKS[0], planted(5, 60, seed=1))
    assert asked == [1, torch.get_num_threads()]


@pytest.mark.parametrize("every_step", [False, True])
def test_the_windows_trained_on_are_those_drawn_by_seed(every_step):
    train = planted(3, 40, seed=1)
    windows = windows_of(train, name="x", horizon=1, context=12, recursive=True)
    for seed in (1, 2):
        samples = drawn(train, windows, 20, seed=seed, every_step=every_step)
        assert len(samples) == 20
        for i, (row, start) in enumerate(zip(*windows.drawn(20, seed=seed), strict=True)):
            y = train[row]
            assert np.array_equal(samples[i].past_target[:, 0], y[start : start + 12])
            after = y[start + 1 : start + 13] if every_step else y[start + 12 : start + 13]
            assert np.array_equal(samples[i].future_target[:, 0], after)


def test_a_network_is_trained_on_the_windows_of_its_seed_in_the_order_drawn():
    from torch.utils.data import SequentialSampler

    train = planted(5, 60, seed=1)
    for seed in (1, 2):
        forecaster = fitted(NETWORKS[0], train, seed=seed)
        loader = forecaster.model.trainer.train_dataloader
        assert isinstance(loader.sampler, SequentialSampler)
        (row,), (start,) = forecaster.windows.drawn(1, seed=seed)
        assert np.array_equal(loader.dataset[0].past_target[:, 0], train[row][start : start + 12])


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_order_and_subset_of_the_rows_do_not_matter_to_the_last_bit_in_networks(spec):
    forecaster = fitted(spec, planted(5, 60, seed=1))
    history = planted(90, 30, seed=2)
    mean = forecaster.predict(history, horizon=4).mean
    order = np.random.default_rng(3).permutation(90)
    assert np.array_equal(forecaster.predict(history.take(order), horizon=4).mean, mean[order])
    for rows in ([7], [89, 0, 50], list(range(10, 80))):
        assert np.array_equal(forecaster.predict(history.take(rows), horizon=4).mean, mean[rows])
    assert np.array_equal(forecaster.predict(history.tail(12), horizon=4).mean, mean)
    assert np.array_equal(forecaster.predict(history, horizon=2).mean, mean[:, :2])


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_a_short_history_fails_alone_in_networks(spec):
    history = planted(3, 40, seed=2)
    mixed = Panel.of({"a": history[0], "short": history[1][:11], "c": history[2]})
    forecaster = fitted(spec, planted(5, 60, seed=1))
    forecast = forecaster.predict(mixed, horizon=4)
    assert list(forecast.failed) == [1]
    assert np.array_equal(forecast.mean[[0, 2]], forecaster.predict(history, horizon=4).mean[[0, 2]])


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_a_network_is_trained_in_fit_and_never_in_predict(spec, monkeypatch):
    import pytorch_lightning

    calls = []
    inner = pytorch_lightning.Trainer.fit
    monkeypatch.setattr(pytorch_lightning.Trainer, "fit", lambda *a, **k: calls.append(1) or inner(*a, **k))
    forecaster = fitted(spec, planted(5, 60, seed=1))
    assert calls == [1]
    weights = [p.detach().clone() for p in forecaster.model.model.parameters()]
    forecaster.predict(planted(4, 40, seed=2), horizon=4)
    assert calls == [1]
    assert all((a == b).all() for a, b in zip(weights, forecaster.model.model.parameters(), strict=True))


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_nothing_is_written_printed_or_changed(spec, monkeypatch, tmp_path, capfd, caplog):
    monkeypatch.chdir(tmp_path)
    train, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    before = train.values.copy(), history.values.copy()
    forecaster = fitted(spec, train)
    forecaster.predict(history, horizon=4)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert np.array_equal(train.values, before[0])
    assert np.array_equal(history.values, before[1])


@pytest.mark.parametrize("spec", DIRECT, **named)
def test_a_direct_network_is_taught_the_leads_that_the_series_reach(spec):
    forecaster = fitted(spec, planted(5, 20, seed=1), horizon=12, context=13)
    assert (forecaster.model.input_chunk_length, forecaster.model.output_chunk_length) == (13, 7)
    assert forecaster.predict(planted(4, 40, seed=2), horizon=12).mean.shape == (4, 7)


def test_a_convolution_reaches_any_lead():
    spec = next(spec for spec in NETWORKS if spec.name == "tcn")
    forecaster = fitted(spec, planted(5, 20, seed=1), horizon=12, context=13)
    forecast = forecaster.predict(planted(4, 40, seed=2), horizon=50)
    assert forecast.mean.shape == (4, 50)
    assert not forecast.failed


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_contexts_from_a_few_values_up_are_taken(spec):
    for context in (4, 5, 7):
        forecast = fitted(spec, planted(5, 30, seed=1), context=context).predict(planted(4, 40, seed=2), horizon=4)
        assert not forecast.failed


def test_a_kernel_longer_than_the_context_is_refused_with_the_reason():
    with pytest.raises(ForecastError, match=r"tcn: darts refuses a context of 3 and 1 leads: .*kernel size"):
        tcn(kernel_size=5).fit(planted(5, 30, seed=1), horizon=4, context=3, seed=0)


def test_training_on_other_series_changes_a_network():
    history = planted(4, 40, seed=2)
    for spec in NETWORKS:
        first, other = (fitted(spec, planted(5, 60, seed=seed)).predict(history, horizon=4) for seed in (1, 7))
        assert not np.allclose(first.mean, other.mean), spec.name


def test_targets_are_the_values_that_follow_the_context():
    """A line is forecast exactly by the last value plus a constant slope: any shift of the targets would show."""
    line = Panel.of({f"s{i}": np.arange(60.0) / 60 + i for i in range(4)})
    for build, tolerance in ((nlinear, 0.02), (tcn, 0.1)):
        forecaster = build(steps=400)
        forecaster.fit(line, horizon=3, context=8, seed=0)
        forecast = forecaster.predict(line, horizon=3).mean
        expected = np.array([[1 + k / 60 + i for k in range(3)] for i in range(4)])
        assert np.abs(forecast - expected).max() < tolerance


@pytest.mark.parametrize("spec", NETWORKS, **named)
def test_a_network_trained_on_a_second_draw_is_as_good_as_on_the_first(spec):
    history = scaled(planted(60, 60, seed=3))
    known = Panel.of({key: history[i][:-SEASON] for i, key in enumerate(history.keys)}, seasons=(SEASON,))
    truth = np.stack([row[-SEASON:] for row in history])
    logs = []
    for train in (planted(60, 80, seed=1), planted(60, 80, seed=2, scale=50.0)):
        forecaster = spec.build(**spec.params)
        forecaster.fit(scaled(train), horizon=SEASON, context=12, seed=0)
        logs.append(np.log(np.abs(forecaster.predict(known, horizon=SEASON).mean - truth).mean()))
    assert abs(logs[1] - logs[0]) < 0.05


@pytest.mark.parametrize("spec", WITH_QUANTILES, **named)
def test_quantiles_are_learned_beside_the_mean_and_do_not_depend_on_each_other(spec):
    history, levels = planted(4, 40, seed=2), (0.1, 0.5, 0.9)
    forecaster = fitted(spec, planted(5, 60, seed=1))
    mean = forecaster.predict(history, horizon=4).mean
    found = forecaster.predict(history, horizon=4, quantile_levels=levels)
    assert np.array_equal(found.mean, mean)
    assert (found.quantiles.shape, found.quantile_levels) == ((4, 4, 3), levels)
    assert np.isfinite(found.quantiles).all()
    for k, level in enumerate(levels):
        other = fitted(spec, planted(5, 60, seed=1))
        alone = other.predict(history, horizon=3, quantile_levels=(level,)).quantiles
        assert np.array_equal(alone[..., 0], found.quantiles[:, :3, k])


def test_quantiles_hold_what_they_promise_on_noise():
    rng = np.random.default_rng(0)
    train = Panel.of({f"s{i}": rng.normal(size=80) for i in range(20)})
    history = Panel.of({f"s{i}": rng.normal(size=12) for i in range(500)})
    levels = (0.025, 0.1, 0.5, 0.9, 0.975)
    forecaster = fitted(WITH_QUANTILES[0], train, steps=300)
    found = forecaster.predict(history, horizon=4, quantile_levels=levels).quantiles
    below = (rng.normal(size=(500, 4, 1)) < found).mean((0, 1))
    assert np.abs(below - levels).max() < 0.06
    assert (np.diff(found.mean((0, 1))) > 0).all()


def test_a_history_that_is_too_short_has_no_quantiles_and_fails_alone():
    forecaster = fitted(WITH_QUANTILES[0], planted(5, 60, seed=1))
    history = Panel.of({"short": np.ones(5), "long": planted(1, 40, seed=2)[0]})
    found = forecaster.predict(history, horizon=4, quantile_levels=(0.1, 0.9))
    assert set(found.failed) == {0}
    assert np.isfinite(found.quantiles[1]).all()


@pytest.mark.parametrize("spec", [spec for spec in NETWORKS if spec.name in WITHOUT_QUANTILES], **named)
def test_where_darts_cannot_there_are_no_quantiles(spec):
    forecaster = fitted(spec, planted(5, 60, seed=1))
    assert forecaster.predict(planted(4, 40, seed=2), horizon=4, quantile_levels=(0.1, 0.9)).quantiles is None
