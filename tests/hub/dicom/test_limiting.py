"""How much one peer may ask, counted for each by itself."""

from hub.dicom.limiting import AssociationLimits


def test_a_peer_in_an_endless_loop_is_told_to_come_later_and_no_other_is():
    limits = AssociationLimits(per_minute=1, burst=3)
    assert [limits.is_too_often("CT1", "10.0.0.1") for _ in range(5)] == [False] * 3 + [True] * 2
    assert not limits.is_too_often("CT2", "10.0.0.1")
    assert not limits.is_too_often("CT1", "10.0.0.2")


def test_of_many_refusals_the_first_are_told():
    limits = AssociationLimits(told_per_minute=1, told_at_once=2)
    assert [limits.untold("10.0.0.1") for _ in range(4)] == [0, 0, None, None]
    assert limits.untold("10.0.0.2") == 0
