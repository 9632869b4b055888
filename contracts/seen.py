"""Two people at one call-off: what each has seen of it, and what the other did meanwhile.

A revision is the digest of all that a call-off says and of who approved it; a fingerprint is that
of what an approval is about (approving). Either is what a person may say to have seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contracts import approving, redrafted
from contracts.models import CallOff
from hub.models import AuditEvent

# whatever stands is what was seen (RFC 9110, 13.1.1)
ANY = "*"
ACTS = ("call_off_drafted", "call_off_redrafted", "call_off_approved", "call_off_moved")
MOST = 50
LABELS = {
    "mode": gettext_lazy("Mode"),
    "competition": gettext_lazy("Mini-competition"),
    "lot": gettext_lazy("Lot"),
    "supplier": gettext_lazy("Supplier"),
    "valid_from": gettext_lazy("In force from"),
    "valid_to": gettext_lazy("to"),
    "estimated_value": gettext_lazy("Estimated value"),
    "committed_value": gettext_lazy("Committed value"),
    "cost_centre": gettext_lazy("Cost centre"),
    "buyer_reference": gettext_lazy("Buyer reference"),
    "lines": gettext_lazy("Lines"),
    "prices": gettext_lazy("Prices"),
}


class ChangedMeanwhile(Exception):
    """The call-off is not what was seen any more; the message says who did what.

    ``changes`` has, by field, what it was and what it is, as far as the record tells.
    """

    def __init__(self, message: str, *, changes: dict[str, dict[str, Any]]) -> None:
        super().__init__(message)
        self.changes = changes


def revision(call_off: CallOff) -> str:
    """SHA-256 of all that is told of a call-off; any change of it makes another."""
    told = redrafted.told(call_off)
    said = {  # of what has no prices of its own it is what it was before any could have them
        **{name: held for name, held in told.items() if name != "prices" or held},
        "is": [call_off.code, call_off.framework.code, call_off.organisation.code, call_off.state],
        "invoiced_to_date": f"{call_off.invoiced_to_date:.2f}",
        "approvals": sorted(
            [one.user.username, one.fingerprint] for one in call_off.approvals.all()
        ),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def demand(call_off: CallOff, seen: Iterable[str]) -> None:
    """Raise ChangedMeanwhile where it is none of what was ``seen``; nothing said is refused too."""
    given = set(seen)
    if ANY in given or given & {revision(call_off), approving.fingerprint(call_off)}:
        return
    done, changes = _since(call_off, given)
    told = "; ".join(done) or _("it was changed, or what you send was never seen of it")
    text = _("%(call_off)s is not what you have seen any more (%(what)s): look at it as it is now.")
    raise ChangedMeanwhile(text % {"call_off": call_off.code, "what": told}, changes=changes)


def of(call_off: CallOff) -> dict[str, Any]:
    """What an event of the trail keeps of how the call-off stands after it."""
    fresh = CallOff.objects.select_related("framework", "organisation", "supplier")
    row = fresh.get(pk=call_off.pk)
    return {"revision": revision(row), "fingerprint": approving.fingerprint(row)}


def _since(
    call_off: CallOff, seen: set[str]
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Sentences and changes of what was done after the newest event that left what was seen."""
    rows = AuditEvent.objects.filter(subject=call_off.code, action__in=ACTS).order_by("-pk")
    events: list[AuditEvent] = []
    for event in rows[:MOST]:
        if seen & {event.details.get("revision"), event.details.get("fingerprint")}:
            break
        events.insert(0, event)
    else:  # from before revisions were kept, or of nothing at all: the newest is the best guess
        events = events[-1:]
    changes: dict[str, dict[str, Any]] = {}
    for event in events:
        for name, change in event.details.get("changes", {}).items():
            changes[name] = {"was": changes.get(name, change)["was"], "is": change["is"]}
    return [_told(event) for event in events], changes


def _told(event: AuditEvent) -> str:
    if event.action == "call_off_approved":
        return _("%(who)s approved it") % {"who": event.actor}
    if event.action == "call_off_redrafted":
        # In the order of the form: PostgreSQL keeps that of a JSON object no more than JSON does.
        changed = event.details["changes"]
        fields = ", ".join(str(label) for name, label in LABELS.items() if name in changed)
        return _("%(who)s changed: %(fields)s") % {"who": event.actor, "fields": fields}
    if event.action == "call_off_drafted":
        return _("%(who)s drafted it") % {"who": event.actor}
    state = event.details.get("to_state", "")
    label = CallOff.State(state).label if state in CallOff.State.values else state
    return _("%(who)s brought it to: %(state)s") % {"who": event.actor, "state": label}
