from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.survey import names
from mergerscope.survey.names import as_names, as_texts, column_names, column_texts

TEXTS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9), max_size=20)


@given(TEXTS)
def test_texts_come_back_and_bytes_sort_as_they_do(texts):
    assert as_texts(as_names(texts)).tolist() == texts
    assert np.argsort(as_names(texts), kind="stable").tolist() == sorted(range(len(texts)), key=texts.__getitem__)


def test_bytes_stay_as_they_are():
    given_names = np.array([b"a", b"bc"])
    assert as_names(given_names) is given_names


def test_a_column_is_the_same_however_it_is_cut(monkeypatch):
    texts = ["g1", None, "", "a longer one", "\u00e9t\u00e9", "last"]
    column = pa.chunked_array([texts[:1], texts[1:4], texts[4:]], pa.string())
    filled = [text or "" for text in texts]
    for size in (1, 2, 100):
        monkeypatch.setattr(names, "SLICE", size)
        assert column_texts(column).tolist() == filled
        assert column_names(column).tolist() == [text.encode() for text in filled]


@pytest.mark.parametrize("texts", [[], [None], [""]])
def test_a_column_without_a_text(texts):
    column = pa.chunked_array([texts], pa.string())
    assert column_names(column).tolist() == [b""] * len(texts)
    assert column_texts(column).tolist() == [""] * len(texts)
