"""The gate: which model may be registered, and which one is better."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from mergerscope.errors import ContractError, GateError, MissingInputError
from mergerscope.paths import Paths

__all__ = ["beats", "check_comparable", "check_gate", "read_validation", "score"]

CRITERION = "average_precision"
"""The score that counts: it judges the whole list, where recall at one k judges one cut."""


JUDGED_ON = ("survey", "split")
"""Digests in a validation of what it was made on."""


def read_validation(paths: Paths) -> dict[str, Any]:
    """Return the block ``validation`` of ``results/train/metrics.json``.

    Raises:
        MissingInputError: the file is not there.
        ContractError: it has no such block.
    """
    path = paths.train_results / "metrics.json"
    if not path.is_file():
        raise MissingInputError(path, "train")
    try:
        validation: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["validation"]
        score(validation, "trained"), score(validation, "untrained")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(
            f"{path} does not tell validation scores of the trained and the untrained encoder: {error!r}. "
            "Run: mergerscope train"
        ) from error
    return validation


def score(validation: Mapping[str, Any], encoder: Literal["trained", "untrained"]) -> float | None:
    """Return the average precision of an encoder on the validation folds; None where it is not defined."""
    value = validation[encoder].get(CRITERION)
    return None if value is None else float(value)


def check_gate(validation: Mapping[str, Any], gate: str) -> None:
    """Let a model pass, or refuse it.

    Raises:
        GateError: the gate is ``beats_untrained`` and the trained encoder's average precision on the validation
            folds does not exceed the untrained encoder's, or one of the two is not defined.
    """
    if gate == "none":
        return
    trained, untrained = score(validation, "trained"), score(validation, "untrained")
    if trained is None or untrained is None:
        raise GateError(
            "The model cannot be judged: its average precision on the validation folds is not defined (too few "
            f"known mergers among the references: got {_said(trained)} trained, {_said(untrained)} untrained). Add "
            "known mergers, or set `register.gate: none` in params.yaml to register it unjudged."
        )
    # A comparison with nan is false, so this also refuses what is no number.
    if not trained > untrained:
        raise GateError(
            "The model is not registered: on the validation folds its average precision is "
            f"{_said(trained)}, the untrained encoder's is {_said(untrained)}. Train longer or on more images, "
            "change `objective` in params.yaml, or set `register.gate: none` to register it all the same."
        )


def check_comparable(validation: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> None:
    """Refuse to compare scores of two examinations: an easy survey would beat a good model.

    Where one of the two has no score there is nothing to compare, and nothing to refuse.

    Raises:
        GateError: the two were not judged on the same survey and in the same folds, or one does not tell.
    """
    if validation is None or other is None or None in (score(validation, "trained"), score(other, "trained")):
        return
    ours, theirs = ([one.get(name) for name in JUDGED_ON] for one in (validation, other))
    if ours == theirs and None not in ours:
        return
    shown = " and ".join(
        f"{name} {a or 'unknown'} against {b or 'unknown'}" for name, a, b in zip(JUDGED_ON, ours, theirs, strict=True)
    )
    raise GateError(
        "The model is registered and not promoted: it cannot be compared with the champion, whose validation was "
        f"made on something else ({shown}). `register.promote: if_better` needs the same galaxies, the same roles "
        "(target, split) and the same folds (rank.folds, train.seed, train.monitor_images). Bring these back, or set "
        "`register.promote: always` in params.yaml to put the model in the champion's place without a comparison."
    )


def beats(validation: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether a trained encoder's score exceeds another's; one without a score is beaten by any that has one."""
    ours = None if validation is None else score(validation, "trained")
    theirs = None if other is None else score(other, "trained")
    return ours is not None and (theirs is None or ours > theirs)


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
