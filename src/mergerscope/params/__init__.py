"""params.yaml as frozen typed objects: one class a block, a sentence a field."""

from __future__ import annotations

from mergerscope.params.dotted import names, value_at, with_values
from mergerscope.params.objective import MocoParams, ObjectiveParams, PairsParams, SimclrParams
from mergerscope.params.read import load_params, parse_params
from mergerscope.params.results import EmbedParams, EvaluateParams, RankParams, RegisterParams, ReportParams
from mergerscope.params.survey import FluxParams, ShardParams, SplitParams, SurveyParams, TargetParams
from mergerscope.params.sweep import Searched, SweepParams
from mergerscope.params.training import EncoderParams, TrainParams, ViewsParams
from mergerscope.params.tree import Params

__all__ = [
    "EmbedParams",
    "EncoderParams",
    "EvaluateParams",
    "FluxParams",
    "MocoParams",
    "ObjectiveParams",
    "PairsParams",
    "Params",
    "RankParams",
    "RegisterParams",
    "ReportParams",
    "Searched",
    "ShardParams",
    "SimclrParams",
    "SplitParams",
    "SurveyParams",
    "SweepParams",
    "TargetParams",
    "TrainParams",
    "ViewsParams",
    "load_params",
    "names",
    "parse_params",
    "value_at",
    "with_values",
]
