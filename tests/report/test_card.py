from mergerscope.report.card import model_card


def test_card_has_the_sections_that_a_reader_looks_for(inputs):
    card = model_card(inputs)
    headings = [line for line in card.splitlines() if line.startswith("## ")]
    wanted = ["Intended use", "Data", "Method", "How well it works", "Limits", "How to load"]
    assert headings == [f"## {title}" for title in wanted]
    assert card.endswith("\n")
    assert "\n\n\n" not in card


def test_card_is_made_from_the_metrics(inputs, made):
    card = model_card(inputs)
    selected = inputs.evaluation.selected.average_precision
    assert f"| **this encoder** | whitened | {selected.value:.2f} (" in card
    assert made.WEIGHTS in card
    assert card.count("| chance |") == 1


def test_card_repeats(inputs):
    assert model_card(inputs) == model_card(inputs)
