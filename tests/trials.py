"""A bench in arrays: a forecaster fitted on each arm, windows after the training part, the evidence of one trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsgap.evidence import Evidence, Place
from tsgap.gap import Clusters
from tsgap.panel import Floats, Ints, Panel
from tsgap.protocols import Forecaster


@dataclass(frozen=True)
class Rate:
    """A share of `runs`, with its 95 % interval after Clopper & Pearson."""

    hits: int
    runs: int

    @property
    def low(self) -> float:
        """Its lower end."""
        from scipy.stats import beta

        return float(beta.ppf(0.025, self.hits, self.runs - self.hits + 1)) if self.hits else 0.0

    @property
    def high(self) -> float:
        """Its upper end."""
        from scipy.stats import beta

        return float(beta.ppf(0.975, self.hits + 1, self.runs - self.hits)) if self.hits < self.runs else 1.0

    def __str__(self) -> str:
        return f"{self.hits / self.runs:7.4f}  ({self.low:.4f} to {self.high:.4f})"


def panel(values: Floats, season: int = 1) -> Panel:
    """Rows (N, T) as a panel."""
    n, length = values.shape
    return Panel(values.ravel(), np.arange(n + 1) * length, tuple(map(str, range(n))), "step", (season,))


@dataclass(frozen=True, eq=False)
class Trial:
    """Real series (S, T), of which the first `train` values teach; then as many windows of `horizon` as there are.

    The windows of all series begin at the same times and do not overlap. Losses are absolute errors over the
    seasonal-naive ones of the training part, or squared errors with `root`.
    """

    make: Callable[[], Forecaster]
    real: Floats
    train: int
    horizon: int
    context: int
    places: tuple[Place, ...]
    season: int = 1
    root: bool = False
    memory: str = "linear"

    @property
    def taught(self) -> Floats:
        """The training part (S, train)."""
        return self.real[:, : self.train]

    @cached_property
    def origins(self) -> Ints:
        """How many values are known in each window of a series (W,)."""
        return np.arange(self.train, self.real.shape[1] - self.horizon + 1, self.horizon)

    @cached_property
    def windows(self) -> tuple[Panel, Floats, Floats]:
        """Histories, truth (N, H) and scale (N, 1), series by series."""
        at = self.origins[:, None]
        histories = self.real[:, at + np.arange(-self.context, 0)].reshape(-1, self.context)
        truth = self.real[:, at + np.arange(self.horizon)].reshape(-1, self.horizon)
        scale = np.abs(self.taught[:, self.season :] - self.taught[:, : -self.season]).mean(1)
        return panel(histories, self.season), truth, np.repeat(scale, len(self.origins))[:, None]

    def losses(self, training: Floats, seed: int = 0) -> Floats:
        """Losses summed over the leads of each place (N, P), after training on series (S, …)."""
        histories, truth, scale = self.windows
        model = self.make()
        model.fit(panel(training, self.season), horizon=self.horizon, context=self.context, seed=seed)
        error = np.abs(truth - model.predict(histories, horizon=self.horizon).mean) / scale
        error = error**2 if self.root else error
        return np.stack([error[:, first - 1 : last].sum(1) for first, last in self.places], axis=1)

    @cached_property
    def control(self) -> Floats:
        """Losses of the real-trained arm (1, N, P)."""
        return self.losses(self.taught)[None]

    def shuffled(self, replicates: int, rng: np.random.Generator) -> Floats:
        """Losses of the shuffle-trained arm (K, N, P)."""
        return np.stack([self.losses(rng.permuted(self.taught, axis=1), k) for k in range(replicates)])

    def evidence(self, draws: Sequence[Floats], null: Floats | None = None) -> Evidence:
        """What is known of a source after training on these draws of it (S, …)."""
        return self.judged_by(np.stack([self.losses(one, k) for k, one in enumerate(draws)]), null)

    def judged_by(self, synthetic: Floats, null: Floats | None = None) -> Evidence:
        """The same from the losses (K, N, P) of the synthetic arm."""
        series, blocks = (ids.ravel() for ids in np.indices((len(self.real), len(self.origins))))
        losses = {"synthetic": synthetic, "control": self.control}
        return Evidence(
            data="planted",
            source="drawn",
            forecaster="one",
            memory=self.memory,
            places=self.places,
            losses=losses if null is None else {**losses, "null": null},
            clusters=Clusters.of(series, blocks, np.arange(len(synthetic))),
            root=self.root,
            taught=np.ones(len(self.places), dtype=bool),
            used=np.full(len(self.places), len(series), dtype=np.int64),
            stochastic=True,
        )
