from __future__ import annotations

import pyarrow as pa
import pytest

from mergerscope.errors import ContractError
from mergerscope.importing.columns import Columns, find_columns

NUMBERED = {f"feat_{number}": pa.float32() for number in (10, *range(10))}


def schema(**columns):
    return pa.schema(list(columns.items()))


@pytest.mark.parametrize("kind", [
    pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float16(), 8), pa.list_(pa.int8()),
])  # fmt: skip
def test_the_only_column_of_lists(kind):
    table = schema(id=pa.string(), ra=pa.float64(), embedding=kind, words=pa.list_(pa.string()))
    assert find_columns(table, None, None) == Columns("id", ("embedding",), True)


def test_many_columns_come_in_the_order_of_their_numbers():
    table = schema(ra=pa.float64(), iauname=pa.large_string(), **NUMBERED, mag_1=pa.float32(), mag_2=pa.float32())
    wanted = tuple(f"feat_{number}" for number in range(11))
    assert find_columns(table, None, None) == Columns("iauname", wanted, False)
    assert find_columns(table, None, "feat_*") == Columns("iauname", wanted, False)
    assert find_columns(table, None, "mag_?").vectors == ("mag_1", "mag_2")


def test_categories_are_ids_where_they_are_text():
    table = schema(id=pa.dictionary(pa.int32(), pa.string()), v=pa.list_(pa.float32()))
    assert find_columns(table, None, None).id == "id"
    with pytest.raises(ContractError, match="holds double"):
        find_columns(schema(id=pa.dictionary(pa.int32(), pa.float64()), v=pa.list_(pa.float32())), None, None)


def test_what_is_named_is_taken():
    table = schema(id=pa.string(), key=pa.int64(), a=pa.list_(pa.float32()), b=pa.list_(pa.float32()))
    assert find_columns(table, "key", "b") == Columns("key", ("b",), True)


@pytest.mark.parametrize(("table", "asked", "message"), [
    (schema(ra=pa.float64(), v=pa.list_(pa.float32())), (None, None), "no column of ids .* the columns are ra, v"),
    (schema(id=pa.string(), v=pa.list_(pa.float32())), ("key", None), "no column named 'key'"),
    (schema(id=pa.float64(), v=pa.list_(pa.float32())), (None, None), "holds double: ids are text or whole numbers"),
    (schema(id=pa.string(), a=pa.float32()), (None, None), "neither a column of lists"),
    (schema(id=pa.string(), v=pa.list_(pa.int8()), **NUMBERED), (None, None), r"several .*: v; feat_0 \.\.\. feat_10"),
    (schema(id=pa.string(), a=pa.string()), (None, "a"), "'a' holds string"),
    (schema(id=pa.string(), a=pa.float32()), (None, "feat_*"), "no column has such a name"),
])  # fmt: skip
def test_what_cannot_be_told_is_an_error(table, asked, message):
    with pytest.raises(ContractError, match=message):
        find_columns(table, *asked)
