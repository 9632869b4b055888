"""Keeps documents byte for byte, verified by their digest, and gives them to who may have them.

What a participant brings with its final tender is encrypted at once and given to nobody before all
tenders are opened, as the tender itself.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from contracts import sealing
from contracts.models import Document, FrameworkAgreement, Participant, Procedure
from contracts.tenders import ENDED, State
from hub import audit

# so many of one side; who needs more puts them into an archive file
MOST = 200
_CLOSED_TO_PARTICIPANTS = (
    State.PLANNING, State.EVALUATION, State.AWARD_NOTIFIED, *ENDED,
)  # fmt: skip
_ENDED = (Participant.State.EXCLUDED, Participant.State.REDUCED, Participant.State.WITHDRAWN)


class DocumentRefused(ValueError):
    """The document is not kept; ``field`` is the part that cannot be."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Brought:
    """A file as it came; ``sha256`` is the digest that it was told to have, or nothing."""

    kind: str
    name: str
    content: bytes
    sha256: str = ""
    is_for_all: bool = False


@transaction.atomic
def keep(
    brought: Brought,
    *,
    of: Procedure | FrameworkAgreement,
    participant: Participant | None,
    by: Any,
) -> Document:
    """Keep a document; the same bytes of the same side are kept once. Raises DocumentRefused."""
    digest = hashlib.sha256(brought.content).hexdigest()
    _demand(brought, digest)
    procedure = of if isinstance(of, Procedure) else None
    framework = of if isinstance(of, FrameworkAgreement) else None
    if participant is not None and procedure is not None:
        _demand_part(procedure, participant)
    mine = Document.objects.filter(
        procedure=procedure, framework=framework, participant=participant
    )
    if found := mine.filter(sha256=digest).first():
        return found
    if mine.count() >= MOST:
        raise DocumentRefused("file", _("expected at most %(most)s documents") % {"most": MOST})
    content, is_sealed = brought.content, False
    if procedure is not None and participant is not None:
        is_sealed = procedure.state == State.FINAL_TENDER
        content = _sealed(procedure, participant, digest, content) if is_sealed else content
    made = Document.objects.create(
        procedure=procedure, framework=framework, participant=participant, kind=brought.kind,
        name=brought.name, size=len(brought.content), sha256=digest, content=content,
        is_sealed=is_sealed, is_for_all=brought.is_for_all and participant is None,
        at=timezone.now(), by=str(getattr(by, "username", by)),
    )  # fmt: skip
    audit.record(
        "document_kept", actor=by, subject=of.code, sha256=digest, kind=brought.kind,
        participant=participant.number if participant else None,
    )  # fmt: skip
    return made


def of_procedure(
    procedure: Procedure, participant: Participant | None
) -> QuerySet[Document]:
    """What the buyer, or a participant, may see: its own, and what the buyer shows to all.

    To the buyer nothing that came with a final tender is there before all are opened.
    """
    rows = procedure.documents.defer("content").select_related("participant__vendor")
    if participant is not None:
        return rows.filter(Q(participant=participant) | Q(participant=None, is_for_all=True))
    return rows if procedure.opened_at is not None else rows.filter(is_sealed=False)


def bytes_of(document: Document) -> bytes | None:
    """The file as it came; None while it is sealed, to its participant as well."""
    content = bytes(document.content)
    if not document.is_sealed:
        return content
    procedure, participant = document.procedure, document.participant
    if procedure is None or participant is None or procedure.opened_at is None:
        return None
    said = sealing.disclose(
        procedure.seal, procedure.code, content.decode(),
        of=_bound_to(procedure, participant, document.sha256),
    )  # fmt: skip
    return base64.b64decode(said)


def _demand(brought: Brought, digest: str) -> None:
    most: int = settings.HUB_DOCUMENT_BYTES
    if not brought.content:
        raise DocumentRefused("file", _("expected a file with something in it"))
    if len(brought.content) > most:
        raise DocumentRefused("file", _("expected at most %(most)s bytes") % {"most": most})
    if brought.sha256 and brought.sha256.lower() != digest:
        raise DocumentRefused(
            "sha256", _("the file has the digest %(sha256)s") % {"sha256": digest}
        )


def _demand_part(procedure: Procedure, participant: Participant) -> None:
    if procedure.state in _CLOSED_TO_PARTICIPANTS or participant.state in _ENDED:
        raise DocumentRefused("file", _("Nothing is handed in any more."))
    due = procedure.tenders_due_at if procedure.state == State.FINAL_TENDER else None
    if due is not None and due <= timezone.now():
        raise DocumentRefused("file", _("The deadline is over."))


def _sealed(
    procedure: Procedure, participant: Participant, digest: str, content: bytes
) -> bytes:
    if not procedure.seal:
        procedure.seal = sealing.new_seal(procedure.code)
        procedure.save(update_fields=["seal"])
    text = base64.b64encode(content).decode()
    bound = _bound_to(procedure, participant, digest)
    return sealing.close(procedure.seal, procedure.code, text, of=bound).encode()


def _bound_to(procedure: Procedure, participant: Participant, digest: str) -> str:
    return f"{procedure.code} {participant.number} {digest} document"
