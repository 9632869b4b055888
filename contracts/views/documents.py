"""Documents on the pages of procedures and agreements: brought by a form, taken as a file."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from contracts import acting, documents, reading, tender_access
from contracts.documents import DocumentRefused
from contracts.forms import base
from contracts.forms.documents import BuyersDocumentForm, DocumentForm
from contracts.models import Document
from contracts.views import agreements
from contracts.views.procedure_page import show

KEY = "document"


@login_required
@require_POST
def bring(request: HttpRequest, code: str) -> HttpResponse:
    """Keep a document of a procedure: of the buyer, or of the participant that brings it."""
    row, participant = tender_access.either(request.user, code)
    make: Any = BuyersDocumentForm if participant is None else DocumentForm
    form = make(request.POST, request.FILES, key=KEY)
    if _kept(request, form, of=row, participant=participant):
        return redirect("procedure", code)
    return show(request, code, bound=form)


@login_required
@require_GET
def take(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """The file, for who may see it."""
    row, participant = tender_access.either(request.user, code)
    return _given(documents.of_procedure(row, participant).filter(pk=pk).first())


@login_required
@require_POST
def bring_to_agreement(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a document of an agreement."""
    framework = acting.framework_to_change(request.user, pk)
    form = DocumentForm(request.POST, request.FILES, key=KEY)
    if _kept(request, form, of=framework, participant=None):
        return redirect("framework", pk)
    return agreements.framework_page(request, pk, bound=form)


@login_required
@require_GET
def take_from_agreement(request: HttpRequest, pk: int, document: int) -> HttpResponse:
    """The file, for who sees the agreement."""
    framework = reading.frameworks(request.user).filter(pk=pk).first()
    return _given(framework.documents.filter(pk=document).first() if framework else None)


def attachment(document: Document) -> HttpResponse | None:
    """The file to be saved, never shown in the page; None while it is sealed."""
    content = documents.bytes_of(document)
    if content is None:
        return None
    answer = HttpResponse(content, content_type="application/octet-stream")
    named = content_disposition_header(True, document.name)
    answer["Content-Disposition"] = named or "attachment"
    answer["Cache-Control"] = "no-store"
    return answer


def _kept(request: HttpRequest, form: DocumentForm, **where: Any) -> bool:
    if not form.is_valid():
        return False
    try:
        documents.keep(form.brought(), by=request.user, **where)
    except DocumentRefused as refused:
        form.refuse(base.told(refused))
        return False
    messages.success(request, _("The document is kept."))
    return True


def _given(found: Document | None) -> HttpResponse:
    answer = attachment(found) if found is not None else None
    if answer is None:
        raise Http404
    return answer
