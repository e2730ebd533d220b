"""Every error that mergerscope raises on purpose, with the exit code of each.

========================  =====  ==============================================
raise                     exit   when
========================  =====  ==============================================
`ParameterError`          2      params.yaml holds a wrong name, type or range
`SurveyError`             3      the survey cannot be used at all
`TooManyRefusedError`     3      more than ``shard.max_refused`` of it is bad
`MissingInputError`       4      an earlier stage's output is not there
`ContractError`           5      an input exists and does not keep its contract
`GateError`               6      a model is not good enough to be registered or promoted
`MissingExtraError`       7      an optional package is needed and not installed
`TrackingError`           8      the MLflow store cannot be reached or used
`SweepError`              9      a study of a sweep cannot be worked at
`QueryError`              10     what is searched for is not there or cannot be used
`TableError`              11     a table given on the command line is unusable
`SampError`               12     no program takes a table by SAMP
`ClusterError`            13     a Ray cluster cannot be used, or gave up
========================  =====  ==============================================

A message says what is wrong, where, what was got, and what to do. One bad
image or row is no error but a `mergerscope.survey.records.Refusal`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "ClusterError",
    "ContractError",
    "GateError",
    "MergerscopeError",
    "MissingExtraError",
    "MissingInputError",
    "ParameterError",
    "QueryError",
    "SampError",
    "SurveyError",
    "SweepError",
    "TableError",
    "TooManyRefusedError",
    "TrackingError",
]


class MergerscopeError(Exception):
    """Base of every error raised on purpose; the CLI prints it without a traceback."""

    exit_code = 1

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Travel between processes as the message that it is, whatever it was made from."""
        return _as_it_was, (type(self), self.args)


def _as_it_was(kind: type[MergerscopeError], args: tuple[Any, ...]) -> MergerscopeError:
    return kind.__new__(kind, *args)


class ParameterError(MergerscopeError):
    """A parameter has a wrong name, type or range; the message names its YAML path."""

    exit_code = 2


class SurveyError(MergerscopeError):
    """The survey as a whole cannot be used: not found, empty, or without a known merger."""

    exit_code = 3


class TooManyRefusedError(SurveyError):
    """A larger share of the survey was refused than the parameters allow."""


class MissingInputError(MergerscopeError):
    """What an earlier stage writes is not there."""

    exit_code = 4

    def __init__(self, path: object, made_by: str, asked_by: str | None = None) -> None:
        """Name the verb that writes ``path``; where no stage does, the parameter that asked for it."""
        instead = "or `dvc repro`" if asked_by is None else f"or set `{asked_by}` to false"
        super().__init__(f"{path} is missing. It is written by `mergerscope {made_by}`: run that, {instead}.")


class ContractError(MergerscopeError):
    """An input exists, but it does not keep the contract of the stage that wrote it."""

    exit_code = 5


class GateError(MergerscopeError):
    """The model is not good enough to be registered or promoted, or that cannot be told."""

    exit_code = 6


class MissingExtraError(MergerscopeError):
    """An optional package is needed for what was asked."""

    exit_code = 7

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package}. Install it with: pip install 'mergerscope[{extra}]'")


class TrackingError(MergerscopeError):
    """The MLflow store cannot be reached, or what it holds cannot be used."""

    exit_code = 8


class SweepError(MergerscopeError):
    """A study cannot be worked at: its name, its storage, its settings, or the present parameters' own trial."""

    exit_code = 9


class QueryError(MergerscopeError):
    """What somebody searches for is not there or cannot be used: an id, a position, a picture."""

    exit_code = 10


class TableError(MergerscopeError):
    """A table that somebody else wrote cannot be read, or holds no usable positions."""

    exit_code = 11


class SampError(MergerscopeError):
    """No SAMP hub runs, no program at it takes the message, or one answers that it failed."""

    exit_code = 12


class ClusterError(MergerscopeError):
    """A Ray cluster cannot be reached or used, or gave up on a task."""

    exit_code = 13
