"""The addresses of agreements and call-offs."""

from django.urls import URLPattern, path

from contracts.api import agreement_changes as changes
from contracts.api import agreements as api
from contracts.api import documents
from contracts.api import parties as party_doors
from contracts.views import (
    agreement_changes,
    agreements,
    call_off_drafts,
    parties,
    written_agreements,
)
from contracts.views import documents as files

pages: list[URLPattern] = [
    path("organisations/", parties.organisations, name="organisations"),
    path("organisations/new/", parties.new, name="organisation-new"),
    path("organisations/<slug:code>/edit/", parties.edit, name="organisation-edit"),
    path("frameworks/", agreements.frameworks, name="frameworks"),
    path("frameworks/new/", written_agreements.new, name="framework-new"),
    path("frameworks/<int:pk>/", agreements.framework, name="framework"),
    path("frameworks/<int:pk>/edit/", written_agreements.edit, name="framework-edit"),
    path("frameworks/<int:pk>/prices/new/", written_agreements.price, name="price-new"),
    path("frameworks/<int:pk>/prices/<int:entry>/", written_agreements.price, name="price-edit"),
    path("frameworks/<int:pk>/prices/<int:entry>/remove/", written_agreements.remove_price,
         name="price-remove"),
    path("frameworks/<int:pk>/options/<str:organisation>/", agreements.move_option,
         name="move-option"),
    path("frameworks/<int:pk>/term-options/<path:code>/", agreements.move_term_option,
         name="move-term-option"),
    path("frameworks/<int:pk>/amendments/", agreement_changes.amend, name="framework-amend"),
    path("frameworks/<int:pk>/documents/", files.bring_to_agreement, name="framework-documents"),
    path("frameworks/<int:pk>/documents/<int:document>/", files.take_from_agreement,
         name="framework-document"),
    path("frameworks/<int:pk>/lots/", agreement_changes.set_lot, name="framework-lot"),
    path("frameworks/<int:pk>/lots/remove/", agreement_changes.remove_lot,
         name="framework-lot-remove"),
    path("frameworks/<int:pk>/suppliers/", agreement_changes.add_supplier,
         name="framework-supplier"),
    path("frameworks/<int:pk>/suppliers/<slug:vendor>/remove/", agreement_changes.remove_supplier,
         name="framework-supplier-remove"),
    path("frameworks/<int:pk>/call-offs/new/", call_off_drafts.draft, name="call-off-draft"),
    path("call-offs/<int:pk>/", agreements.call_off, name="call-off"),
    path("call-offs/<int:pk>/change/", call_off_drafts.redraft, name="call-off-redraft"),
    path("call-offs/<int:pk>/approve/", agreements.approve, name="approve-call-off"),
    path("call-offs/<int:pk>/move/", agreements.move, name="move-call-off"),
]  # fmt: skip
v1: list[URLPattern] = [
    path("organisations/", party_doors.OrganisationsView.as_view(), name="api-organisations"),
    path("organisations/<slug:code>/", party_doors.OrganisationView.as_view(),
         name="api-organisation"),
    path("frameworks/", api.FrameworksView.as_view(), name="api-frameworks"),
    path("frameworks/<int:pk>/", api.FrameworkView.as_view(), name="api-framework"),
    path("frameworks/<int:pk>/entry/", api.EntryView.as_view(), name="api-framework-entry"),
    path("frameworks/<int:pk>/options/<str:organisation>/", api.OptionView.as_view(),
         name="api-move-option"),
    path("frameworks/<int:pk>/term-options/<path:code>/", api.TermOptionView.as_view(),
         name="api-move-term-option"),
    path("frameworks/<int:pk>/amendments/", changes.AmendmentsView.as_view(),
         name="api-amendments"),
    path("frameworks/<int:pk>/documents/", documents.FrameworkDocumentsView.as_view(),
         name="api-framework-documents"),
    path("frameworks/<int:pk>/documents/<int:document>/",
         documents.FrameworkDocumentView.as_view(), name="api-framework-document"),
    path("frameworks/<int:pk>/lots/", changes.LotsView.as_view(), name="api-lots"),
    path("frameworks/<int:pk>/lots/<path:code>/", changes.LotView.as_view(), name="api-lot"),
    path("frameworks/<int:pk>/suppliers/", changes.SuppliersView.as_view(), name="api-suppliers"),
    path("frameworks/<int:pk>/suppliers/<slug:vendor>/", changes.SupplierView.as_view(),
         name="api-supplier"),
    path("call-offs/", api.CallOffsView.as_view(), name="api-call-offs"),
    path("call-offs/<int:pk>/", api.CallOffView.as_view(), name="api-call-off"),
    path("call-offs/<int:pk>/approve/", api.ApproveView.as_view(), name="api-approve-call-off"),
    path("call-offs/<int:pk>/move/", api.MoveView.as_view(), name="api-move-call-off"),
]  # fmt: skip
