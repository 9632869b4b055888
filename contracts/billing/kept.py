"""Keeps an issued invoice as the files that its buyer gets: written once, the same bytes for ever.

They are written in the transaction that issues it. One that was issued before files were kept is
written when it is first asked for; of two who ask at once, both get what the first one wrote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from contracts.billing import documents, reading, specification, ubl
from contracts.models import Invoice, InvoiceFile
from hub import VERSION

Kind = InvoiceFile.Kind
# In this order they are added: who comes second waits at the first of them, and adds none.
_MEDIA = {
    Kind.CSV: "text/csv; charset=utf-8", Kind.PDF: "application/pdf", Kind.UBL: "application/xml",
}  # fmt: skip


class DamagedFile(Exception):  # noqa: N818 (named by what failed)
    """The bytes that are kept have not the digest that they were kept with."""


def keep(invoices: Iterable[Invoice]) -> None:
    """Write the files of invoices, those that are there already excepted."""
    for one in invoices:
        InvoiceFile.objects.bulk_create(_made(one), ignore_conflicts=True)


def files_of(one: Invoice) -> list[InvoiceFile]:
    """EHF, PDF and CSV of an invoice without their bytes; written now where they are not yet."""
    rows = one.files.defer("content")
    found = {row.kind: row for row in rows}
    if found.keys() != set(Kind):
        keep([one])
        found = {row.kind: row for row in rows.all()}
    return [found[kind] for kind in Kind]


def file_of(one: Invoice, kind: str) -> InvoiceFile:
    """The file of an invoice in one form. Raises DamagedFile."""
    found = one.files.filter(kind=kind).first()
    if found is None:
        keep([one])
        found = one.files.get(kind=kind)
    if hashlib.sha256(found.content).hexdigest() != found.sha256:
        raise DamagedFile(
            _("%(name)s is not what was issued: the bytes have another digest than %(sha256)s. "
              "Restore the database from a backup.")
            % {"name": found.name, "sha256": found.sha256}
        )  # fmt: skip
    return found


def files_under(clause: Q) -> QuerySet[InvoiceFile]:
    """The files of all invoices that the condition is true of; none is left unwritten."""
    rows = Invoice.objects.filter(clause)
    counted = rows.alias(kept=Count("files")).filter(kept__lt=len(Kind))
    keep(counted.order_by("pk"))
    return InvoiceFile.objects.filter(invoice__in=rows.values("pk")).select_related("invoice")


def _made(one: Invoice) -> list[InvoiceFile]:
    """The files as rows that are not added yet."""
    now = timezone.now()
    return [
        InvoiceFile(
            invoice=one, kind=kind, media_type=_MEDIA[kind], size=len(content),
            sha256=hashlib.sha256(content).hexdigest(), content=content, made_at=now,
            version=VERSION,
        )
        for kind, content in _written(one).items()
    ]  # fmt: skip


def _written(one: Invoice) -> dict[Kind, bytes]:
    """The bytes, in the language of the buyer as it was on the day of issue.

    From the rows as the database gives them: what was just made has amounts of other precision.
    """
    # here, because what lays it out takes long to import, and most processes never do
    from contracts.billing import pdf

    lines = reading.lines_of(one)
    one = Invoice.objects.select_related("credits").get(pk=one.pk)
    with translation.override(documents.language_of(one.document["buyer"]["country"])):
        table, page = specification.csv_of(one, lines), pdf.pdf_of(one, lines)
        attached = (
            ubl.Attached("specification", "csv", "text/csv", table),
            ubl.Attached("pdf", "pdf", "application/pdf", page),
        )
        document = ubl.ubl_of(one, lines, attached=attached)
    return {Kind.CSV: table, Kind.PDF: page, Kind.UBL: document}
