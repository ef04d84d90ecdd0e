"""The laws that every generator keeps; each is a function that says what it found or raises `BrokenLaw`."""

from __future__ import annotations

import random
from collections.abc import Callable

import cloudpickle
import numpy as np

from tsgap.testing.subject import BrokenLaw, GeneratorSubject, as_before, content, equal, unchanged


def check_samples_have_the_promised_series(subject: GeneratorSubject) -> str:
    """A paired sample has the keys and lengths of the training panel; every sample has its frequency and seasons."""
    train = subject.train
    found = subject.sample(subject.fit(train))
    if (found.freq, found.seasons) != (train.freq, train.seasons):
        raise BrokenLaw(
            f"the training panel has frequency {train.freq!r} and seasons {train.seasons}, "
            f"the sample {found.freq!r} and {found.seasons}"
        )
    if not len(found) or not len(found.values):
        raise BrokenLaw("the sample is empty")
    if not subject.spec.paired:
        return f"{len(found)} series"
    if found.keys != train.keys:
        raise BrokenLaw(
            f"declares paired=True, but its keys are {list(found.keys[:3])}… where the training panel has "
            f"{list(train.keys[:3])}…"
        )
    wrong = np.flatnonzero(found.lengths != train.lengths)
    if len(wrong):
        i = int(wrong[0])
        raise BrokenLaw(
            f"declares paired=True, but {len(wrong)} series have another length, first {found.keys[i]!r}: "
            f"{found.lengths[i]} instead of {train.lengths[i]}"
        )
    return f"{len(found)} series, the same keys and lengths"


def check_same_seed_same_sample(subject: GeneratorSubject) -> str:
    """Two fits and samples with the same seeds give equal samples, whatever global generators do."""
    first = subject.sample(subject.fit(subject.train))
    with as_before(subject.untouched):
        random.seed(123)
        np.random.seed(123)  # noqa: NPY002 - to see whether a plugin uses it
        again = subject.sample(subject.fit(subject.train))
    return equal(again.values, first.values, "the same seeds give another sample; draw all chance from `seed`")


def check_another_seed_gives_another_sample(subject: GeneratorSubject) -> str:
    """Another seed gives another sample, unless the generator is declared deterministic."""
    one, other = (subject.sample(subject.fit(subject.train, seed=seed), seed=seed) for seed in (0, 1))
    same = np.array_equal(one.values, other.values)
    if subject.spec.deterministic and not same:
        raise BrokenLaw("declares deterministic=True, but another seed gives another sample")
    if not subject.spec.deterministic and same:
        raise BrokenLaw("another seed gives the same sample; use the seed, or declare deterministic=True")
    return "the same, as declared" if same else "another"


def check_sampling_again_gives_the_same(subject: GeneratorSubject) -> str:
    """A sample depends on its seed, and not on what was sampled before."""
    generator = subject.fit(subject.train)
    first = subject.sample(generator, seed=1)
    subject.sample(generator, seed=2)
    what = "sampling with the same seed again gives another sample"
    return equal(subject.sample(generator, seed=1).values, first.values, what)


def check_inputs_are_not_mutated(subject: GeneratorSubject) -> str:
    """Neither `fit` nor `sample` changes the training panel."""
    train = subject.train
    before = content(train)
    generator = subject.fit(train)
    unchanged(before, train, "fit")
    subject.sample(generator)
    unchanged(before, train, "sample")
    return "bytes equal"


def check_it_pickles(subject: GeneratorSubject) -> str:
    """The spec travels to another process: what is built from the copy samples the same."""
    try:
        build, params = cloudpickle.loads(cloudpickle.dumps((subject.spec.build, dict(subject.chosen.params))))
    except Exception as err:
        raise BrokenLaw(
            f"build does not pickle, so no worker can run it ({type(err).__name__}: {err}); "
            "make it a function or class at the top of a module"
        ) from err
    generator = build(**params)
    generator.fit(subject.train, seed=0)
    what = "what is built from a pickled spec samples otherwise"
    return equal(subject.sample(generator).values, subject.sample(subject.fit(subject.train)).values, what)


def check_two_of_them_do_not_disturb_each_other(subject: GeneratorSubject) -> str:
    """Fitting a second one on other data leaves the first as it was: they share no state."""
    first = subject.fit(subject.train)
    before = subject.sample(first)
    subject.fit(subject.other_train)
    what = "fitting another one changes the samples of the first; keep all state in the object"
    return equal(subject.sample(first).values, before.values, what)


def check_global_state_is_left_alone(subject: GeneratorSubject) -> str:
    """Fit and sample leave random generators, warning filters, directory and environment as they were."""
    subject.sample(subject.fit(subject.train))
    with as_before(subject.untouched) as changes:
        subject.sample(subject.fit(subject.train))
        found = changes()
    if found:
        raise BrokenLaw(f"fit or sample changes {' and '.join(found)}; put it back, or do without")
    return "as it was"


GENERATOR_LAWS: tuple[Callable[[GeneratorSubject], str], ...] = (
    check_samples_have_the_promised_series,
    check_same_seed_same_sample,
    check_another_seed_gives_another_sample,
    check_sampling_again_gives_the_same,
    check_inputs_are_not_mutated,
    check_it_pickles,
    check_two_of_them_do_not_disturb_each_other,
    check_global_state_is_left_alone,
)
