"""What is done to histories: its size, its chance, and what it does not depend on."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tsgap.defaults import linear, naive
from tsgap.errors import ContractError
from tsgap.panel import Panel, filled
from tsgap.perturbing import (
    ARMS,
    PERTURBATIONS,
    WORDS,
    Kind,
    Perturbation,
    arms_under,
    attacked,
    perturbations_for,
    perturbed,
    tells_gradient,
)
from tsgap.protocols import ForecasterSpec

SEASON = 12


def histories(n: int = 40, length: int = 60, *, seed: int = 0, season: int = SEASON) -> Panel:
    rng = np.random.default_rng(seed)
    rows = {f"s{i // 2}@{i % 2}": rng.normal(size=length + i % 3) for i in range(n)}
    return Panel.of(rows, freq="MS", seasons=(season,), series=[key.partition("@")[0] for key in rows])


def after(kind: Kind, size: float, of: Panel, scale: float = 1.0, *, seed: int = 7, limit: int | None = None) -> Panel:
    return perturbed(of, Perturbation(kind, size, seed), np.full(len(of), scale), limit)


def test_noise_is_normal_independent_and_as_large_as_is_said() -> None:
    clean = histories(200, 300)
    noise = (after("noise", 0.5, clean, scale=3.0).values - clean.values) / 1.5
    n = len(noise)
    assert abs(noise.mean()) < 4 / np.sqrt(n)
    assert abs(noise.std() - 1) < 4 / np.sqrt(2 * n)
    assert abs(np.mean(noise**4) - 3) < 4 * np.sqrt(96 / n)
    # from one value to the next, and from one window of a series to the other
    assert abs(np.mean(noise[1:] * noise[:-1])) < 4 / np.sqrt(n)
    rows = Panel(noise, clean.offsets, clean.keys, "MS", (12,))
    twins = [np.mean(rows[i][:300] * rows[i + 1][:300]) for i in range(0, 200, 2)]
    assert abs(np.mean(twins)) < 4 / np.sqrt(300 * 100)


@pytest.mark.parametrize("kind", ["noise", "missing", "shift"])
def test_a_history_is_perturbed_by_its_name_alone_and_not_by_its_neighbours_or_its_length(kind: Kind) -> None:
    clean = histories()
    whole = after(kind, 0.3, clean)
    assert not np.array_equal(whole.values, clean.values)
    assert after(kind, 0.3, clean).values.tobytes() == whole.values.tobytes()
    order = np.random.default_rng(0).permutation(len(clean))
    for rows in (order[:3], order[3:], np.array([5])):
        assert after(kind, 0.3, clean.take(rows)).values.tobytes() == whole.take(rows).values.tobytes()
    how = Perturbation(kind, 0.3, 7)
    for limit in (1, 5, 30):
        longer = clean.tail(how.limit(limit) or 0)
        assert after(kind, 0.3, longer, limit=limit).values.tobytes() == whole.tail(limit).values.tobytes()
    assert not np.array_equal(after(kind, 0.3, clean, seed=8).values, whole.values)
    renamed = clean.renamed([f"x{key}" for key in clean.keys])
    assert not np.array_equal(after(kind, 0.3, renamed).values, whole.values)


def test_what_is_missing_is_filled_as_the_host_fills_gaps() -> None:
    clean = histories(300)
    found = after("missing", 0.2, clean)
    lost = found.values != clean.values
    share, sd = lost.mean(), np.sqrt(0.2 * 0.8 / len(lost))
    assert abs(share - 0.2) < 4 * sd
    firsts = lasts = 0
    for row in range(len(clean)):
        gone = found[row] != clean[row]
        begin = int(np.argmin(gone))
        expected, _ = filled(np.where(gone, np.nan, clean[row]))
        np.testing.assert_allclose(found[row][begin:], expected, rtol=0, atol=1e-12)
        # the host would cut off what is missing before the first value; a history keeps its length
        assert (found[row][:begin] == found[row][begin]).all()
        firsts, lasts = firsts + gone[0], lasts + gone[-1]
    assert firsts > 30
    assert lasts > 30


def test_a_gap_at_the_beginning_of_what_is_wanted_is_bridged_from_what_lies_before() -> None:
    clean = histories(300)
    whole, how = after("missing", 0.2, clean), Perturbation("missing", 0.2, 7)
    assert how.limit(20) == 52
    cut = after("missing", 0.2, clean.tail(52), limit=20)
    assert cut.lengths.tolist() == [20] * 300
    assert cut.values.tobytes() == whole.tail(20).values.tobytes()


def test_what_is_missing_at_5_per_cent_is_missing_at_20_and_noises_are_one_another_s_multiples() -> None:
    clean = histories(300)
    few, many = (after("missing", share, clean).values != clean.values for share in (0.05, 0.2))
    assert (many | ~few).all()
    assert 0 < few.sum() < many.sum()
    small, large = (after("noise", size, clean).values - clean.values for size in (0.1, 0.5))
    np.testing.assert_allclose(large, 5 * small, atol=1e-12)


def test_where_nothing_would_be_left_the_last_value_stays() -> None:
    clean = Panel.of({f"s{i}@0": [1.0, 2.0, 3.0] for i in range(50)}, seasons=(1,))
    found = after("missing", 0.999999, clean)
    assert found.lengths.tolist() == [3] * 50
    assert found.values.tolist() == [3.0] * 150


@pytest.mark.parametrize(("season", "reach"), [(12, 12), (1, 4), (24, 24)])
def test_a_shift_begins_within_the_last_season(season: int, reach: int) -> None:
    clean = histories(400, season=season)
    moved = after("shift", 1.0, clean, scale=2.5).values - clean.values
    begins = []
    for begin, end in itertools.pairwise(clean.offsets):
        row = moved[begin:end]
        raised = np.flatnonzero(np.abs(row) > 1e-9)
        assert raised.tolist() == list(range(int(raised[0]), len(row)))
        np.testing.assert_allclose(row[raised], 2.5, atol=1e-12)
        begins.append(len(raised))
    assert set(begins) == set(range(1, reach + 1))


@pytest.mark.parametrize("kind", ["noise", "shift"])
def test_a_series_without_a_scale_is_left_alone(kind: Kind) -> None:
    clean = histories(4)
    found = perturbed(clean, Perturbation(kind, 0.5, 1), np.array([1.0, np.nan, 1.0, np.nan]), None)
    assert [np.array_equal(found[i], clean[i]) for i in range(4)] == [False, True, False, True]


def test_an_attack_is_not_done_without_a_forecaster() -> None:
    with pytest.raises(ContractError, match="gradient"):
        after("attack", 0.1, histories(2))


# the attack -------------------------------------------------------------------------------------------------------


def fitted(**params: Any) -> linear.Linear:
    model = linear.Linear(**params)
    model.fit(histories(10, 80, seed=3), horizon=5, context=20, seed=0)
    return model


@pytest.mark.parametrize("params", [{}, {"normalise": "last"}, {"look_back": 7}])
@pytest.mark.parametrize("horizon", [5, 3, 9])
def test_the_gradient_of_linear_is_its_finite_difference(params: dict[str, Any], horizon: int) -> None:
    model, of = fitted(**params), histories(3, 30)
    found = model.sensitivity(of, horizon=horizon)
    back = found.shape[1]
    assert found.shape == (3, params.get("look_back", 20))
    before = model.predict(of, horizon=horizon).mean.mean(1)
    for at in range(1, 31):
        values = of.values.copy()
        values[of.offsets[1:] - at] += 1.0
        slope = model.predict(of.with_values(values), horizon=horizon).mean.mean(1) - before
        np.testing.assert_allclose(slope, found[:, back - at] if at <= back else 0.0, atol=1e-9)


def test_an_attack_moves_every_value_that_is_used_by_its_size_and_the_mean_forecast_the_most() -> None:
    model, of = fitted(), histories(6, 30)
    sizes = np.full(6, 0.1)
    up = attacked(of, np.arange(6), model, of, sizes, 5)
    down = attacked(of, np.arange(6), model, of, -sizes, 5)
    np.testing.assert_allclose(up.values + down.values, 2 * of.values, atol=1e-12)
    for row in range(6):
        moved = np.abs(up[row] - of[row])
        np.testing.assert_allclose(moved[-20:], 0.1, atol=1e-12)
        assert not moved[:-20].any()
    before = model.predict(of, horizon=5).mean.mean(1)
    most = model.predict(up, horizon=5).mean.mean(1) - before
    assert (most > 0).all()
    rng = np.random.default_rng(0)
    for _ in range(200):
        other = of.with_values(of.values + 0.1 * rng.choice([-1.0, 1.0], len(of.values)))
        assert (np.abs(model.predict(other, horizon=5).mean.mean(1) - before) <= most + 1e-12).all()


def test_an_attack_leaves_rows_that_are_not_asked_for_and_those_without_a_scale_and_looks_at_no_other_row() -> None:
    model, of = fitted(), histories(4, 30)
    sizes = np.array([0.1, 0.1, np.nan, 0.1])
    found = attacked(of, np.array([0, 2, 3]), model, of.take([0, 2, 3]), sizes, 5)
    assert [np.array_equal(found[i], of[i]) for i in range(4)] == [False, True, True, False]
    # a history that is shorter than what is looked at: nothing before it is touched
    short = Panel.of({"a@0": of[0], "b@0": of[1][-6:], "c@0": of[2]}, seasons=(12,))
    found = attacked(short, np.array([1]), model, short.take([1]), np.full(3, 0.1), 5)
    assert np.array_equal(found[0], short[0])
    assert (found[1] != short[1]).all()


class Odd(linear.Linear):
    """Tells something else than a gradient."""

    def sensitivity(self, history: Panel, *, horizon: int) -> Any:
        return ODD[0]


ODD: list[Any] = []


@pytest.mark.parametrize("answer", [np.ones(3), np.ones((2, 5)), np.full((3, 5), np.nan), 1.0])
def test_what_is_no_gradient_breaks_the_contract(answer: Any) -> None:
    ODD[:] = [answer]
    of = histories(3)
    with pytest.raises(ContractError, match=r"sensitivity must give finite numbers \(3, C\)"):
        attacked(of, np.arange(3), Odd(), of, np.ones(3), 5)


def test_only_who_tells_its_gradient_is_attacked() -> None:
    specs = {spec.name: spec for spec in (*linear.SPECS, *naive.SPECS)}
    assert tells_gradient(specs["linear"])
    assert not tells_gradient(specs["naive"])
    assert not tells_gradient(ForecasterSpec("made", "Made.", lambda: linear.Linear()))
    seeds: dict[str, int] = {"noise": 1, "missing": 2, "shift": 3, "attack": 4}
    names = [one.name for one in perturbations_for(specs["linear"], seeds)]
    assert names == [Perturbation(*one).name for of in PERTURBATIONS.values() for one in of]
    assert len(names) == len(set(names)) == 8
    assert [one.kind for one in perturbations_for(specs["naive"], seeds)].count("attack") == 0
    of = histories(3)
    with pytest.raises(ContractError, match="does not tell its gradient"):
        attacked(of, np.arange(3), specs["naive"].build(), of, np.ones(3), 5)


def test_every_view_has_words_and_arms_of_its_own() -> None:
    assert set(WORDS) == set(PERTURBATIONS)
    assert len(ARMS) == 3 * 8
    assert arms_under("attack", "real") == ("attack+0.1/real", "attack-0.1/real")
    assert arms_under("noise-0.5", "synthetic") == ("noise-0.5/synthetic",)


def test_the_key_holds_what_is_done_how_much_and_its_chance_and_an_attack_has_none() -> None:
    contents = [Perturbation("noise", 0.1, 1), Perturbation("noise", 0.2, 1), Perturbation("noise", 0.1, 2)]
    assert len({str(one.content) for one in contents}) == 3
    assert Perturbation("attack", 0.1, 1).content == Perturbation("attack", 0.1, 2).content
