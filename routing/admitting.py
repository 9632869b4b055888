"""Says whether a run token opens the door of a Workitem's input or output, and who tried in vain.

Whatever is wrong with a token, whoever holds it is told the same, and nothing of what there is.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from hub import audit
from hub.limiting import Allowance
from routing import run_tokens
from routing.models import RunFiles
from routing.run_tokens import Claim, Direction, TokenRefused

# An input token that was used holds so long for what broke off to be taken up again.
INPUT_HOLDS = timedelta(minutes=5)
# Signatures of 256 bits: no matter of guessing, but of what each try writes to the audit trail.
_wrong = Allowance(per_minute=30, burst=30)
# Input is fetched while the Workitem is still being handed over; an output comes later.
_STATES: dict[str, tuple[str, ...]] = {
    "input": ("entitled", "dispatched"), "output": ("dispatched",)
}  # fmt: skip


class NotAdmitted(Exception):
    """The door stays shut, with this HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def admit(uid: uuid.UUID, authorization: str, direction: Direction, *, address: str) -> RunFiles:
    """The files that the token opens, with Workitem, study and site; raises NotAdmitted."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAdmitted(401, "a run token is needed")
    try:
        claim = run_tokens.read(token.strip())
    except TokenRefused as fault:
        raise _refused(401, uid, str(fault), address) from fault
    row = _row(claim)
    if claim.uid != uid or claim.direction != direction:
        raise _refused(404, uid, "of another Workitem or direction", address, row)
    if row is None or row.workitem.runs != row.run:
        raise _refused(404, uid, "of a run that is not waited for", address, row)
    if direction == "output" and row.workitem.state == "entitled":
        # The run was faster than the worker that hands it over.
        raise NotAdmitted(425, "too early; ask again")
    if row.workitem.state not in _STATES[direction]:
        raise _refused(404, uid, f"while it is {row.workitem.state}", address, row)
    if direction == "input" and not _is_asked_in_time(row):
        raise _refused(401, uid, "used before, too long ago", address, row)
    return row


def _row(claim: Claim) -> RunFiles | None:
    rows = RunFiles.objects.select_related("workitem__study__site", "workitem__version")
    return rows.filter(workitem__uid=claim.uid, run=claim.run).first()


def _is_asked_in_time(row: RunFiles) -> bool:
    now = timezone.now()
    if RunFiles.objects.filter(pk=row.pk, asked_at=None).update(asked_at=now):
        return True
    first = RunFiles.objects.filter(pk=row.pk).values_list(F("asked_at"), flat=True).get()
    return first is not None and now < first + INPUT_HOLDS


def _refused(
    status: int, uid: uuid.UUID, why: str, address: str, row: RunFiles | None = None
) -> NotAdmitted:
    """Note who tried in vain, of the site whose token it was; the first few a minute of each."""
    if _wrong.take(address):
        return NotAdmitted(429, "too many wrong tokens")
    site = row.workitem.study.site if row else None
    audit.record("run_token.refused", actor="run", site=site, subject=str(uid),
                 why=why, address=address)  # fmt: skip
    return NotAdmitted(status, "unknown token" if status == 401 else "Not found.")
