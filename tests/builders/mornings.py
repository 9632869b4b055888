"""One morning of nine trusts: fourteen studies that show everything a worklist has to show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from hub.models import Node, Site
from hub.phrases import phrase
from marketplace.models import AlgorithmVersion
from routing.models import Breaker, Message, Priority, SetAside, Study, Workitem
from tests.builders import parties
from tests.builders import worklists as make

S, H, M, R, L = Priority.STAT, Priority.HIGH, Priority.MEDIUM, Priority.ROUTINE, Priority.LOW


@dataclass(frozen=True, slots=True)
class Morning:
    """The sites, the algorithms, and the study with the whole story."""

    sites: dict[str, Site]
    versions: dict[str, AlgorithmVersion]
    head: Study
    head_workitem: Workitem
    held: Workitem


def algorithms() -> dict[str, AlgorithmVersion]:
    """The algorithms in use, by a short name."""
    return {
        "ich": parties.algorithm_version("ich-triage", name="ICH Triage"),
        "pe": parties.algorithm_version("pe-detect", name="PE Detect", version="2.3.1"),
        "chest": parties.algorithm_version("chest-xr", name="Chest XR", version="4.0.2"),
        "bone": parties.algorithm_version("bone-view", name="BoneView", version="3.1.0"),
        "lung": parties.algorithm_version("lung-nodule", name="Lung Nodule", version="1.8.0"),
        "ms": parties.algorithm_version("ms-follow", name="MS Follow-up", version="1.2.4"),
    }


def a_morning() -> Morning:
    """Fourteen studies: critical, clear, running, failed, held, uncovered, overdue, orderless."""
    sites, use = make.nine_trusts(), algorithms()
    head, item = _head_ct(sites["drammen"], use)
    held = _others(sites, use)
    _plain(sites, use)
    return Morning(sites, use, head, item, held)


def _head_ct(site: Site, use: dict[str, AlgorithmVersion]) -> tuple[Study, Workitem]:
    """The sickest patient, with every step told."""
    pacs, ris = parties.pacs_of(site), parties.ris_of(site)
    study = make.study_at(
        site, minutes=22, priority=R, patient="BERG^INGRID^MARIE", source=pacs,
        study_description="CT Caput without contrast", expected_instances=28,
    )  # fmt: skip
    item = make.workitem_on(study, use["ich"])
    make.finding_of(item, make.ICH, probability=0.97, urgency="stat")
    make.judged(study, use["ich"], is_match=True, clause=phrase("every clause holds"))
    no = phrase("%(field)s is %(value)s, not %(operand)s", field="body part", value="HEAD",
                operand="CHEST")  # fmt: skip
    make.judged(study, use["pe"], is_match=False, clause=no)
    young = phrase("age %(age)s < %(least)s", age=17, least=18)
    make.judged(study, use["lung"], is_match=False, clause=young)
    sent = make.delivery_to(pacs, item, answer="0x0000: 2 of 2 instances stored")
    told = make.delivery_to(ris, item, kind="result", answer="MSA|AA|20261122064211004")
    make.delivery_to(
        ris, item, kind="priority", state="pending", attempts=2, new_priority=S,
        last_error=phrase("no acknowledgement within %(seconds)s s", seconds=30).stored(),
    )  # fmt: skip
    _story(study, item, sent, told)
    return study, item


def _story(study: Study, item: Workitem, sent: object, told: object) -> None:
    make.moved(study, "receiving", after=0, why=phrase("the first instance came"))
    make.moved(study, "complete", after=41.2, from_state="receiving",
               why=phrase("all %(count)s expected instances are here", count=28))  # fmt: skip
    make.moved(study, "matched", after=41.24, from_state="complete",
               why=phrase("1 of 3 algorithms matches"))  # fmt: skip
    make.moved(study, "matched", after=41.25, workitem=item)
    make.moved(study, "entitled", after=41.31, from_state="matched", workitem=item,
               why=phrase("call-off CO-0001, clinical since 2026-03-16"))  # fmt: skip
    make.moved(study, "dispatched", after=41.62, from_state="entitled", workitem=item)
    make.moved(study, "collected", after=78.9, from_state="dispatched", workitem=item,
               why=phrase("1 finding, 1 DICOM object"))  # fmt: skip
    make.moved(study, "writing_back", after=79.2, from_state="collected", workitem=item)
    make.moved(study, "delivered", after=79.6, from_state="pending", workitem=item, delivery=sent)
    make.moved(study, "delivered", after=79.9, from_state="pending", workitem=item, delivery=told)
    make.moved(study, "written_back", after=80.1, from_state="writing_back", workitem=item)


def _others(sites: dict[str, Site], use: dict[str, AlgorithmVersion]) -> Workitem:
    """Studies on which AI has found, missed, failed, or waits for a person."""
    embolus = make.study_at(sites["ulleval"], minutes=9, priority=H, patient="SOLHEIM^LARS ERIK",
                            sex="M", study_description="CT Thorax pulmonary angiography")
    make.finding_of(make.workitem_on(embolus, use["pe"]), make.EMBOLUS, probability=0.91,
                    urgency="stat")  # fmt: skip
    chest = make.study_at(sites["nordbyhagen"], minutes=14, priority=R, modality="DX",
                          patient="ØDEGÅRD^ÅSE", study_description="Thorax front")  # fmt: skip
    item = make.workitem_on(chest, use["chest"])
    make.finding_of(item, make.PNEUMOTHORAX, probability=0.84, urgency="high")
    make.finding_of(item, make.EFFUSION, probability=0.62, urgency="routine")
    bone = make.study_at(sites["kalnes"], minutes=47, priority=M, modality="DX",
                         patient="NGUYEN^MINH", sex="M", study_description="Wrist, left")
    make.finding_of(make.workitem_on(bone, use["bone"]), make.FRACTURE, probability=0.88)
    clear = make.study_at(sites["kalnes"], minutes=64, priority=M, modality="DX",
                          patient="LUND^SARA", study_description="Ankle, right")  # fmt: skip
    make.finding_of(make.workitem_on(clear, use["bone"]), make.FRACTURE, status="absent",
                    probability=0.03)  # fmt: skip
    lesion = make.study_at(sites["tromso"], minutes=190, priority=R, modality="MR",
                           patient="SOMBY^ÁILE", study_description="MR Brain, MS follow-up")
    make.finding_of(make.workitem_on(lesion, use["ms"]), make.LESION, status="indeterminate",
                    probability=0.44)  # fmt: skip
    nodule = make.study_at(sites["gjovik"], minutes=150, priority=R, patient="HAUGEN^TOR", sex="M",
                           study_description="CT Thorax, control of nodule")  # fmt: skip
    held = make.workitem_on(nodule, use["lung"], state="held", write_back_mode="after_acceptance")
    make.finding_of(held, make.NODULE, probability=0.71)
    return held


def _plain(sites: dict[str, Site], use: dict[str, AlgorithmVersion]) -> None:
    """Studies whose place comes from the order and from waiting alone."""
    make.study_at(sites["kristiansand"], minutes=3, priority=S, patient="DAHL^OLA", sex="M",
                  study_description="CT Trauma, whole body")  # fmt: skip
    failed = make.study_at(sites["tonsberg"], minutes=35, priority=H, patient="BAKKEN^METTE",
                           study_description="CT Caput, fall in the home")  # fmt: skip
    make.workitem_on(failed, use["ich"], state="failed", log_tail="CUDA error: out of memory\n",
                     why=phrase("the algorithm ended with code %(code)s", code=137).stored())
    running = make.study_at(sites["drammen"], minutes=1, priority=R, patient="MOEN^GRETE",
                            study_description="CT Caput without contrast")  # fmt: skip
    make.workitem_on(running, use["ich"], state="dispatched", finished_at=None)
    make.study_at(sites["skien"], minutes=25.5 * 60, priority=R, modality="MR",
                  patient="JOHANSEN^PER ARNE", sex="M", study_description="MR Knee, right")
    make.study_at(sites["gjovik"], minutes=95, priority=None, modality="US",
                  patient="ALI^FATIMA", study_description="US Abdomen")  # fmt: skip
    make.study_at(sites["drammen"], minutes=0.4, priority=M, patient="KRISTIANSEN^BJØRN", sex="M",
                  study_description="CT Abdomen", state="receiving")  # fmt: skip
    make.study_at(sites["tromso"], minutes=20 * 60, priority=L, modality="MG",
                  patient="PEDERSEN^ANNE LISE", study_description="")  # fmt: skip


def trouble(morning: Morning) -> None:
    """What an administrator has to look at: a dead letter, an open circuit, input set aside."""
    item, now = morning.head_workitem, timezone.now()
    ris = Node.objects.get(code="drammen-ris")
    parties.pacs_of(morning.sites["tromso"])
    make.dead_letter(item, node=ris)
    Breaker.objects.create(node=ris, failures=6, open_until=now + timedelta(minutes=2))
    Message.objects.create(
        node=ris, control_id="1", message_type="OMI^O23", raw=b"", received_at=now
    )
    why = phrase("The data set cannot be read: %(field)s %(reason)s", field="PixelData",
                 reason="is shorter than Rows and Columns say")  # fmt: skip
    SetAside.objects.create(
        at=now - timedelta(minutes=12), site=item.study.site, protocol="dicom", field="PixelData",
        sender="DRAMMENPACS@10.20.1.14", reason=why.stored(), key="aside/2026/11/22/7f3a.dataset",
    )  # fmt: skip
