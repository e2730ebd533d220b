"""Each error has its own documented exit code, and a message that helps."""

import pickle
import re

import pytest

from mergerscope import errors


def subclasses(base):
    return [base] + [deep for sub in base.__subclasses__() for deep in subclasses(sub)]


EVERY = [error for error in subclasses(errors.MergerscopeError) if error.__module__ == errors.__name__]


def test_every_error_is_public():
    assert {error.__name__ for error in EVERY} == set(errors.__all__)


def test_the_table_in_the_docstring_tells_the_codes():
    table = dict(re.findall(r"^`(\w+)`\s+(\d+)\s", errors.__doc__, re.MULTILINE))
    raised = {error.__name__: str(error.exit_code) for error in EVERY if error is not errors.MergerscopeError}
    assert table == raised


def test_codes_do_not_mean_two_things():
    kinds = [error for error in EVERY if error.__base__ is errors.MergerscopeError]
    codes = [error.exit_code for error in kinds]
    assert len(set(codes)) == len(codes)
    assert errors.TooManyRefusedError.exit_code == errors.SurveyError.exit_code


def test_a_missing_input_names_the_file_and_the_verb_that_writes_it():
    message = str(errors.MissingInputError("here/catalog.parquet", made_by="catalog"))
    assert "here/catalog.parquet" in message
    assert "mergerscope catalog" in message


def test_a_missing_extra_says_what_to_install():
    error = errors.MissingExtraError("umap-learn", extra="umap", purpose="A UMAP of the embedding")
    assert "pip install 'mergerscope[umap]'" in str(error)


@pytest.mark.parametrize("error", EVERY, ids=lambda error: error.__name__)
def test_every_error_explains_when_it_is_raised(error):
    assert error.__doc__


@pytest.mark.parametrize("error", EVERY, ids=lambda error: error.__name__)
def test_an_error_of_another_process_is_the_same_here(error):
    made = {
        errors.MissingInputError: lambda: error("here/catalog.parquet", made_by="catalog"),
        errors.MissingExtraError: lambda: error("ray", extra="ray", purpose="The engine"),
    }.get(error, lambda: error("what, where"))()
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), str(again), again.args) == (error, str(made), made.args)
