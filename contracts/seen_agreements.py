"""Two people at one agreement: the revision of what each has seen of it.

It is the digest of the entry that a set-up file would have: prices, parties, lots, options and
amendments are in it, what was called off is not.
"""

from __future__ import annotations

from contracts import call_offs
from contracts.models import FrameworkAgreement
from hub.configuration import entries, planning

KIND = "framework"


def revision(framework: FrameworkAgreement) -> str:
    """SHA-256 of all that is agreed; any change of it makes another."""
    return entries.revision(entries.entry_of(KIND, framework))


def lock(framework: FrameworkAgreement, *, of: str) -> None:
    """Let nobody else change the agreement until the transaction ends.

    Raises EntryChanged where it is none of the revisions ``of`` (apart by spaces, "*" for any).
    """
    planning.lock()
    call_offs.lock(framework)
    entries.demand(entries.entry_of(KIND, framework), of, called=framework.code)
