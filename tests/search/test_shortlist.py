from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.search.shortlist import rank_order

ENTRY = st.tuples(st.text("abc", min_size=1, max_size=3), st.integers(-3, 3))
ENTRIES = st.lists(ENTRY, max_size=30, unique_by=lambda entry: entry[0])


@given(ENTRIES)
def test_equal_scores_are_in_the_order_of_the_ids(entries):
    ids = np.array([name for name, _ in entries], dtype=np.str_)
    scores = np.array([score for _, score in entries], np.float32)
    wanted = sorted(range(len(entries)), key=lambda row: (-entries[row][1], entries[row][0]))
    assert rank_order(scores, ids).tolist() == wanted
