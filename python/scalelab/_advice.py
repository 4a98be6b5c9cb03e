"""What is recommended for budgets: as sentences, as a frame, and what must be known of it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ._answers import Error, Estimate, percent, short
from ._frames import frame, is_array, listed
from ._speech import PLAIN

#: Columns of a frame of allocations, the answer first.
_COLUMNS = [
    "compute", "params", "params_low", "params_high", "tokens", "tokens_low", "tokens_high", "loss", "loss_low", "loss_high",
    "one_run_low", "one_run_high", "tokens_per_param", "extrapolation", "one_run", "level",
]  # fmt: skip
#: Those that only some runs tell.
_WHERE_TOLD = ["shape", "steps", "learning_rate", "batch_tokens"]

#: Options of the command that are choices of the fit, and of what is read.
_OF_FIT = {
    "where", "columns", "set", "law", "base", "size_measure", "flop_rule", "estimator", "delta", "resample", "refits", "checkpoints",
    "seed", "force", "trust", "robust", "max_compute", "budgets", "by",
}  # fmt: skip

#: Budgets or sizes that lie so far below the runs are more likely in another unit.
_OTHER_UNIT = 1e-3


def budgets(compute: Any) -> list[float | str]:
    """Budgets as the command takes them; texts are read by it."""
    found: list[float | str] = []
    for one in listed(compute):
        try:
            found.append(one if isinstance(one, str) else float(one))
        except (TypeError, ValueError):
            raise Error(f'{one!r} is no budget: compute is in FLOPs, such as 1e21 or "1e21"') from None
    return found


def check_options(options: Mapping[str, Any]) -> None:
    """Raises `Error` where an option is one of the fit, which a recommendation does not read."""
    for name in options:
        if name in _OF_FIT:
            raise Error(f"{name} is a choice of the fit, and not of what is asked of it: sl.fit(…, {name}=…).allocate(…)")


class Advice(list[dict[str, Any]]):
    """What is recommended for each budget, as `scalelab recommend --json` prints it; shown as a sentence each."""

    def __repr__(self) -> str:
        return "\n".join(_sentence(one) for one in self) if self else "no budgets"


def _counted(found: Mapping[str, Any]) -> str:
    one = Estimate.of(found)
    return short(one.value) if math.isnan(one.low) else f"{short(one.value)} [{short(one.low)}, {short(one.high)}]"


def _sentence(one: Mapping[str, Any]) -> str:
    loss = Estimate.of(one["loss_of_a_run"])
    level = one["params"].get("level")
    text = (
        f"{short(one['compute'])} FLOPs: train {_counted(one['params'])} parameters on {_counted(one['tokens'])} tokens; loss of one run "
        f"{loss.interval} {one['loss_unit']}" + ("" if level is None else f"; intervals at {percent(level)}")
    )
    lines = textwrap.wrap(text, 80, subsequent_indent="  ")
    for said in one.get("warnings", []):
        lines += textwrap.wrap(f"⚠ {PLAIN.said(said)}", 80, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def cautions(advice: Sequence[Mapping[str, Any]], known: Sequence[str] = ()) -> list[str]:
    """What must be known of budgets that lie outside of the runs: the farthest of each side, and how many more there are; without what
    is `known` of the study itself."""
    found: list[tuple[float, bool, str]] = []
    for one in advice:
        smallest, largest = (one.get("evidence") or {}).get("compute", [0.0, math.inf])
        said_of_it = [PLAIN.said(text) for text in one.get("warnings", []) if text not in known]
        if smallest <= one["compute"] <= largest or not said_of_it:
            continue
        hint = "; is the unit right? compute is in FLOPs, such as 1e21" if one["compute"] < _OTHER_UNIT * smallest else ""
        found.append((one["compute"], one["compute"] > largest, "; ".join(said_of_it) + hint))
    said: list[str] = []
    for above in (False, True):
        of_side = [text for _, side, text in sorted(found) if side is above]
        if of_side:
            more = f" (and {len(of_side) - 1} more budgets: study.advice says of each)" if len(of_side) > 1 else ""
            said.append((of_side[-1] if above else of_side[0]) + more)
    return said


def outside(places: Sequence[tuple[float, float]], factors: Sequence[float], evidence: Mapping[str, Any], reach: float) -> list[str]:
    """What must be known of places outside of the runs: N and D beyond theirs, or C beyond what forecasts were checked at.

    `factors` are C over the largest of the runs, `reach` the largest at which forecasts were checked, 1 where none was.
    """
    said: list[str] = []
    far = [factor for factor in factors if factor > reach * (1 + 1e-9)]
    if far:
        checked = f"forecasts were checked up to {short(reach)}x" if reach > 1 else "no forecast of these runs was checked"
        many = f"{len(far)} of {len(factors)} places lie" if len(factors) > 1 else "this lies"
        said.append(f"{many} beyond the runs, at {short(max(far))}x the largest compute of theirs; {checked}")
    for at, name in ((0, "params"), (1, "tokens")):
        low, high = evidence.get(name, (0.0, math.inf))
        values = [place[at] for place in places]
        out = [value for value in values if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if out:
            farthest = max(out, key=lambda value: abs(math.log(value / math.sqrt(low * high))))
            more = f", and {len(out) - 1} more" if len(out) > 1 else ""
            hint = f"; is the unit right? {name} are counted one by one, 7e9 or \"7B\"" if farthest < _OTHER_UNIT * low else ""
            said.append(f"{name} of {short(farthest)}{more} lie outside the {short(low)} to {short(high)} of the runs{hint}")
    return ["; ".join(said)] if said else []


def allocations(advice: Sequence[Mapping[str, Any]], kind: str, index: Any = None) -> Any:
    """A frame of allocations."""
    rows: list[dict[str, Any]] = []
    for one in advice:
        row: dict[str, Any] = {"compute": one["compute"], "level": one["params"].get("level")}
        for name, ours in (("params", "params"), ("tokens", "tokens"), ("loss", "loss"), ("loss_of_a_run", "one_run")):
            row |= Estimate.of(one[name]).row(ours)
        row["tokens_per_param"] = one["tokens_per_param"]["value"]
        factor = one["extrapolation_factor"]
        row["extrapolation"] = math.nan if factor is None else factor
        row["shape"], row["steps"] = one.get("shape"), one.get("steps")
        for name in ("learning_rate", "batch_tokens"):
            row[name] = (one.get(name) or {}).get("value")
        rows.append(row)
    told = [name for name in ["level", *_WHERE_TOLD] if any(row[name] is not None for row in rows)]
    columns = [name for name in _COLUMNS if name != "level"] + told if rows else _COLUMNS
    return frame(({name: row[name] for name in columns} for row in rows), kind, columns, index)


def is_asked(compute: Any) -> bool:
    """Whether budgets were named: `None` asks for those of the command, an empty list for none."""
    return compute is not None and (not is_array(compute) or len(listed(compute)) > 0)
