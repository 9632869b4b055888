"""The addresses of usage and billing."""

from django.urls import URLPattern, path

from contracts.api import billing, usage

pages: list[URLPattern] = []
v1: list[URLPattern] = [
    path("usage-events", usage.UsageEventsView.as_view(), name="api-usage-events"),
    path("usage", usage.UsageView.as_view(), name="api-usage"),
    path("billing-runs", billing.BillingRunsView.as_view(), name="api-billing-runs"),
    path("invoices", billing.InvoicesView.as_view(), name="api-invoices"),
    path("invoices/<uuid:uid>", billing.InvoiceView.as_view(), name="api-invoice"),
    *(
        path(f"invoices/<uuid:uid>.{form}", billing.form_view(form).as_view(), name=name)
        for form, name in (
            ("ubl.xml", "api-invoice-ubl"), ("csv", "api-invoice-csv"), ("pdf", "api-invoice-pdf"),
        )
    ),
    path(
        "invoices/<uuid:uid>/credit-notes",
        billing.CreditNotesView.as_view(),
        name="api-credit-notes",
    ),
]
