"""The kind ``deployments`` of the set-up file, and what it may not undo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hub.configuration import identifiers, registry
from hub.configuration.attachments import Json
from hub.configuration.kept import KeptRows
from hub.configuration.problems import one_of
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Boolean, Choice, Date, InJson, Text
from hub.phrases import render
from marketplace import deploying, papers
from marketplace.clearance import ClearanceFacts, facts_in, judge
from marketplace.deciding import FOLDER, day_problem, details_faults
from marketplace.deployment import IN_USE
from marketplace.gates import GATES_FOR, OF_ONE_DEVICE, udi_di_of
from marketplace.models import AlgorithmVersion, Clearance, Deployment, Gate, GateFile
from vendors.setup_files import Files

DECIDED = tuple(kind for kind in Gate.Kind.values if kind != Gate.Kind.CALL_OFF_LINE)
# what the hub keeps about a state, and may have changed since the plan was made
_KEPT = (
    "state", "known_state", "attested_by", "attested_at", "attested_state", "attested_udi_di",
    "suspended_by", "suspended_at", "suspended_why",
)  # fmt: skip


class _State(Choice):
    """The state of a deployment: who applies a file that says so vouches for it."""

    def save(self, row: Any, column: str, value: Any) -> None:
        planned = row.state
        if row.pk is not None:
            # An entry before this one may have moved it: another UDI-DI opens the validation.
            row.refresh_from_db(fields=_KEPT)
        if row.pk is None or value != planned:
            Choice.save(self, row, column, value)

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        deploying.note_of_file(row, by=store.actor, udi_di=udi_di_of(row.version))


def gate_details_schema() -> dict[str, Any]:
    """The JSON Schema of what one gate alone has: the fields of every kind."""
    whole = json.loads((FOLDER / "gate_details.schema.json").read_text("utf-8"))
    names = {name for one in whole["properties"].values() for name in one["properties"]}
    return {"type": "object", "propertyNames": {"enum": sorted(names)}}


def _examine_deployment(value: Value, say: Say, world: World) -> None:
    algorithm = world.value("algorithm", value["algorithm"])
    manifests = [held["manifest"] for held in algorithm.get("versions") or []]
    if not algorithm or None in manifests:  # what cannot be read is told at its own place
        return
    known = [manifest.data["version"] for manifest in manifests]
    if value["version"] not in known:
        what = _("a version of %(algorithm)s") % {"algorithm": value["algorithm"]}
        say.error("version", one_of(what, known, found=value["version"] or ""))
        return
    _examine_gates(value, say)
    if value["state"] in IN_USE:
        held = algorithm["versions"][known.index(value["version"])]
        facts = _facts(held["clearance"], f"{algorithm['name']} {value['version']}")
        if refusal := judge(facts, on=timezone.localdate()):
            text = _("every study will be refused: %(why)s")
            say.warning("state", text % {"why": refusal.why})
        _examine_notices(value, say, world)


def _examine_gates(value: Value, say: Say) -> None:
    """A gate of the file is held to the rules of one that a person decides."""
    needed = GATES_FOR.get(value["state"] or "", ())
    shown = {one["gate"] for one in value["files"] or []}
    for index, gate in enumerate(value["gates"] or []):
        path, details = f"gates[{index}]", gate["details"] or {}
        kind, is_passed = gate["gate"], bool(gate["passed"])
        if kind is None:
            continue
        for line in details_faults(kind, details, is_passed=is_passed):
            where, _colon, text = line.partition(": ")
            say.error(f"{path}.{where}", text)
        if problem := day_problem(_day(gate["decided_on"])):
            say.error(f"{path}.decided_on", problem)
        if is_passed and not gate["evidence"] and kind not in shown:
            text = _("expected where the evidence is found, found nothing")
            say.error(f"{path}.evidence", text)
        if is_passed and kind in OF_ONE_DEVICE and not gate["udi_di"]:
            text = _("expected the UDI-DI that was looked at, found nothing")
            say.error(f"{path}.udi_di", text)
        if not is_passed and kind in needed:
            text = _("expected a state without %(gate)s, which is not passed; found %(found)s")
            say.error("state", text % {"gate": kind, "found": value["state"]})


def _examine_notices(value: Value, say: Say, world: World) -> None:
    about = {"algorithm": value["algorithm"], "version": value["version"]}
    for code, item in world.of("safety_notice").items():
        notice = item.value
        is_open = notice["suspends"] and not notice["lifted"]
        if is_open and about in (notice["versions"] or []):
            text = _("expected suspended or retired: the field safety notice %(code)s is open")
            say.error("state", text % {"code": code})


def _facts(clearance: Value | None, version: str) -> ClearanceFacts:
    """A clearance as the file has it, to be judged as a study will judge it."""
    if not clearance:
        return ClearanceFacts(version, is_recorded=False)
    certificate, legacy = clearance["certificate"] or {}, clearance["legacy"] or {}
    row = Clearance(
        regime=clearance["regime"] or "",
        risk_class=clearance["class"] or "",
        certificate_number=certificate.get("number") or "",
        notified_body=certificate.get("notified_body") or "",
        issued=_day(certificate.get("issued")),
        expires=_day(certificate.get("expires")),
        mdr_class=legacy.get("mdr_class") or "",
        application_lodged=_day(legacy.get("application_lodged")),
        agreement_signed=_day(legacy.get("agreement_signed")),
        is_unchanged=bool(legacy.get("unchanged")),
    )
    return facts_in(row, version=version)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _new_deployment(value: Value) -> Deployment:
    version = AlgorithmVersion.objects.get(
        algorithm__code=value["algorithm"], version=value["version"]
    )
    return Deployment(version=version)


def _suspended_in_the_hub(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """A file that was written before a suspension must not lift it."""
    if old["state"] != Deployment.State.SUSPENDED or new["state"] not in IN_USE:
        return
    row = Deployment.objects.filter(
        site__code=new["site"], version__algorithm__code=new["algorithm"],
        version__version=new["version"],
    ).exclude(suspended_by="").first()  # fmt: skip
    if row is not None:
        text = _("expected suspended, because %(who)s suspended it (%(why)s); lift that in the "
                 "hub, found %(found)s")  # fmt: skip
        yield "state", text % {
            "who": row.suspended_by, "why": render(row.suspended_why) or "-",
            "found": new["state"],
        }  # fmt: skip


registry.guard("deployment", _suspended_in_the_hub)
for _label in ("Signature", "DeploymentMove"):
    registry.dispose(f"marketplace.{_label}")
registry.register(Kind(
    "deployment", "deployments", Deployment, key=("site", "algorithm", "version"),
    says="May this version be used on patients at this site, and how.",
    make=_new_deployment,
    examine=_examine_deployment,
    instead=gettext_noop("set state: retired"),
    record=Record((
        Field("site", Reference("site")),
        Field("algorithm", Reference("algorithm"), column="version.algorithm", is_written=False),
        Field("version", Text(40), column="version.version", is_written=False),
        Field("state", _State(tuple(Deployment.State.values)), "shadow",
              "shadow: nothing leaves the hub. Who applies validation or clinical vouches for the "
              "gates that are in no row."),
        Field("write_back", Choice(tuple(Deployment.WriteBack.values)), "automatic",
              "after_acceptance: held until a radiologist accepts."),
        Field("gates", KeptRows(Gate, "deployment", ("gate",), Record((
            Field("gate", Choice(DECIDED), column="kind"),
            Field("passed", Boolean(), True, column="is_passed"),
            Field("evidence", Text(2000, identifiers.paragraphs), None, "Where it is found."),
            Field("owner", Text(), None, "Who is in charge."),
            Field("decided_by", Text()),
            Field("decided_on", Date()),
            Field("valid_until", Date(), None, "The last day."),
            Field("udi_di", Text(40, identifiers.udi_di), None,
                  "regulatory_snapshot, local_validation: the device that was looked at."),
            Field("details", InJson(Json(gate_details_schema())), None,
                  "What this gate alone has: counts of a validation, metrics to monitor."),
        ))), None, "Left out: what was decided in the hub stays."),
        Field("files", Files(
            GateFile, "deployment", (Field("gate", Choice(DECIDED)),),
            lambda row, value: papers.of_gate(row, value["gate"]),
        ), None, "Evidence behind gates, byte for byte. It adds to what is there, and takes "
                 "nothing away."),
    )),
))  # fmt: skip
