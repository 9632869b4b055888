"""Moves a deployment from state to state: the only writer of its state in the hub.

Up (validation, clinical) only where the gates stand and two people signed; down by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hub import audit
from hub.models import Site, User
from hub.phrases import StoredPhrase, render
from marketplace.gates import digest_of, facts_for, missing, names_of
from marketplace.models import (
    AlgorithmVersion,
    Deployment,
    DeploymentMove,
    Gate,
    SafetyNotice,
    Signature,
)

State = Deployment.State
Why: TypeAlias = str | StoredPhrase
SIGNATURES = 2
BY_FILE = gettext_noop("set-up file")
# from -> where to with signatures, where to by one person
SIGNED: dict[str, frozenset[str]] = {
    State.SHADOW: frozenset({State.VALIDATION}),
    State.VALIDATION: frozenset({State.CLINICAL}),
    State.SUSPENDED: frozenset({State.VALIDATION, State.CLINICAL}),
}
BY_ONE: dict[str, frozenset[str]] = {
    State.SHADOW: frozenset({State.SUSPENDED, State.RETIRED}),
    State.VALIDATION: frozenset({State.SHADOW, State.SUSPENDED, State.RETIRED}),
    State.CLINICAL: frozenset({State.VALIDATION, State.SUSPENDED, State.RETIRED}),
    State.SUSPENDED: frozenset({State.SHADOW, State.RETIRED}),
}


class MoveNotAllowed(Exception):
    """A deployment may not go where it was to go; the text is a sentence for people."""


@transaction.atomic
def begin(version: AlgorithmVersion, *, site: Site, by: User) -> Deployment:
    """Take a version into use in shadow: it runs, and nothing leaves the hub."""
    row, is_new = Deployment.objects.get_or_create(
        site=site, version=version, defaults={"state": State.SHADOW}
    )
    if not is_new:
        raise MoveNotAllowed(
            _("%(version)s is deployed at %(site)s already") % {"version": version, "site": site}
        )
    _refuse_under_notice(row)
    _note(row, was="", by=by, why="")
    return row


def sign(
    deployment: Deployment, *, to: str, by: User, seen: str = ""
) -> DeploymentMove | None:
    """Sign that it goes on to ``to``; the move once two people have signed, None before that.

    ``seen`` is digest_of() the facts that the person was shown; empty where nobody was shown any.
    Raises MoveNotAllowed where a gate is open, where the gates are not as they were shown, where
    the same person signs twice, and where the gates no longer say what the first signed for: then
    its signature is void, and both sign anew.
    """
    move, changed = _sign(deployment, to=to, by=by, seen=seen)
    if changed:
        raise MoveNotAllowed(
            _("These gates changed since the first signature: %(gates)s. Signing begins anew.")
            % {"gates": ", ".join(str(Gate.Kind(one).label) for one in changed)}
        )
    return move


@transaction.atomic
def _sign(
    deployment: Deployment, *, to: str, by: User, seen: str
) -> tuple[DeploymentMove | None, list[str]]:
    """The move, and the kinds of gates that say other things than the first signature was for."""
    row = _locked(deployment)
    if to not in signed_for(row):
        raise MoveNotAllowed(_no_way(row, to))
    _refuse_under_notice(row)
    if open_gates := missing(row, to=to):
        raise MoveNotAllowed(
            _("%(state)s needs gates that do not stand: %(gates)s")
            % {"state": State(to).label, "gates": names_of(open_gates)}
        )
    waiting = row.signatures.filter(move=None)
    waiting.exclude(to=to).delete()
    facts = facts_for(row, to=to)
    if seen and seen != digest_of(facts):
        raise MoveNotAllowed(
            _("The gates changed since you were shown them: look at them, and sign then.")
        )
    if changed := _changed_since(waiting.first(), facts):
        waiting.delete()
        audit.record(
            "deployment.signatures_void", actor=by, site=row.site, subject=str(row.version),
            to=to, changed=changed,
        )  # fmt: skip
        return None, changed
    if waiting.filter(user=by).exists():
        raise MoveNotAllowed(_("You have signed; a second person must sign too."))
    Signature.objects.create(deployment=row, to=to, user=by, at=timezone.now(), facts=facts)
    audit.record("deployment.signed", actor=by, site=row.site, subject=str(row.version), to=to)
    signatures = list(waiting.select_related("user").order_by("pk"))
    if len(signatures) < SIGNATURES:
        return None, []
    names = " + ".join(str(one.user) for one in signatures)
    move = _move(row, to, by=names, why="", actor=by)
    waiting.update(move=move)
    return move, []


def _changed_since(first: Signature | None, facts: dict[str, dict[str, Any]]) -> list[str]:
    if first is None:
        return []
    signed = first.facts or {}  # none in a signature of the release before
    return [kind for kind in facts if signed.get(kind) != facts[kind]]


@transaction.atomic
def step(deployment: Deployment, *, to: str, why: str, by: User) -> DeploymentMove:
    """Take it down to ``to``, which one person may do: suspend, retire, a state back."""
    row = _locked(deployment)
    if to not in BY_ONE.get(row.state, ()):
        raise MoveNotAllowed(_no_way(row, to))
    if to == State.SHADOW:
        _refuse_under_notice(row)
    return _move(row, to, by=str(by), why=why, actor=by)


@transaction.atomic
def suspend_everywhere(
    versions: Iterable[AlgorithmVersion], *, why: Why, by: str
) -> list[Deployment]:
    """Suspend every deployment of the versions that is in use, at every site."""
    rows = Deployment.objects.select_for_update(of=("self",)).select_related(
        "site", "version__algorithm"
    )
    found = list(
        rows.filter(version__in=list(versions))
        .exclude(state__in=(State.SUSPENDED, State.RETIRED))
        .order_by("pk")
    )
    for row in found:
        _move(row, State.SUSPENDED, by=by, why=why, actor=by)
    return found


@transaction.atomic
def reopen_validation(version: AlgorithmVersion, *, why: Why, by: str) -> list[Deployment]:
    """Take every clinical deployment of the version back to validation: it is another device."""
    rows = Deployment.objects.select_for_update(of=("self",)).select_related(
        "site", "version__algorithm"
    )
    found = list(rows.filter(version=version, state=State.CLINICAL).order_by("pk"))
    for row in found:
        _move(row, State.VALIDATION, by=by, why=why, actor=by)
    return found


def note_of_file(deployment: Deployment, *, by: str, udi_di: str) -> None:
    """Keep what a set-up file did with the state, and what its applying vouches for."""
    if deployment.state == deployment.known_state:
        return
    deployment.attested_by = deployment.attested_state = deployment.attested_udi_di = ""
    deployment.attested_at = None
    if deployment.state in (State.VALIDATION, State.CLINICAL):
        deployment.attested_by, deployment.attested_at = by, timezone.now()
        deployment.attested_state, deployment.attested_udi_di = deployment.state, udi_di
    deployment.suspended_by = deployment.suspended_why = ""
    deployment.suspended_at = None
    _note(deployment, was=deployment.known_state, by=by, why=BY_FILE)


def _locked(deployment: Deployment) -> Deployment:
    rows = Deployment.objects.select_for_update(of=("self",))
    return rows.select_related("site", "version__algorithm").get(pk=deployment.pk)


def _move(row: Deployment, to: str, *, by: str, why: Why, actor: object) -> DeploymentMove:
    was, row.state = row.state, to
    is_suspended = to == State.SUSPENDED
    row.suspended_by, row.suspended_why = (by, why) if is_suspended else ("", "")
    row.suspended_at = timezone.now() if is_suspended else None
    row.signatures.filter(move=None).exclude(to=to).delete()
    return _note(row, was=was, by=by, why=why, actor=actor)


def _note(
    row: Deployment, *, was: str, by: object, why: Why, actor: object = None
) -> DeploymentMove:
    row.known_state = row.state
    row.save()
    # A file that names a site for the first time may take it away again.
    place: dict[str, Any] = (
        {"of_site": row.site.code} if why == BY_FILE else {"site": row.site}
    )
    audit.record(
        "deployment.moved", actor=actor or by, **place, subject=str(row.version),
        was=was, became=row.state, by=str(by), why=render(why),
    )  # fmt: skip
    return DeploymentMove.objects.create(
        deployment=row, was=was, became=row.state, at=timezone.now(), by=str(by)[:200], why=why
    )


def _refuse_under_notice(row: Deployment) -> None:
    notice = SafetyNotice.objects.filter(
        versions__version=row.version_id, is_suspending=True, lifted_on=None
    ).first()
    if notice is not None:
        raise MoveNotAllowed(
            _("The field safety notice %(notice)s is open for %(version)s")
            % {"notice": notice.code, "version": row.version}
        )


def signed_for(row: Deployment) -> frozenset[str]:
    """Where two signatures take it: what was suspended goes back no further than it had come."""
    found = SIGNED.get(row.state, frozenset())
    if row.state != State.SUSPENDED:
        return found
    last = row.moves.filter(became=State.SUSPENDED).order_by("-pk").first()
    return found if last and last.was == State.CLINICAL else found - {State.CLINICAL}


def _no_way(row: Deployment, to: str) -> str:
    known = {str(State(one).label) for one in signed_for(row)}
    known |= {str(State(one).label) for one in BY_ONE.get(row.state, ())}
    label = State(to).label if to in State.values else to
    return _("From %(was)s it cannot go to %(to)s; expected one of: %(known)s") % {
        "was": row.get_state_display(), "to": label, "known": ", ".join(sorted(known)) or "-",
    }  # fmt: skip
