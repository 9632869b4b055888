"""Checks that the morning went as it must, expectation by expectation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo.client import Json
from demo.morning import MORNING, Case
from demo.stand_ins import Pacs, Ris
from demo.telling import Teller
from demo.usage import Usage
from demo.watching import accession_number, new_priority


@dataclass(frozen=True)
class Outcome:
    """What can be seen from outside when all is done; `studies` by Study Instance UID."""

    worklist: Sequence[Json]
    studies: Mapping[str, Json]
    pacs: Pacs
    ris: Ris
    usage: Sequence[Usage]

    def study(self, case: Case) -> Json:
        """What the API says of a case; nothing at all where the hub never got it."""
        unknown: Json = {"revision": None, "workitems": [], "deliveries": []}
        return self.studies.get(case.study_instance_uid) or unknown


@dataclass(frozen=True, slots=True)
class Expectation:
    """One sentence, whether it came true, and what was found instead."""

    text: str
    is_met: bool
    instead: str = ""


def is_as_expected(teller: Teller, outcome: Outcome) -> bool:
    """Print every expectation with a tick or a cross; whether all came true."""
    teller.title("Was it as it must be?")
    found = [
        *_worklist(outcome), _late(outcome), *_refusal(outcome), _held(outcome), *_pacs(outcome),
        *_ris(outcome), _usage(outcome),
    ]  # fmt: skip
    for one in found:
        teller.expectation(one.text, is_met=one.is_met, instead=one.instead)
    return all(one.is_met for one in found)


def _same(text: str, wanted: object, found: object) -> Expectation:
    return Expectation(text, wanted == found, f"expected {wanted}, found {found}")


def _worklist(outcome: Outcome) -> list[Expectation]:
    rows = outcome.worklist
    critical = [case for case in MORNING if case.expected.critical]
    wanted = [(case.site, case.expected.critical) for case in critical]
    top = [(row["site"], row["priority"]) for row in rows[: len(critical)]]
    states = {row["site"]: row["ai_state"] for row in rows}
    return [
        _same(f"all {len(MORNING)} studies stand on the worklist", len(MORNING), len(rows)),
        _same("the three with a critical finding stand on top, in order", wanted, top),
        Expectation("every study says why it stands there", all(row["reason"] for row in rows)),
        _same(
            "AI has come to its end on every study",
            {case.site: case.expected.ai_state for case in MORNING}, states,
        ),
    ]  # fmt: skip


def _late(outcome: Outcome) -> Expectation:
    found = {case.site: outcome.study(case)["revision"] for case in MORNING}
    wanted = {case.site: case.expected.revision for case in MORNING}
    return _same("the study that came in two parts, and no other, has revision 2", wanted, found)


def _refusal(outcome: Outcome) -> list[Expectation]:
    study = outcome.study(_case("tromso"))
    said = " ".join(item["why"] for item in study["workitems"] if item["state"] == "refused")
    return [
        Expectation(
            "the study that no contract covers is refused, and the sentence says what is missing",
            "no line for" in said, said or "no refusal",
        ),
        _same("nothing about it was sent anywhere", [], study["deliveries"]),
    ]  # fmt: skip


def _held(outcome: Outcome) -> Expectation:
    study = outcome.study(_case("kongsberg"))
    states = [item["state"] for item in study["workitems"]]
    return Expectation(
        "the result that needs a radiologist's acceptance is held, and was sent nowhere",
        states == ["held"] and not study["deliveries"], f"{states}, {study['deliveries']}",
    )  # fmt: skip


def _pacs(outcome: Outcome) -> list[Expectation]:
    reports = [one for one in outcome.pacs.received if one.Modality == "SR"]
    by_study = Counter(str(one.StudyInstanceUID) for one in reports)
    patients = {case.study_instance_uid: case.patient.patient_id for case in MORNING}
    strangers = [
        uid for one in outcome.pacs.received
        if one.PatientID != patients.get(uid := str(one.StudyInstanceUID))
    ]  # fmt: skip
    return [
        _same(
            "the PACS got a report for each result, and for no other study",
            {case.site: case.expected.reports for case in MORNING if case.expected.reports},
            {case.site: by_study[uid] for case in MORNING
             if by_study[uid := case.study_instance_uid]},
        ),
        _same("every object at the PACS names the right patient", [], strangers),
    ]  # fmt: skip


def _ris(outcome: Outcome) -> list[Expectation]:
    results = outcome.ris.of_type("ORU^R01")
    changes = outcome.ris.of_type("OMI^O23") + outcome.ris.of_type("ORM^O01")
    wanted = {case.accession_number: case.expected.critical for case in MORNING}
    raised = {number: priority for number, priority in wanted.items() if priority}
    told = Counter(message.segment("OBR").value(18) for message in results)
    return [
        _same(
            "the RIS got a result for each report, and no other",
            {c.accession_number: c.expected.reports for c in MORNING if c.expected.reports},
            dict(told),
        ),
        Expectation(
            "the RIS got exactly three wishes to read sooner, each once, for the right orders",
            len(changes) == len(raised)
            and {accession_number(message): new_priority(message) for message in changes} == raised,
            str([(accession_number(message), new_priority(message)) for message in changes]),
        ),
    ]  # fmt: skip


def _usage(outcome: Outcome) -> Expectation:
    found = Counter(event.site for event in outcome.usage)
    wanted = {case.site: case.expected.usage for case in MORNING if case.expected.usage}
    text = "one usage event for each delivered result; re-run, held and shadow count nothing"
    return _same(text, wanted, dict(found))


def _case(site: str) -> Case:
    return next(case for case in MORNING if case.site == site)
