"""Verdicts that a test chooses, without a run."""

from __future__ import annotations

import math
from typing import Any

from tsgap.findings import PASS, Bin, Finding, Rules, Verdict
from tsgap.gap import Counts

NAN = math.nan


def a_bin(first: int = 1, last: int = 1, gap: float = 0.01, half: float = 0.02, **more: Any) -> Bin:
    """A bin with a gap and how far its bounds lie from it (log ratios); safe unless said otherwise."""
    told: dict[str, Any] = {"gap": gap, "low": gap - 1.2 * half, "high": gap + 1.2 * half, "half": half}
    told |= {"upper": gap + half, "lower": gap - half, "proven": gap - 2 * half}
    told |= {"assay": 0.5, "assay_low": 0.4, "rho": math.expm1(gap) / math.expm1(0.5), "kept": 0.2}
    told |= {"series": 40.0, "blocks": 12.0, "replicates": math.inf}
    told |= {"taught": True, "safe": True, "broken": False, "no_signal": False}
    return Bin(first, last, **{**told, **more})


def broken(first: int = 1, last: int = 1, gap: float = 0.6, **more: Any) -> Bin:
    """A bin that is proven broken."""
    return a_bin(first, last, gap, 0.1, **{"safe": False, "broken": True, "kept": -0.3, **more})


def undecided(first: int = 1, last: int = 1, gap: float = 0.03, **more: Any) -> Bin:
    """A bin in which nothing is decided."""
    return a_bin(first, last, gap, 0.06, **{"safe": False, "kept": 0.1, **more})


def nothing(first: int = 1, last: int = 1) -> Bin:
    """A bin whose leads were never taught."""
    figures = ("gap", "low", "high", "half", "upper", "lower", "proven", "assay", "assay_low", "rho", "kept")
    unknown = dict.fromkeys((*figures, "series", "blocks", "replicates"), NAN)
    return a_bin(first, last, **{**unknown, "taught": False, "safe": False})  # type: ignore[arg-type]


def a_finding(*bins: Bin, name: str = "linear", memory: str = "linear", **more: Any) -> Finding:
    """What was found for a gated forecaster."""
    return Finding(name, memory, **{"gated": True, "why": "", **more}, bins=bins)


def a_verdict(verdict: str = PASS, *findings: Finding, **more: Any) -> Verdict:
    """A verdict on source `gan` for data set `sales`, over 30 series and 6 blocks of origins."""
    findings = findings or (a_finding(a_bin()),)
    gated = [one for one in findings if one.gated]
    told: dict[str, Any] = {"combined": gated[0].bins if gated else (), "counts": Counts(30, 6, 5), "rules": Rules()}
    told |= {"caps": (), "findings": findings, "safe": 0, "breaks": None}
    return Verdict("sales", "gan", verdict, **{**told, **more})
