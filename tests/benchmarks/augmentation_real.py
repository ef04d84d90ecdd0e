"""Verdicts of augmentation on real data, and what asking for room beforehand would have spared and missed.

`python tests/benchmarks/augmentation_real.py [NAME=FILE:HORIZONS:WINDOWS:STEP …]`, for example
`nn5=nn5_daily.parquet:1,7,14:8:14`; without arguments on embedded data. Each of `--sources` is added to each data set.
`tsgap saturation` sees none of them: nothing would have been tried where half of the real pairs are proven to cost less
than 1 %, so that more of them cannot do much either.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tsgap
from tsgap.augment_diagnosis import HELPS, HURTS, MARGIN

EMBEDDED = ("macrodata=card:macrodata:1,4,8:6:8", "fertility=card:fertility:1,2:5:2")
SOURCES = ("gen:stl-bootstrap", "gen:kernel-synth", "gen:shuffle")
FIGURES = ("total", "gain")


@dataclass(frozen=True)
class Tried:
    """One source added to one data set: whether there was no room, and what it did at the share that was chosen."""

    saturated: bool
    effect: str
    gain: float


def main() -> None:
    """Print the table of verdicts and what asking beforehand is worth."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", default=EMBEDDED)
    parser.add_argument("--sources", nargs="+", default=SOURCES)
    parser.add_argument("-f", "--forecaster", action="append")
    parser.add_argument("--scaling")
    parser.add_argument("--out", type=Path, help="keep the runs here")
    given = parser.parse_args()
    forecasters = given.forecaster or ["linear"]
    tried: list[Tried] = []
    for text in given.data:
        name, _, rest = text.partition("=")
        what, horizons, windows, step = rest.rsplit(":", 3)
        with tempfile.TemporaryDirectory() as folder:
            home = given.out or Path(folder)
            asked = {
                "horizons": horizons,
                "windows": int(windows),
                "step": int(step),
                "scaling": given.scaling,
                "forecasters": forecasters,
            }
            alone = tsgap.saturation({name: what}, out=home / f"{name}-alone", **asked)
            whole = alone.to_frame().groupby("forecaster").tail(1).set_index("forecaster")
            for found in alone.found:
                told = found.why or f"{found.diagnoses[-1].state}: {found.diagnoses[-1].reason}"
                print(f"\n{name}, {found.forecaster}, nothing added: {told}")
            added = tsgap.augment({name: what}, list(given.sources), cheap=False, out=home / name, **asked)
            frame = added.to_frame()
            for place in frame[frame["first"] == 1].groupby(["source", "forecaster"], sort=False).tail(1).itertuples():
                of = dict(zip(frame.columns, tuple(place)[1:], strict=True))
                print(f"  {of['source']}, {of['forecaster']}: {of['verdict']}; {figures(of)}; {of['reason']}")
                saturated = bool(whole.half_high[of["forecaster"]] < math.log1p(MARGIN))
                tried.append(Tried(saturated, of["effect"], of["gain"]))
    summary(tried)


def figures(of: dict[str, float]) -> str:
    """What as many synthetic as real pairs do, and the share that was chosen, in per cent with 95 % intervals."""
    total, gain = (
        f"{percent(of[name])} ({percent(of[f'{name}_low'])} to {percent(of[f'{name}_high'])})" for name in FIGURES
    )
    return f"λ = 1: {total}, λ = {of['share']:g} (chosen): {gain}, {of['effect']}"


def percent(log_ratio: float) -> str:
    """A change in per cent."""
    return f"{100 * math.expm1(log_ratio):+.1f} %"


def summary(tried: list[Tried]) -> None:
    """What would have been spared, and what missed."""
    spared = [one for one in tried if one.saturated]
    kept = [one for one in tried if not one.saturated]
    print(f"\n{len(tried)} augmentations, {len(spared)} of them would have been spared")
    for label, of in (("spared", spared), ("tried", kept)):
        if of:
            helps, hurts = (sum(one.effect == told for one in of) for told in (HELPS, HURTS))
            best = min((one.gain for one in of if one.gain == one.gain), default=math.nan)
            print(
                f"{label}: {helps} proven to help, {hurts} to hurt; the largest change for the better {percent(best)}"
            )


if __name__ == "__main__":
    main()
