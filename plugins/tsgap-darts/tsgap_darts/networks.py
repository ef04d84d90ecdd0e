"""darts' neural networks, trained for a given number of steps on windows drawn by seed."""

from __future__ import annotations

from typing import Any

from tsgap.panel import Panel
from tsgap_darts.forecaster import DartsForecaster, positive, share, whole
from tsgap_darts.quiet import Needed
from tsgap_darts.windows import Windows

#: Histories a network gets at a time.
BLOCK = 64

_TRAINER = {
    "accelerator": "cpu",
    "devices": 1,
    "logger": False,
    "enable_checkpointing": False,
}


def _network(
    name: str,
    module: str,
    attribute: str,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    recursive: bool = False,
    has_quantiles: bool = True,
    **settings: Any,
) -> DartsForecaster:
    """A darts network `attribute` whose size is given by `settings`, trained by Adam.

    The learning rate falls from `lr` to 0 along a half cosine: a constant one leaves the noise of the last steps in
    the forecasts.
    """
    whole(name, "steps", steps)
    if "dropout" in settings:
        share(name, "dropout", settings["dropout"])
    whole(name, "batch_size", batch_size)
    positive(name, "lr", lr)

    def learn(model: Any, train: Panel, windows: Windows, seed: int, levels: tuple[float, ...]) -> Any:
        from darts.utils.likelihood_models.torch import QuantileRegression
        from torch.optim.lr_scheduler import CosineAnnealingLR

        network = model(
            input_chunk_length=windows.context,
            output_chunk_length=windows.leads,
            batch_size=batch_size,
            n_epochs=1,
            optimizer_kwargs={"lr": lr},
            lr_scheduler_cls=CosineAnnealingLR,
            lr_scheduler_kwargs={"T_max": steps, "interval": "step"},
            random_state=seed % 2**32,
            pl_trainer_kwargs=dict(_TRAINER),
            **({"likelihood": QuantileRegression(list(levels))} if levels else {}),
            **settings,
        )
        samples = drawn(train, windows, steps * batch_size, seed=seed, every_step=recursive)
        return network.fit_from_dataset(samples, verbose=False, dataloader_kwargs={"shuffle": False})

    needed = Needed(f"darts.models.forecasting.{module}", attribute, ("darts", "torch", "pytorch_lightning"))
    return DartsForecaster(name, needed, learn, recursive=recursive, block=BLOCK, has_quantiles=has_quantiles)


def drawn(train: Panel, windows: Windows, n: int, *, seed: int, every_step: bool) -> Any:
    """`n` windows drawn with replacement as a data set that darts trains on, in that order, in one epoch.

    The target is what follows the context, or, for a network that forecasts at `every_step` of its input, the input
    moved on by one.
    """
    from darts.utils.data.torch_datasets.training_dataset import TorchTrainingDataset
    from darts.utils.data.torch_datasets.utils import TorchTrainingSample

    rows, starts = windows.drawn(n, seed=seed)
    first = (train.offsets[rows] + starts).tolist()
    values = train.values[:, None]
    context, end = windows.context, windows.context + windows.leads
    target = 1 if every_step else context

    class Drawn(TorchTrainingDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return n

        def __getitem__(self, index: int) -> Any:
            at = first[index]
            return TorchTrainingSample(
                past_target=values[at : at + context], future_target=values[at + target : at + end]
            )

    return Drawn()


def nlinear(*, steps: int = 300, batch_size: int = 64, lr: float = 0.01) -> DartsForecaster:
    """One linear layer on the context less its last value."""
    # darts has no likelihood for it where it subtracts the last value
    return _network(
        "nlinear", "nlinear", "NLinearModel", steps=steps, batch_size=batch_size, lr=lr, has_quantiles=False
    )


def dlinear(*, steps: int = 300, batch_size: int = 64, lr: float = 0.01, kernel_size: int = 25) -> DartsForecaster:
    """Two linear layers, on the moving average of the context and on the rest."""
    whole("dlinear", "kernel_size", kernel_size, least=2)
    return _network(
        "dlinear", "dlinear", "DLinearModel", steps=steps, batch_size=batch_size, lr=lr, kernel_size=kernel_size
    )


def nhits(
    *,
    steps: int = 300,
    batch_size: int = 64,
    lr: float = 0.003,
    layer_widths: int = 128,
    dropout: float = 0.0,
    instance_norm: bool = True,
) -> DartsForecaster:
    """Stacked fully connected blocks at several sampling rates."""
    whole("nhits", "layer_widths", layer_widths)
    return _network(
        "nhits",
        "nhits",
        "NHiTSModel",
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        layer_widths=layer_widths,
        dropout=dropout,
        use_reversible_instance_norm=instance_norm,
    )


def tide(
    *,
    steps: int = 300,
    batch_size: int = 64,
    lr: float = 0.003,
    hidden_size: int = 64,
    dropout: float = 0.0,
    instance_norm: bool = True,
) -> DartsForecaster:
    """Dense encoder and decoder with a linear shortcut."""
    whole("tide", "hidden_size", hidden_size)
    return _network(
        "tide",
        "tide_model",
        "TiDEModel",
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        hidden_size=hidden_size,
        dropout=dropout,
        use_reversible_instance_norm=instance_norm,
    )


def tsmixer(
    *,
    steps: int = 300,
    batch_size: int = 64,
    lr: float = 0.003,
    hidden_size: int = 32,
    num_blocks: int = 2,
    dropout: float = 0.0,
    instance_norm: bool = True,
) -> DartsForecaster:
    """Fully connected layers that mix steps and features in turn."""
    whole("tsmixer", "hidden_size", hidden_size)
    whole("tsmixer", "num_blocks", num_blocks)
    return _network(
        "tsmixer",
        "tsmixer_model",
        "TSMixerModel",
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        hidden_size=hidden_size,
        ff_size=hidden_size,
        num_blocks=num_blocks,
        dropout=dropout,
        use_reversible_instance_norm=instance_norm,
    )


def tcn(
    *,
    steps: int = 300,
    batch_size: int = 64,
    lr: float = 0.005,
    num_filters: int = 16,
    kernel_size: int = 3,
    dropout: float = 0.0,
) -> DartsForecaster:
    """Dilated causal convolutions that forecast the next value at every step, and feed it back."""
    whole("tcn", "num_filters", num_filters)
    whole("tcn", "kernel_size", kernel_size, least=2)
    return _network(
        "tcn",
        "tcn_model",
        "TCNModel",
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        recursive=True,
        has_quantiles=False,  # it would have to draw paths: its quantiles would be chance
        num_filters=num_filters,
        kernel_size=kernel_size,
        dropout=dropout,
    )
