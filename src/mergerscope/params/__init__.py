"""params.yaml as frozen typed objects: one class a block, a sentence a field."""

from __future__ import annotations

from mergerscope.params.objective import MocoParams, ObjectiveParams, PairsParams, SimclrParams
from mergerscope.params.read import load_params, parse_params
from mergerscope.params.results import EmbedParams, EvaluateParams, RankParams, RegisterParams, ReportParams
from mergerscope.params.survey import ShardParams, SplitParams, SurveyParams, TargetParams
from mergerscope.params.training import EncoderParams, TrainParams, ViewsParams
from mergerscope.params.tree import Params

__all__ = [
    "EmbedParams",
    "EncoderParams",
    "EvaluateParams",
    "MocoParams",
    "ObjectiveParams",
    "PairsParams",
    "Params",
    "RankParams",
    "RegisterParams",
    "ReportParams",
    "ShardParams",
    "SimclrParams",
    "SplitParams",
    "SurveyParams",
    "TargetParams",
    "TrainParams",
    "ViewsParams",
    "load_params",
    "parse_params",
]
