"""Keeps the files behind gates of deployments and behind what is claimed of algorithms."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from hub.configuration.reader import Value
from marketplace.deciding import Decision, decide
from marketplace.models import Algorithm, Deployment, Gate, GateFile, PaperFile
from vendors import filing
from vendors.filing import Brought, FileRefused, Place

Kind = PaperFile.Kind


@transaction.atomic
def decide_on(
    deployment: Deployment, kind: Gate.Kind, decision: Decision, brought: Brought | None, *,
    by: Any,
) -> Gate:  # fmt: skip
    """Record a decision with the file that it was made on: both or neither.

    Raises DecisionRefused, FileRefused.
    """
    if brought is not None:
        hand_in(deployment, kind, brought, by=by)
    return decide(deployment, kind, decision, by=by)


def hand_in(deployment: Deployment, gate: Gate.Kind, brought: Brought, *, by: Any) -> GateFile:
    """Keep a file behind a gate. Raises FileRefused."""
    return filing.keep(GateFile, of_gate(deployment, gate), brought, by=by)


def of_gate(deployment: Deployment, gate: str) -> Place:
    """The place of files of a gate. Raises FileRefused."""
    if gate == Gate.Kind.CALL_OFF_LINE:
        raise FileRefused("file", _("Call-offs say this by themselves."))
    return Place(
        deployment, {"deployment": deployment, "gate": gate},
        f"{deployment.version} {gate}", deployment.site,
    )  # fmt: skip


def add(algorithm: Algorithm, said: Value, brought: Brought, *, by: Any) -> PaperFile:
    """Keep a paper: ``said`` has its kind, version and reference. Raises FileRefused."""
    return filing.keep(PaperFile, of_told(algorithm, said), brought, by=by)


def of_told(algorithm: Algorithm, said: Value) -> Place:
    """The place of a paper by its kind, version and reference. Raises FileRefused."""
    kind, named, reference = said["kind"], said["version"], said["reference"] or ""
    version = algorithm.versions.filter(version=named).first() if named else None
    if kind == Kind.REFERENCE:
        if named or not algorithm.evidence.filter(reference=reference).exists():
            raise FileRefused("reference", _("expected a reference of the evidence matrix"))
    elif version is None:
        raise FileRefused("version", _("expected a version that is on record"))
    elif reference:
        raise FileRefused("reference", _("expected nothing: it is a paper of a version"))
    of = {"algorithm": algorithm, "kind": kind, "version": version, "reference": reference}
    return Place(algorithm, of, f"{version or algorithm} {kind}")
