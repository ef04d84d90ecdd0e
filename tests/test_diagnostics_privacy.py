"""Copies are told from fair draws, and who was seen from who was not, where the synthetic series give it away alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from trials import panel
from worlds import autoregressions

from tsgap import cell
from tsgap.diagnostics import Contrast, Diagnosed, Figure, Known, contrasted, copies, membership
from tsgap.halves import halves
from tsgap.panel import Floats, Panel
from tsgap.plugins import choose_generator


def world(seed: int, series: int = 60, length: int = 240, name: str = "s") -> Panel:
    """Series of one process, each at its own level and scale."""
    rng = np.random.default_rng(seed)
    y = autoregressions(rng, series, length, phi=0.6, seasonal=0.5, season=7)
    y = y * rng.uniform(0.5, 3, (series, 1)) + 10 * rng.normal(size=(series, 1))
    return Panel(y.ravel(), np.arange(series + 1) * length, tuple(f"{name}{i}" for i in range(series)), "D", (7,))


def drawn(generator: str, real: Panel, seed: int = 0, *, twins: bool = True) -> Panel:
    made = cell.draw(choose_generator(generator).build(), real, seed)
    return made if twins else made.renamed([f"z{i}" for i in range(len(made))])


def told(found: Diagnosed) -> dict[str, Figure]:
    return {figure.name: figure for figure in found.figures}


def searched(real: Panel, synthetic: Panel, seed: int = 0) -> Diagnosed:
    return copies.measure(contrasted(real, synthetic, seed=seed), seed=seed)


def attacked(real: Panel, generator: str, seed: int = 0) -> dict[str, Figure]:
    dealt = halves(real, seed=seed)
    synthetic = (
        world(seed + 1000, len(dealt.real), int(real.lengths[0]), "z")
        if generator == "oracle"
        else drawn(generator, dealt.real)
    )
    return attacked_by(real, Known(dealt.real, dealt.synthetic, synthetic, by_host=True), seed)


def attacked_by(real: Panel, known: Known, seed: int = 0) -> dict[str, Figure]:
    return told(membership.measure(contrasted(real, known.synthetic, seed=seed, known=known), seed=seed))


@pytest.mark.parametrize("twins", [True, False])
@pytest.mark.parametrize("generator", ["copy", "jitter:sd=0.1"])
def test_copies_of_real_series_are_found_and_named(generator: str, twins: bool) -> None:
    real = world(1)
    found = searched(real, drawn(generator, real, twins=twins))
    figures = told(found)
    assert figures[copies.NEAR_COPIES].value > 0.9
    assert figures[copies.NEAR_COPIES].flag == "warn"
    assert figures[copies.FREE].value < 0.3
    assert (figures[copies.EXACT_COPIES].flag == "warn") == (generator == "copy")
    for sample in found.worst:
        number = sample.key.removeprefix("z").removeprefix("s")
        assert f"real series 's{number}' from its step {sample.start} on" in sample.reason


def test_copies_at_another_level_and_scale_and_place_are_found() -> None:
    real = world(2)
    thief = Panel.of({f"z{i}": 3 * y[11:] + 10 for i, y in enumerate(real)}, freq="D", seasons=(7,))
    found = searched(real, thief)
    assert told(found)[copies.EXACT_COPIES].value == 1.0
    assert "from its step" in found.worst[0].reason


def test_one_copied_series_of_many_is_found_exactly() -> None:
    real = world(3, 100)
    fair = world(4, 100, name="z")
    rows = {f"z{i}": real[9] if i == 30 else y for i, y in enumerate(fair)}
    found = searched(real, Panel.of(rows, freq="D", seasons=(7,)))
    figure = told(found)[copies.EXACT_COPIES]
    assert (figure.flag, figure.reference) == ("warn", 0.0)
    assert {sample.key for sample in found.worst if "up to level" in sample.reason} == {"z30"}
    assert all("'s9'" in sample.reason for sample in found.worst if sample.key == "z30")


def with_one_copy(seed: int, plant: Callable[[Floats], Floats], *, twins: bool) -> tuple[Diagnosed, str, str]:
    """What is found in forty fair series of which one is a real one, and the keys of both."""
    rng, real = np.random.default_rng(seed), world(seed, 40)
    fair = world(seed + 1000, 40, name="s" if twins else "z")
    copied, at = (int(i) for i in rng.integers(40, size=2))
    rows = {key: plant(real[copied]) if i == at else y for i, (key, y) in enumerate(zip(fair.keys, fair, strict=True))}
    return searched(real, Panel.of(rows, freq="D", seasons=(7,)), seed), real.keys[copied], fair.keys[at]


@pytest.mark.parametrize("twins", [True, False])
@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (lambda y: y, copies.EXACT_COPIES),
        (lambda y: 3 * y + 10, copies.EXACT_COPIES),
        (lambda y: y + 0.01 * y.std() * np.random.default_rng(1).normal(size=len(y)), copies.NEAR_COPIES),
    ],
    ids=["verbatim", "times 3 plus 10", "noise of 1 %"],
)
def test_one_copied_series_of_forty_is_listed_and_warned_of_every_time(
    plant: Callable[[Floats], Floats], name: str, twins: bool
) -> None:
    for seed in range(10):
        found, copied, key = with_one_copy(seed, plant, twins=twins)
        assert told(found)[name].flag == "warn", seed
        assert found.worst[0].key == key
        assert {sample.key for sample in found.worst} == {key}
        assert all(f"real series {copied!r} from its step {sample.start} on" in sample.reason for sample in found.worst)


@pytest.mark.parametrize("twins", [True, False])
def test_a_fair_draw_of_forty_is_neither_warned_of_nor_listed(twins: bool) -> None:
    for seed in range(10):
        other = world(seed + 5000, 1)[0]
        found, _, _ = with_one_copy(seed, lambda y, other=other: other, twins=twins)
        assert not [figure for figure in found.figures if figure.flag == "warn"]
        assert not found.worst


def test_every_copied_series_is_listed_and_not_the_first_alone() -> None:
    real, fair = world(3, 40), world(4, 40, name="z")
    rows = {f"z{i}": real[i] if i in (5, 21, 39) else y for i, y in enumerate(fair)}
    found = searched(real, Panel.of(rows, freq="D", seasons=(7,)))
    exactly = [sample for sample in found.worst if "up to level and scale" in sample.reason]
    assert {sample.key: (sample.start, sample.length) for sample in exactly} == dict.fromkeys(
        ("z5", "z21", "z39"), (0, 240)
    )


def test_series_that_are_shorter_than_a_window_are_looked_at_too() -> None:
    real, fair = world(3, 40), world(4, 40, name="z")
    rows = {f"z{i}": real[7][100:140] if i == 11 else y for i, y in enumerate(fair)}
    (sample,) = searched(real, Panel.of(rows, freq="D", seasons=(7,))).worst
    assert (sample.key, sample.start, sample.length) == ("z11", 0, 24)
    assert "real series 's7' from its step 100 on" in sample.reason


def test_a_place_in_a_series_whose_later_part_alone_is_searched_is_told_from_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, fair = world(3, 40), world(4, 40, name="z")
    rows = {f"z{i}": real[7][150:] if i == 11 else y for i, y in enumerate(fair)}
    monkeypatch.setattr(copies, "VALUES", 40 * 130)
    found = searched(real, Panel.of(rows, freq="D", seasons=(7,)))
    assert "real series 's7' from its step 150 on" in found.worst[0].reason


@pytest.mark.parametrize("rate", [1.0, 3.0])
def test_counts_that_meet_by_chance_are_no_copies(rate: float) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rates = rate * rng.gamma(1.0, 0.5, (2, 60, 1))
        real, fair = (
            Panel.of({f"{name}{i}": row for i, row in enumerate(rng.poisson(of, (60, 240)).astype(float))}, freq="D")
            for name, of in zip("sz", rates, strict=True)
        )
        assert not [figure.name for figure in searched(real, fair).figures if figure.flag == "warn"]


@pytest.mark.parametrize("twice", [1, 4])
def test_noisy_copies_are_found_though_real_series_are_there_twice(twice: int) -> None:
    rows = list(world(1, 40))
    rows[-twice:] = rows[:twice]
    real = Panel.of({f"s{i}": y for i, y in enumerate(rows)}, freq="D", seasons=(7,))
    near = told(searched(real, drawn("jitter:sd=0.05", real)))[copies.NEAR_COPIES]
    assert near.flag == "warn"
    assert near.value > 0.7
    fair = world(2, 40, name="z")
    assert not [figure.name for figure in searched(real, fair).figures if figure.flag == "warn"]


def test_what_two_real_series_have_in_common_makes_nobody_their_copy() -> None:
    rng, real, fair = np.random.default_rng(0), list(world(3, 40)), world(4, 40, name="z")
    shared = rng.normal(size=60)
    for i in (3, 8, 30):
        real[i] = np.concatenate([real[i][:100], shared, real[i][160:]])
    rows = {f"z{i}": np.concatenate([y[:50], shared, y[110:]]) if i == 9 else y for i, y in enumerate(fair)}
    named = Panel.of({f"s{i}": y for i, y in enumerate(real)}, freq="D", seasons=(7,))
    figures = told(searched(named, Panel.of(rows, freq="D", seasons=(7,))))
    assert figures[copies.EXACT_COPIES].value > 0
    assert figures[copies.EXACT_COPIES].flag == ""


@pytest.mark.parametrize("generator", ["iaaft", "kernel-synth", "ar-sieve"])
def test_what_no_real_series_can_be_seen_in_is_not_warned_of(generator: str) -> None:
    real = world(5)
    assert not [figure.name for figure in searched(real, drawn(generator, real)).figures if figure.flag == "warn"]


@pytest.mark.parametrize("twins", [True, False])
def test_a_fair_second_draw_is_hardly_ever_warned_of(twins: bool) -> None:
    warned = 0
    for seed in range(15):
        both = world(seed, 40, 480)
        early, late = (
            Panel.of({k: y[part] for k, y in zip(both.keys, both, strict=True)}, freq="D", seasons=(7,))
            for part in (slice(None, 240), slice(240, None))
        )
        fair = late if twins else world(seed + 500, 40, name="z")
        figures = searched(early, fair, seed).figures
        warned += any(figure.flag == "warn" for figure in figures)
        assert 0.7 < told(Diagnosed(figures))[copies.FREE].value < 1.3
    assert warned <= 2


def test_what_repeats_itself_in_the_real_series_is_no_copy() -> None:
    rng = np.random.default_rng(0)
    pattern = rng.normal(size=7)
    real = Panel.of({f"s{i}": np.tile(pattern, 30) * rng.uniform(1, 2) for i in range(20)}, freq="D", seasons=(7,))
    again = Panel.of({f"z{i}": np.tile(pattern, 30) * rng.uniform(1, 2) for i in range(20)}, freq="D", seasons=(7,))
    figures = told(searched(real, again))
    assert (figures[copies.EXACT_COPIES].value, figures[copies.EXACT_COPIES].reference) == (1.0, 1.0)
    assert figures[copies.EXACT_COPIES].flag == ""


def test_few_windows_and_lines_are_said_not_to_be_measurable() -> None:
    real, lines = world(6, 12, 80), Panel.of({f"z{i}": np.arange(80.0) for i in range(12)}, freq="D", seasons=(7,))
    for synthetic in (world(7, 12, 80, name="z"), lines):
        figure = told(searched(real, synthetic))[copies.NEAR_COPIES]
        assert (figure.flag, np.isnan(figure.value)) == ("not measurable", True)
        assert "it takes 20 and 100" in figure.advice


def test_what_cannot_be_measured_of_constants_says_why() -> None:
    level = {f"s{i}": np.full(120, 5.0) for i in range(12)}
    figures = told(searched(Panel.of(level, freq="D"), Panel.of(level, freq="D").renamed([f"z{i}" for i in range(12)])))
    unknown = [figure for figure in figures.values() if figure.flag == "not measurable"]
    assert figures[copies.RAW] in unknown
    assert all(figure.advice for figure in unknown)


def test_between_real_halves_the_distances_are_those_of_the_baseline() -> None:
    contrast = contrasted(world(8), world(9, name="z"), seed=0)
    floor = told(copies.measure(contrast.floor, seed=0))
    assert floor[copies.RAW].value == 1.0
    assert floor[copies.RELATIVE].value == told(copies.measure(contrast, seed=0))[copies.RELATIVE].reference
    assert membership.measure(contrast.floor, seed=0).figures == ()


def test_long_real_series_are_searched_in_their_later_part(monkeypatch: pytest.MonkeyPatch) -> None:
    real = world(10)
    monkeypatch.setattr(copies, "VALUES", 60 * 130)
    found = searched(real, drawn("copy", real, twins=False))
    assert "60 real series, 7800 values" in found.notes[0]
    assert 0.2 < told(found)[copies.EXACT_COPIES].value < 0.8
    assert told(found)[copies.EXACT_COPIES].flag == "warn"


def test_membership_cannot_be_told_from_independent_draws() -> None:
    found = [attacked(world(seed, 40), "oracle", seed) for seed in range(20)]
    areas = [figures[membership.NAMES[0]].value for figures in found]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.02)
    assert sum(any(figure.flag == "warn" for figure in figures.values()) for figures in found) <= 1


def test_a_copy_gives_every_member_away() -> None:
    figures = attacked(world(1), "copy")
    assert [figures[name].value for name in membership.NAMES[:3]] == [1.0, 1.0, 1.0]
    assert [figures[name].flag for name in membership.NAMES[:2]] == ["warn", "warn"]
    assert "do not hand them out" in figures[membership.NAMES[0]].advice


@pytest.mark.parametrize(
    ("generator", "low", "high"),
    [("jitter:sd=0.1", 0.99, 1.0), ("block-bootstrap", 0.6, 0.8), ("iaaft", 0.42, 0.58), ("shuffle", 0.42, 0.58)],
)
def test_the_more_a_generator_keeps_the_more_it_gives_away(generator: str, low: float, high: float) -> None:
    figure = attacked(world(2), generator)[membership.NAMES[0]]
    assert low <= figure.value <= high
    assert (figure.flag == "warn") == (low > 0.5)


def test_members_that_are_rare_and_remembered_are_found_among_the_rarest() -> None:
    seed, real = 3, world(3, 200)
    dealt = halves(real, seed=seed)
    rng = np.random.default_rng(seed)

    def odd(panel: Panel) -> Panel:
        rows = {
            k: rng.normal(size=len(y)) if i % 8 == 0 else y
            for i, (k, y) in enumerate(zip(panel.keys, panel, strict=True))
        }
        return Panel.of(rows, freq="D", seasons=(7,))

    members, outsiders = odd(dealt.real), odd(dealt.synthetic)
    fair = world(99, len(members), name="z")
    rows = {f"z{i}": members[i] if i % 8 == 0 else y for i, y in enumerate(fair)}
    figures = attacked_by(real, Known(members, outsiders, Panel.of(rows, freq="D", seasons=(7,))), seed)
    assert figures[membership.NAMES[2]].value > figures[membership.NAMES[0]].value + 0.1


def test_outsiders_of_another_kind_do_not_make_a_fair_draw_give_anybody_away() -> None:
    real, fair = world(1, 40), world(2, 40, name="z")
    rng = np.random.default_rng(0)
    rows = dict(enumerate(autoregressions(rng, 20, 240, phi=0.01, season=7)))
    strangers = Panel.of({f"o{i}": row for i, row in rows.items()}, freq="D", seasons=(7,))
    for synthetic in (fair, drawn("copy", real, twins=False)):
        figures = attacked_by(real, Known(real, strangers, synthetic))
        assert all(figure.flag == "not measurable" for figure in figures.values())
        assert "another kind or period" in figures[membership.NAMES[0]].advice


def test_outsiders_that_are_members_under_other_names_prove_nothing() -> None:
    real = world(1, 40)
    for many, twice in ((4, False), (16, True)):
        others = world(2, 20)
        rows = {f"o{i}": real[i] * 2 + 1 if i < many // 2 else others[i] for i in range(20)}
        known = Known(real, Panel.of(rows, freq="D", seasons=(7,)), drawn("copy", real))
        advice = attacked_by(real, known)[membership.NAMES[0]].advice
        assert (f"{many // 2} of 20 outsiders are among the members" in advice) == twice


def test_outsiders_left_out_by_chance_are_hardly_ever_taken_for_strangers() -> None:
    refused = 0
    for seed in range(20):
        dealt = halves(world(seed, 40), seed=seed)
        known = Known(dealt.real, dealt.synthetic, world(seed + 100, 20, name="z"))
        refused += attacked_by(dealt.real, known, seed)[membership.NAMES[0]].flag == "not measurable"
    assert refused <= 3


def test_without_outsiders_it_is_said_what_would_make_it_measurable() -> None:
    figures = told(membership.measure(contrasted(world(1), world(2, name="z"), seed=0), seed=0))
    assert list(figures) == list(membership.NAMES)
    assert all(figure.flag == "not measurable" and "--outsiders" in figure.advice for figure in figures.values())


def test_few_or_short_series_are_not_attacked() -> None:
    real = world(4)
    few, short = real.take(range(4)), real.tail(12)
    for known, why in ((Known(few, real, real), "too few"), (Known(short, real, real), "windows of 16")):
        figures = attacked_by(real, known)
        assert all(figure.flag == "not measurable" and why in figure.advice for figure in figures.values())


def test_the_rate_of_finds_is_that_of_a_count_by_hand() -> None:
    rng = np.random.default_rng(0)
    members, outsiders = rng.normal(0.5, 1, 300).round(1), rng.normal(0, 1, 400).round(1)
    ranked = membership._Ranked.of(np.concatenate([outsiders, members]), np.arange(700))
    is_member = (np.arange(700) >= 400).astype(float)[None]
    by_hand = max(
        (members >= score).mean() for score in [*members, np.inf] if (outsiders >= score).mean() <= membership.RATE
    )
    assert ranked.rate(is_member, 1 - is_member)[0] == pytest.approx(by_hand)
    pairs = (members[:, None] > outsiders).mean() + (members[:, None] == outsiders).mean() / 2
    assert ranked.area(is_member, 1 - is_member)[0] == pytest.approx(pairs)


def test_what_is_found_depends_on_the_seed_alone() -> None:
    real = world(1, 20)
    contrast = contrasted(
        real, drawn("jitter", real), seed=0, known=Known(real.take(range(10)), real.take(range(10, 20)), real)
    )
    for spec in (*copies.SPECS, *membership.SPECS):
        assert repr(spec.measure(contrast, seed=3)) == repr(spec.measure(replace(contrast), seed=3))


def test_copies_of_stretches_of_few_series_are_found() -> None:
    real = world(1, 3, 1600)
    contrast: Contrast = contrasted(real, drawn("copy", real, twins=False), seed=0)
    found = copies.measure(contrast, seed=0)
    assert told(found)[copies.EXACT_COPIES].value > 0.9
    assert not [f for f in searched(real, world(2, 3, 1600, name="z")).figures if f.flag == "warn"]


@pytest.mark.parametrize(("name", "warned"), [("s", False), ("z", True)])
def test_twins_may_resemble_their_own_series_and_strangers_may_not(name: str, warned: bool) -> None:
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(60, 7))

    def drawn_again(name: str) -> Panel:
        rows = {f"{name}{i}": np.tile(of, 40) + 0.2 * rng.normal(size=280) for i, of in enumerate(patterns)}
        return Panel.of(rows, freq="D", seasons=(7,))

    figure = told(searched(drawn_again("s"), drawn_again(name)))[copies.NEAR_COPIES]
    assert (figure.flag == "warn") == warned


def test_smooth_series_that_saw_nothing_are_no_near_copies() -> None:
    real = world(0, 60, 400)
    assert told(searched(real, drawn("kernel-synth", real)))[copies.NEAR_COPIES].flag == ""


def test_what_is_near_to_all_series_is_a_copy_of_none() -> None:
    rng = np.random.default_rng(0)
    template = rng.normal(size=240).cumsum()
    noise = 0.2 * template.std()
    real = Panel.of({f"s{i}": template + noise * rng.normal(size=240) for i in range(60)}, freq="D", seasons=(7,))
    mean = Panel.of({f"z{i}": template + 0.02 * rng.normal(size=240) for i in range(60)}, freq="D", seasons=(7,))
    assert told(searched(real, mean))[copies.NEAR_COPIES].flag == ""


def test_outsiders_that_the_synthetic_series_are_made_of_are_none() -> None:
    rng = np.random.default_rng(5)
    members, outsiders = (panel(autoregressions(rng, 30, 150, phi=0.6), 12) for _ in range(2))
    outsiders = outsiders.renamed([f"x{key}" for key in outsiders.keys])
    contrast = contrasted(members, outsiders, seed=0, known=Known(members, outsiders, outsiders))
    found = membership.measure(contrast, seed=0)
    assert {figure.flag for figure in found.figures} == {"not measurable"}
    assert "outsiders lie nearer to the synthetic series than members do" in found.figures[0].advice


def test_smooth_curves_are_no_exact_copies_of_each_other() -> None:
    steps, warned = np.arange(300), 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        real, fair = (
            1 / (1 + np.exp(-(steps - rng.uniform(50, 350, (60, 1))) / rng.uniform(10, 40, (60, 1)))) for _ in range(2)
        )
        contrast = contrasted(panel(real), panel(fair).renamed([f"z{i}" for i in range(60)]), seed=seed)
        warned += told(copies.measure(contrast, seed=seed))[copies.EXACT_COPIES].flag == "warn"
    assert warned == 0
