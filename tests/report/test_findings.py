from dataclasses import replace

import pytest

from mergerscope.report.evaluation import Evaluation, Metric, Row
from mergerscope.report.findings import headline, noun_of, warnings_of
from mergerscope.report.galleries import deep_start
from mergerscope.report.sentences import choice_sentence, curve_sentence, significance_sentence, table_sentence, tiles
from mergerscope.report.tables import significance_lines

MERGER = noun_of("Class8.6")


def row(encoder, ranker, selected=False, value=0.5, low=0.4, ks=(10, 20, 50, 100, 200)):
    metrics = {k: Metric(0.6, 0.5, 0.7) for k in ks}
    at = dict.fromkeys(("precision_at", "recall_at", "enrichment_at", "ndcg_at"), metrics)
    return Row(encoder, ranker, selected, Metric(value, low, value + 0.1), Metric(0.9, 0.8, 1.0), at)


def evaluation(rows, pool=1000, hidden=40):
    return Evaluation(pool, hidden, hidden / pool, 5, rows, [], None, [])


OTHERS = [row("untrained", "lda", value=0.3), row("rgb_pixels", "lda", value=0.1)]
GOOD = evaluation([row("trained", "lda", selected=True), *OTHERS])


def test_headline_looks_at_the_first_k_that_holds_every_hidden_merger_twice():
    top = headline(GOOD)
    assert (top.k, top.found, top.hidden, top.by_chance, top.on_average) == (100, 24, 40, 4.0, True)


@pytest.mark.parametrize(("pool", "hidden", "k"), [(1000, 40, 100), (1000, 4, 10), (60, 20, 20), (100, 60, 50)])
def test_shown_k(pool, hidden, k):
    assert evaluation([row("trained", "lda", selected=True)], pool, hidden).shown_k == k


def test_no_headline_without_hidden_or_selected():
    assert headline(replace(GOOD, hidden=0)) is None
    assert headline(replace(GOOD, rows=GOOD.rows[1:])) is None
    assert tiles(replace(GOOD, rows=[])) == []


def test_good_evaluation_has_no_warning():
    assert warnings_of(GOOD, references=80, noun=MERGER) == []


def test_warnings_where_it_is_thin():
    assert "single reference" in warnings_of(GOOD, 1, MERGER)[0]
    assert "only 4 references" in warnings_of(GOOD, 4, MERGER)[0]
    assert "nothing on this page measures" in warnings_of(replace(GOOD, hidden=0), 80, MERGER)[0]
    few = warnings_of(evaluation(GOOD.rows, hidden=8), 80, MERGER)
    assert "moves recall by 12 percentage points" in few[0]


def test_warnings_where_it_is_poor():
    chance = evaluation([row("trained", "lda", selected=True, value=0.05, low=0.03), GOOD.rows[1]])
    found = warnings_of(chance, 80, MERGER)
    assert "cannot be told from chance" in found[0]
    assert "does not beat the best row of the untrained network" in found[1]
    assert "marked as selected" in warnings_of(replace(GOOD, rows=GOOD.rows[1:]), 80, MERGER)[0]


def test_noun():
    assert noun_of("p_merger").one == "merger"
    assert noun_of("Class8.1").many == "targets"


def test_sentences_tell_the_numbers():
    said = curve_sentence(GOOD, MERGER).replace("\N{NO-BREAK SPACE}", " ")
    assert "Of the first 100, 60 % are mergers, and they hold 60 % (50 % to 70 %) of the hidden mergers" in said
    assert "10 % by chance" in said
    assert "No other row did better by a hundredth." in table_sentence(GOOD)
    better = evaluation([*GOOD.rows, row("trained", "nearest", value=0.7)])
    assert "nearest on this encoder" in table_sentence(better)


def line_of(metric, difference, p):
    return {"encoder": "untrained", "ranker": "lda", "metric": metric, "difference": difference, "welch_p": "",
            "permutation_p": p}  # fmt: skip


def test_significance_is_told_in_average_precision_and_at_the_shown_k():
    lines = [line_of("average_precision", "0.2", "0.001"), line_of("precision_at_100", "-0.1", "0.6"),
             line_of("precision_at_10", "0.3", "0.2")]  # fmt: skip
    (rival,) = significance_lines(replace(GOOD, significance=lines))
    assert rival.tests["average_precision"].difference == "0.200"
    assert rival.tests["average_precision"].welch_p == "\N{EN DASH}"
    assert rival.tests["precision_at"].permutation_p == "0.60"
    said = significance_sentence(replace(GOOD, significance=lines))
    assert "leads 1 of 1 rival by more than luck" in said
    worse = [line_of("average_precision", "-0.2", "0.001")]
    assert "trails 1" in significance_sentence(replace(GOOD, significance=worse))


def test_choice_sentence_says_who_chose():
    line = {"ranker": "lda", "average_precision": 0.4}
    many = {"ranker": "lda", "table": [line, {"ranker": "nearest", "average_precision": 0.3}]}
    assert "the best, LDA, ordered the candidates" in choice_sentence(many, GOOD, MERGER)
    assert "that fell on LDA" in choice_sentence(many | {"ranker": "nearest"}, GOOD, MERGER)
    assert "set to LDA" in choice_sentence({"ranker": "lda", "table": [line]}, GOOD, MERGER)
    unknown = {"ranker": "mean_cosine", "table": [{"ranker": "mean_cosine", "average_precision": None}, line]}
    assert "too few references" in choice_sentence(unknown, GOOD, MERGER)


@pytest.mark.parametrize(("total", "start"), [(60_000, 9_999), (10_016, 9_999), (4_000, 2_000), (20, 4), (5, 0)])
def test_deep_gallery_starts_at_rank_10000_or_the_middle(total, start):
    assert deep_start(total, 16) == start
