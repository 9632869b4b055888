"""The addresses of usage, prices and billing."""

from django.urls import URLPattern, path

from contracts.api import billing, claims, measurements, price_simulations, traces, usage
from contracts.views import billing as views
from contracts.views import claims as vendors
from contracts.views import measurements as measured
from contracts.views import price_simulation

pages: list[URLPattern] = [
    path("usage/", views.used, name="usage"),
    path("usage/availability/", measured.record_availability, name="record-availability"),
    path("usage/outcomes/", measured.record_outcome, name="record-outcome"),
    path("vendor-invoices/", vendors.vendor_invoices, name="vendor-invoices"),
    path("vendor-invoices/reconcile/", vendors.reconcile, name="reconcile-vendor-invoice"),
    path("vendor-invoices/<uuid:uid>/", vendors.vendor_invoice, name="vendor-invoice"),
    path("billing/", views.billing, name="billing"),
    path("billing/simulation/", price_simulation.simulate, name="price-simulation"),
    path("billing/dry-run/", views.try_run, name="try-billing-run"),
    path("billing/issue/", views.issue, name="issue-billing-run"),
    path("invoices/<uuid:uid>/", views.invoice, name="invoice"),
    path("invoices/<uuid:uid>/credit/", views.credit, name="credit-invoice"),
    path("invoices/<uuid:uid>/lines/<int:position>/", views.line, name="invoice-line"),
]
v1: list[URLPattern] = [
    path("usage-events", usage.UsageEventsView.as_view(), name="api-usage-events"),
    path("availability", measurements.AvailabilityView.as_view(), name="api-measured-availability"),
    path("outcomes", measurements.OutcomesView.as_view(), name="api-measured-outcomes"),
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
    path(
        "invoices/<uuid:uid>/lines/<int:position>/events",
        traces.LineEventsView.as_view(),
        name="api-invoice-line-events",
    ),
    path("invoices/<uuid:uid>/rating", traces.RatingView.as_view(), name="api-invoice-rating"),
    path(
        "vendor-invoices/<uuid:uid>",
        claims.VendorInvoiceView.as_view(),
        name="api-vendor-invoice",
    ),
    path("vendor-invoices", claims.VendorInvoicesView.as_view(), name="api-vendor-invoices"),
    path(
        "price-simulations",
        price_simulations.PriceSimulationsView.as_view(),
        name="api-price-simulations",
    ),
]
