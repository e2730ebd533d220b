"""All of params.yaml as one frozen typed object."""

from __future__ import annotations

from pydantic import Field

from mergerscope.params.fields import Block
from mergerscope.params.objective import ObjectiveParams
from mergerscope.params.results import EmbedParams, EvaluateParams, RankParams, RegisterParams, ReportParams
from mergerscope.params.survey import FluxParams, ShardParams, SplitParams, SurveyParams, TargetParams
from mergerscope.params.sweep import SweepParams
from mergerscope.params.training import EncoderParams, TrainParams, ViewsParams

__all__ = ["Params"]


class Params(Block):
    """All of params.yaml."""

    survey: SurveyParams = SurveyParams()
    target: TargetParams = TargetParams()
    split: SplitParams = SplitParams()
    flux: FluxParams = FluxParams()
    shard: ShardParams = ShardParams()
    views: ViewsParams = ViewsParams()
    encoder: EncoderParams = EncoderParams()
    objective: ObjectiveParams = ObjectiveParams()
    train: TrainParams = TrainParams()
    # `register` itself is a method of every abstract base class, so the attribute carries an underscore.
    register_: RegisterParams = Field(default=RegisterParams(), alias="register")
    embed: EmbedParams = EmbedParams()
    evaluate: EvaluateParams = EvaluateParams()
    rank: RankParams = RankParams()
    report: ReportParams = ReportParams()
    sweep: SweepParams = SweepParams()
