"""Which gates of a deployment stand today, and why the others do not.

Nothing here is changed: gates are decided in `deciding`, states are moved in `deploying`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop, override

from hub.models import Site
from hub.phrases import Phrase, phrase
from marketplace import gate_files
from marketplace.clearance import facts_of, judge
from marketplace.models import (
    Algorithm,
    AlgorithmVersion,
    Clearance,
    Deployment,
    Gate,
    GateFile,
)

Kind = Gate.Kind
State = Deployment.State

# What must stand before patients' studies are used to validate, and before results reach the house.
GATES_FOR: dict[str, tuple[Kind, ...]] = {
    State.VALIDATION: (Kind.REGULATORY_SNAPSHOT, Kind.DPIA, Kind.DPA, Kind.RISK_ANALYSIS),
    State.CLINICAL: tuple(Kind),
}
# Decided for one UDI-DI, and open again for the next
OF_ONE_DEVICE = (Kind.REGULATORY_SNAPSHOT, Kind.LOCAL_VALIDATION)

# (site, algorithm, day) -> what stands for the gate, in words; nothing where it does not stand
Provider = Callable[[Site, Algorithm, date], str]
_providers: dict[str, Provider] = {}


@dataclass(frozen=True, slots=True)
class Standing:
    """One gate of a deployment: whether it stands, why (not), and the row where there is one."""

    kind: Kind
    stands: bool
    why: Phrase
    gate: Gate | None = None
    is_attested: bool = False
    is_live: bool = False


def provide(kind: Kind, ask: Provider) -> None:
    """Let an app above say at any moment whether a gate stands, instead of a row."""
    _providers[kind] = ask


def standing(deployment: Deployment, *, on: date | None = None) -> tuple[Standing, ...]:
    """Every gate in the order of the checklist, as it stands on the day (today, if not said)."""
    day = on or timezone.localdate(timezone=deployment.site.zone)
    rows = {row.kind: row for row in deployment.gates.all()}
    udi_di = udi_di_of(deployment.version)
    return tuple(
        _live(deployment, kind, day=day)
        if kind in _providers
        else _decided(deployment, kind, rows.get(kind), udi_di=udi_di, day=day)
        for kind in Kind
    )


def missing(deployment: Deployment, *, to: str, on: date | None = None) -> tuple[Standing, ...]:
    """The gates that keep a deployment from the state ``to``."""
    needed = GATES_FOR.get(to, ())
    return tuple(
        one for one in standing(deployment, on=on) if one.kind in needed and not one.stands
    )


def facts_for(deployment: Deployment, *, to: str) -> dict[str, dict[str, Any]]:
    """What each gate of the state ``to`` says now, by its kind: what people sign for, as JSON."""
    needed = GATES_FOR.get(to, ())
    gates = [one for one in standing(deployment) if one.kind in needed]
    files = gate_files.behind(owners_of(deployment, gates))
    with override("en"):  # two people may read it in two languages
        return {
            str(one.kind): {
                "stands": one.stands, "why": str(one.why), **_of_gate(one.gate),
                **_of_files(files[one.kind]),
            }
            for one in gates
        }  # fmt: skip


def owners_of(deployment: Deployment, gates: Iterable[Standing]) -> dict[Kind, int]:
    """Of which deployment the files behind each gate are: a validation may be of another one."""
    return {
        one.kind: one.gate.deployment_id if one.gate else deployment.pk for one in gates
    }


def digest_of(facts: Mapping[str, Any]) -> str:
    """What tells these facts from others: of what somebody saw, and of what there is."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _of_gate(gate: Gate | None) -> dict[str, Any]:
    if gate is None:
        return {}
    return {
        "evidence": gate.evidence, "owner": gate.owner, "decided_by": gate.decided_by,
        "decided_on": str(gate.decided_on), "valid_until": str(gate.valid_until or ""),
        "details": gate.details, "udi_di": gate.udi_di,
    }  # fmt: skip


def _of_files(files: list[GateFile]) -> dict[str, Any]:
    """Nothing where there is none, as in what was signed before files were kept here."""
    digests = sorted(one.file.sha256 for one in gate_files.standing(files))
    return {"files": digests} if digests else {}


def udi_di_of(version: AlgorithmVersion) -> str:
    """The UDI-DI of the version; empty where none is recorded."""
    found = Clearance.objects.filter(version=version).values_list("udi_di", flat=True).first()
    return found or ""


def _live(deployment: Deployment, kind: Kind, *, day: date) -> Standing:
    told = _providers[kind](deployment.site, deployment.version.algorithm, day)
    if told:
        return Standing(kind, True, phrase("%(told)s", told=told), is_live=True)
    why = phrase(gettext_noop("none is active at %(site)s"), site=deployment.site.name)
    return Standing(kind, False, why, is_live=True)


def _decided(
    deployment: Deployment, kind: Kind, gate: Gate | None, *, udi_di: str, day: date
) -> Standing:
    if kind == Kind.LOCAL_VALIDATION and gate is None:
        gate = _of_the_same_device(deployment, udi_di=udi_di)
    if gate is not None:
        return _of_row(deployment, kind, gate, udi_di=udi_di, day=day)
    if _is_attested(deployment, kind, udi_di=udi_di):
        why = phrase(
            gettext_noop("attested by set-up file (%(who)s)"), who=deployment.attested_by
        )
        return Standing(kind, True, why, is_attested=True)
    return Standing(kind, False, phrase(gettext_noop("nothing is recorded")))


def _of_row(
    deployment: Deployment, kind: Kind, gate: Gate, *, udi_di: str, day: date
) -> Standing:
    if not gate.is_passed:
        why = phrase(gettext_noop("decided against it on %(day)s"), day=gate.decided_on)
        return Standing(kind, False, why, gate)
    if gate.valid_until and day > gate.valid_until:
        why = phrase(gettext_noop("it was valid until %(day)s"), day=gate.valid_until)
        return Standing(kind, False, why, gate)
    if kind in OF_ONE_DEVICE and gate.udi_di != udi_di:
        why = phrase(
            gettext_noop("decided for the UDI-DI %(old)s; it is %(new)s now"),
            old=gate.udi_di or "-", new=udi_di or "-",
        )  # fmt: skip
        return Standing(kind, False, why, gate)
    is_snapshot = kind == Kind.REGULATORY_SNAPSHOT
    if is_snapshot and (refusal := judge(facts_of(deployment.version), on=day)):
        return Standing(kind, False, refusal.why, gate)
    text = gettext_noop("decided by %(who)s on %(day)s")
    return Standing(kind, True, phrase(text, who=gate.decided_by, day=gate.decided_on), gate)


def _of_the_same_device(deployment: Deployment, *, udi_di: str) -> Gate | None:
    """The validation of another version there that is the same device: it has the same UDI-DI."""
    if not udi_di:
        return None
    rows = Gate.objects.filter(
        deployment__site=deployment.site,
        deployment__version__algorithm=deployment.version.algorithm_id,
        kind=Kind.LOCAL_VALIDATION, udi_di=udi_di,
    )  # fmt: skip
    # The last word counts; of one day that against it.
    return rows.order_by("-decided_on", "is_passed", "-pk").first()


def _is_attested(deployment: Deployment, kind: Kind, *, udi_di: str) -> bool:
    if not deployment.attested_by:
        return False
    if kind in OF_ONE_DEVICE and deployment.attested_udi_di != udi_di:
        return False
    return kind in GATES_FOR.get(deployment.attested_state, ())


def names_of(gates: Iterable[Standing]) -> str:
    """The gates by name, for a sentence."""
    return ", ".join(str(one.kind.label) for one in gates)
