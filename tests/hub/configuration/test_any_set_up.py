"""Whatever stands in a set-up, it is applied or refused with places, and never breaks off."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.configuration import reference
from hub.configuration.document import parse, resolved
from hub.configuration.problems import Report, SetUpRefused
from tests.hub.configuration.setups import SETUP, applied, write

pytestmark = pytest.mark.django_db
DATA = resolved(parse(SETUP.encode(), name="", report=Report()), reference.schema())
odd_texts = st.text(max_size=12) | st.sampled_from(["\x00", "\ud800", "NO", "~", "*", "2026-13-01"])
odd_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_texts, inner, max_size=3),
    max_leaves=6,
)

many = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def paths(value, path=()):
    """Every place in a set-up that can be changed."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for name, held in parts:
        yield (*path, name)
        if isinstance(held, (dict, list)):
            yield from paths(held, (*path, name))


def with_changes(value, changes, path=()):
    if path in changes:
        return changes[path]
    if isinstance(value, dict):
        return {name: with_changes(held, changes, (*path, name)) for name, held in value.items()}
    if isinstance(value, list):
        return [with_changes(held, changes, (*path, at)) for at, held in enumerate(value)]
    return value


def told_or_applied(name: str) -> None:
    with contextlib.suppress(SetUpRefused):
        applied(name, is_dry_run=True, is_pruning=True)
        return
    with pytest.raises(SetUpRefused) as caught:
        applied(name)
    assert all(problem.text for problem in caught.value.problems)
    assert all(line.isprintable() for line in str(caught.value).splitlines())


@many
@given(changes=st.dictionaries(st.sampled_from(list(paths(DATA))), odd_values, max_size=4))
def test_any_value_anywhere_is_applied_or_refused(tmp_path, changes):
    name = write(tmp_path)
    text = yaml.dump(with_changes(DATA, changes), sort_keys=False, allow_unicode=False)
    Path(name).write_text(text, encoding="utf-8")
    told_or_applied(name)


@many
@given(start=st.integers(0, len(SETUP)), length=st.integers(0, 40), put=st.binary(max_size=12))
def test_any_bytes_anywhere_are_applied_or_refused(tmp_path, start, length, put):
    name = write(tmp_path)
    raw = SETUP.encode()
    Path(name).write_bytes(raw[:start] + put + raw[start + length :])
    told_or_applied(name)
