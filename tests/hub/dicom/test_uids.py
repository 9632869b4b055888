import subprocess
import sys

import pytest
from pydicom.uid import UID

from hub.dicom.uids import new_uid, uid_for


def test_the_same_parts_give_the_same_uid_in_another_process():
    code = "from hub.dicom.uids import uid_for; print(uid_for('2.25.1', 'sr', '1410'))"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert other == uid_for("2.25.1", "sr", "1410")


def test_the_names_of_what_was_written_years_ago_do_not_change():
    assert uid_for("2.25.1", "sr", "1410") == "2.25.43916717662757792906146096621293997067"


@pytest.mark.parametrize(
    "parts", [("a",), ("ab", "c"), ("a", "bc"), ("abc",), ("", "abc"), ("1:a", "bc"), ("æøå",)]
)
def test_parts_are_kept_apart_by_more_than_their_joined_text(parts):
    others = {("ab", "c"), ("a", "bc"), ("abc",), ("", "abc"), ("abc", "")} - {parts}
    assert uid_for(*parts) not in {uid_for(*other) for other in others}


def test_every_uid_is_valid_and_under_the_uuid_root():
    for uid in (uid_for("x"), uid_for("2.25.1", "日本"), new_uid()):
        assert UID(uid).is_valid
        assert uid.startswith("2.25.")
        assert len(uid) <= 44


def test_a_new_uid_is_new():
    assert len({new_uid() for _ in range(1000)}) == 1000


def test_a_uid_after_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one part"):
        uid_for()
