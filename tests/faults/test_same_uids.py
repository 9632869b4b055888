"""Two trusts that send the same UIDs at one moment; scanners that send all twice, in any order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.faults.trusts import USAGE, Sent, Trusts, evidence
from tests.routing.test_merging import merge_message

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


def test_a_merge_and_a_changed_order_amid_two_associations_are_followed(trusts: Trusts) -> None:
    """What comes under either number is of one patient, whom PACS and RIS are told of."""
    sent, other = trusts.study("drammen", slices=12), trusts.study("ulleval")
    survivor = f"S{sent.scan.patient_id}"
    prior, now = sent.scan.files[:8], under_number(sent.scan.files[8:], survivor)
    trusts.store(sent, prior[:1])
    changed = sent.scan.order("DRAMMEN", control="XO", priority="S").omi()
    jobs = [
        lambda: trusts.store(sent, prior[1:]),
        lambda: trusts.store(sent, prior),
        lambda: trusts.order(sent, merge_message(sent.scan.patient_id, survivor)),
        lambda: (trusts.order(sent), trusts.order(sent, changed)),
        lambda: trusts.bring([other]),
    ]
    with ThreadPoolExecutor(len(jobs)) as senders:
        list(senders.map(lambda job: job(), jobs))
    # Under the surviving number only once its merge was acknowledged.
    trusts.store(sent, now)
    trusts.store(sent, [*prior, *now])
    trusts.settle([sent], seconds=120)
    trusts.assert_once([other], seconds=120)
    reports = trusts.reports(sent)
    assert len({one.SOPInstanceUID for one in reports}) == 1
    assert len(evidence(reports[-1])) == 12
    assert {one.PatientID for one in reports} == {survivor}
    results = [raw for raw in trusts.rises["drammen"].about(sent.uid) if b"|ORU^" in raw]
    assert len(trusts.told(sent)["ORU"]) == 1
    assert all(survivor.encode() in raw for raw in results)
    assert trusts.hub.rows(USAGE, sent.uid, "drammen") == [(1,)]
    assert trusts.reports(sent, site="ulleval") == []
    assert trusts.told(sent, site="ulleval") == {}


def under_number(files: Sequence[Path], patient_id: str) -> tuple[Path, ...]:
    for path in files:
        dataset = dcmread(path)
        dataset.PatientID = patient_id
        dataset.save_as(path)
    return tuple(files)
