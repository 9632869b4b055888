"""Two trusts that send the same UIDs at one moment; scanners that send all twice, in any order."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom import dcmread

from tests.faults.trusts import Sent, Trusts

pytestmark = pytest.mark.long


def twin(trusts: Trusts, sent: Sent) -> Sent:
    """Another patient's study at the other hospital, whose every UID is the same."""
    other = trusts.study("ulleval", StudyInstanceUID=sent.uid)
    for mine, theirs in zip(sent.scan.files, other.scan.files, strict=True):
        first, second = dcmread(mine), dcmread(theirs)
        second.SeriesInstanceUID = first.SeriesInstanceUID
        second.SOPInstanceUID = first.SOPInstanceUID
        second.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
        second.save_as(theirs)
    return other


def test_the_same_uids_at_two_trusts_at_one_moment_under_load(trusts: Trusts) -> None:
    here = [trusts.study("drammen") for _ in range(3)]
    there = [twin(trusts, one) for one in here]
    load = trusts.morning(4)
    both = [one for pair in zip(here, there, strict=True) for one in pair]
    trusts.bring([*both, *load], at_once=6)
    trusts.assert_once([*both, *load], seconds=120)
    for mine, theirs in zip(here, there, strict=True):
        assert {one.PatientID for one in trusts.reports(mine)} == {mine.scan.patient_id}
        assert {one.PatientID for one in trusts.reports(theirs)} == {theirs.scan.patient_id}
        assert mine.scan.patient_id != theirs.scan.patient_id


def test_everything_twice_at_once_and_in_any_order_is_once(trusts: Trusts, seed: int) -> None:
    chance = random.Random(seed)
    studies = trusts.morning(4)
    jobs = []
    for sent in studies:
        for _ in range(2):
            files = list(sent.scan.files)
            chance.shuffle(files)
            jobs.append(lambda sent=sent, files=files: trusts.store(sent, files))
            jobs.append(lambda sent=sent: trusts.order(sent))
    chance.shuffle(jobs)
    with ThreadPoolExecutor(6) as senders:
        list(senders.map(lambda job: job(), jobs))
    trusts.assert_once(studies, seconds=120)
    for sent in studies:
        trusts.store(sent)
        trusts.order(sent)
    trusts.assert_once(studies)
