"""What changed between two versions of requirements, word by word."""

from __future__ import annotations

from contracts.specification import difference
from tests.builders.tenders import requirement


def test_versions_differ_by_what_was_added_removed_and_changed() -> None:
    before = [requirement("F-1", text="Results within ten minutes"), requirement("F-2"),
              requirement("F-3")]  # fmt: skip
    after = [
        requirement("F-1", text="Results within five minutes", kind="should"),
        requirement("F-3"), requirement("F-4", text="New"),
    ]  # fmt: skip
    changed, removed, added = difference(before, after)
    assert [(one.field, one.before, one.after) for one in changed.changes] == [
        ("kind", "must", "should"),
        ("text", "Results within ten minutes", "Results within five minutes"),
    ]
    assert changed.changes[1].words == (
        ("=", "Results within"), ("-", "ten"), ("+", "five"), ("=", "minutes"),
    )  # fmt: skip
    assert (removed.code, removed.what) == ("F-2", "removed")
    assert (added.code, added.what, added.text) == ("F-4", "added", "New")


def test_a_renamed_requirement_is_a_change_and_no_loss() -> None:
    before, after = [requirement("F-1")], [requirement("G-1", supersedes="F-1")]
    (found,) = difference(before, after)
    assert (found.code, found.what) == ("G-1", "changed")
    assert difference(before, before) == []
