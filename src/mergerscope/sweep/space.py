"""What a sweep may search: every name and every end of a range checked against the parameters, before any training."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from mergerscope.errors import ParameterError
from mergerscope.params import Params, Searched, names, value_at, with_values

__all__ = ["baseline_values", "check_space", "packs", "ranks"]

EXAMINATION = "it changes the examination, not the candidate"
NOT_READ = "no trial reads it"
SPEED = "it changes how fast a trial is, not how good"
REFUSED = {
    "survey": EXAMINATION, "target": EXAMINATION, "split": EXAMINATION, "train.seed": EXAMINATION,
    "train.monitor_images": EXAMINATION, "train.monitor_k": EXAMINATION, "rank.folds": EXAMINATION,
    "rank.top": NOT_READ, "rank.duplicates_arcsec": NOT_READ,
    "register": NOT_READ, "evaluate": NOT_READ, "report": NOT_READ,
    "sweep": "a sweep does not search its own settings",
    "flux.bands": EXAMINATION, "flux.missing_bands": EXAMINATION, "flux.zero_point": EXAMINATION,
    "flux.bin": EXAMINATION,
    "shard": SPEED, "embed": SPEED, "train.workers": SPEED, "train.device": SPEED,
    "rank.engine": SPEED,
    "train.devices": "a trial trains on one",
}  # fmt: skip
"""Why a block or a parameter is not searched."""
ALLOWED = {"shard.crop", "shard.size", "embed.pooling", "embed.views"}
"""Of refused blocks."""
UNFIT_RANKERS = ("auto", "pairs_head", "blend")
"""`auto` chooses by the very folds that judge a trial; the others ask for logits that a validation does not have."""
NEAREST = {
    "rank.nearest_references": ("nearest", "contrast"),
    "rank.nearest_background": ("contrast",),
}
"""Parameters that only some rankers read."""
TRIED = 16
"""Whole numbers of a range that are tried."""


def check_space(params: Params) -> None:
    """Check that a sweep can set every value of its space, and that the present values lie inside.

    Raises:
        ParameterError: each wrong entry by its place: an unknown name, one that is not searched, an end or a choice
            that the parameter refuses, a present value that is not in the range.
    """
    problems = [
        f"params.yaml: `sweep.space.{name}` {problem}."
        for name, searched in params.sweep.space.items() if (problem := _problem(params, name, searched))
    ]  # fmt: skip
    if params.sweep.multi_objective and "encoder.embedding_dim" not in params.sweep.space:
        problems.append("params.yaml: `sweep.multi_objective` needs encoder.embedding_dim in `sweep.space`: there is "
                        "no choice between recall and size otherwise.")
    if problems:
        raise ParameterError("\n".join(problems))


def baseline_values(params: Params) -> dict[str, Any]:
    """Return the present value of each parameter that is searched."""
    return {name: value_at(params, name) for name in params.sweep.space}


def packs(params: Params) -> bool:
    """Whether trials differ in their images, so that each packs shards of its own."""
    return any(name.startswith("shard.") for name in params.sweep.space)


def ranks(params: Params) -> bool:
    """Whether trials differ in how they rank, so that each is judged by its own ranker."""
    return any(name.startswith("rank.") for name in params.sweep.space)


def _problem(params: Params, name: str, searched: Searched) -> str:
    """Return what is wrong with an entry, as the end of a sentence."""
    known = names(params)
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        return f"is no parameter; did you mean `{near[0]}`?".rstrip("?") + "?" if near else (
            f"is no parameter; blocks that can be searched are {', '.join(_blocks())}"
        )
    if name not in ALLOWED and (reason := REFUSED.get(name) or REFUSED.get(name.split(".")[0])):
        return f"cannot be searched: {reason}"
    if name == "train.epochs" and params.sweep.epochs:
        return f"needs `sweep.epochs: 0`; with {params.sweep.epochs} every trial has so many epochs"
    return _refused_value(params, name, searched) or _ranker_problem(params, name) or _present(params, name, searched)


def _refused_value(params: Params, name: str, searched: Searched) -> str:
    for value in _values(searched):
        try:
            with_values(params, {name: value})
        except ParameterError as error:
            reason = "; ".join(line.removeprefix("params.yaml: ") for line in str(error).splitlines())
            return f"has {value!r}, which is refused: {reason.rstrip('.')}"
    return ""


def _values(searched: Searched) -> Iterator[Any]:
    """Choices, ends of a range, and some whole numbers in between, for a parameter may take only some of them."""
    if searched.choices is not None:
        yield from searched.choices
        return
    assert searched.low is not None
    assert searched.high is not None
    if searched.type == "float":
        yield from (float(searched.low), float(searched.high))
        return
    grid = range(int(searched.low), int(searched.high) + 1, int(searched.step or 1))
    yield from sorted({*grid[: TRIED // 2], *grid[:: max(1, len(grid) // TRIED)], grid[-1]})


def _ranker_problem(params: Params, name: str) -> str:
    if name == "rank.ranker":
        unfit = [ranker for ranker in params.sweep.space[name].choices or () if ranker in UNFIT_RANKERS]
        if unfit:
            return f"cannot have {' or '.join(map(str, unfit))}: that ranker cannot be judged on validation folds"
    if name in NEAREST:
        searched = params.sweep.space.get("rank.ranker")
        rankers = (params.rank.ranker,) if searched is None else searched.choices or ()
        if not set(rankers) & set(NEAREST[name]):
            return f"is read by rank.ranker {' and '.join(NEAREST[name])} alone, and no trial has that"
        if params.rank.ranker in UNFIT_RANKERS and searched is None:
            return f"needs another rank.ranker than {params.rank.ranker}"
    return ""


def _present(params: Params, name: str, searched: Searched) -> str:
    value = value_at(params, name)
    if searched.holds(value):
        return ""
    advice = (
        "set it to one of them first" if value in UNFIT_RANKERS and name == "rank.ranker"
        else "widen the space, for the present settings are trial 0"
    )  # fmt: skip
    return f"is {searched}, and the present value is {value}: {advice}"


def _blocks() -> list[str]:
    blocks = list(dict.fromkeys(name.split(".")[0] for name in names(Params())))
    return [block for block in blocks if block not in REFUSED] + sorted(ALLOWED)
