import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from mergerscope.report.build import CONTENTS

VOID = {"meta", "link", "img", "br", "hr", "input"}
FIGURES = {
    "average_precision", "failures_missed", "failures_surprising", "gallery_deep", "gallery_references", "gallery_top",
    "map", "pairs", "precision_at_k", "recall_at_k", "training", "views",
}  # fmt: skip


class Reader(HTMLParser):
    """Reads a page, and fails on tags that do not close in order."""

    def __init__(self, html):
        super().__init__()
        self.open = []
        self.tags = []
        self.text = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute"
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def read(page):
    return Reader(page)


def test_page_has_every_section_in_order_and_links_to_them(page, read):
    sections = [attributes["id"] for attributes in read.all("section")]
    assert sections == [name for name, _ in CONTENTS if name != "completeness"]  # shown when asked for
    assert page.startswith("<!DOCTYPE html>")
    links = {attributes["href"] for attributes in read.all("a")}
    assert {f"#{name}" for name in sections} <= links


def test_every_section_has_a_heading_and_a_sentence(page):
    for section in re.findall(r"<section.*?</section>", page, re.DOTALL):
        assert section.count("<h2>") == 1
        assert re.search(r"<p>[A-Z0-9][^<]{20,}", section)


def test_page_loads_nothing_from_anywhere(read):
    for tag, attributes in read.tags:
        for name in ("src", "srcset", "poster", "data"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
        if tag in ("link", "use", "image"):
            assert attributes["href"].startswith(("data:", "#"))
        assert tag not in ("iframe", "object", "embed", "base")
        assert "url(" not in attributes.get("style", "").replace("url(#", "")


def test_style_and_script_load_nothing(page):
    inline = "".join(re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL))
    assert inline
    for word in ("@import", "url(", "http", "fetch", "XMLHttpRequest", "import("):
        assert word not in inline


def test_ids_are_unique_and_references_lead_somewhere(page, read):
    ids = Counter(attributes["id"] for _, attributes in read.tags if "id" in attributes)
    assert max(ids.values()) == 1
    wanted = set(re.findall(r"url\(#([^)]+)\)", page)) | {
        attributes["href"][1:] for _, attributes in read.tags if attributes.get("href", "").startswith("#")
    }
    assert wanted <= set(ids)


def test_pictures_and_drawings_say_what_they_show(read):
    assert len(read.all("img")) > 40
    assert all(attributes.get("alt") for attributes in read.all("img"))
    drawings = read.all("svg")
    assert len(drawings) == 3 + 6
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in drawings)


def test_tables_have_headers_with_scope(read):
    assert len(read.all("table")) == 4
    assert all(attributes["scope"] in ("col", "row", "colgroup") for attributes in read.all("th"))


def test_drawings_follow_the_theme(page):
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert "var(--" in drawing
        assert not re.search(r"(fill|stroke): ?#(?!000000|ffffff)", drawing)
    assert "prefers-color-scheme: dark" in page


def test_headline_says_how_many_of_the_hidden_are_found(inputs, page):
    hidden = inputs.evaluation.hidden
    k = inputs.evaluation.shown_k
    found = round(inputs.evaluation.selected.at["recall_at"][k].value * hidden)
    assert f"about {found} are among the first {k}" in page
    assert "Chance would put" in page


def test_every_row_of_the_evaluation_is_in_the_table(inputs, page):
    table = page[page.index('aria-label="Results of every row"') :].split("</table>")[0]
    assert table.count('<th scope="row">') == len(inputs.evaluation.rows)
    assert table.count('class="chosen"') == 1


def test_refused_inputs_are_listed_and_escaped(page):
    refused = page[page.index('<section id="refused">') :].split("</section>")[0]
    assert "broken&lt;b&gt;" in refused
    assert "missing" in refused
    assert "<b>" not in refused


def test_positions_lead_to_a_viewer(page):
    assert re.search(r'<a href="https://www\.legacysurvey\.org/viewer\?ra=[\d.]+&amp;dec=-?[\d.]+', page)


def test_identity_names_model_and_data_but_no_time_or_run(made, page):
    assert made.WEIGHTS in page
    assert "0123abc" in page
    assert "mergerscope-encoder@champion" in page
    assert not re.search(r"20\d\d-\d\d-\d\d", page)


def test_figures_are_files_too(built):
    assert {path.stem for path in built[1].iterdir()} == FIGURES
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in built[1].iterdir())


def test_page_and_figures_repeat_byte_for_byte(inputs, built, build):
    page, figures = build(inputs)
    assert page == built[0]
    for path in figures.iterdir():
        assert path.read_bytes() == (built[1] / path.name).read_bytes(), path.name
