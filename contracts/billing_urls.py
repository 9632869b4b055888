"""The addresses of usage and billing."""

from django.urls import URLPattern, path

from contracts.api import usage

pages: list[URLPattern] = []
v1: list[URLPattern] = [
    path("usage-events", usage.UsageEventsView.as_view(), name="api-usage-events"),
    path("usage", usage.UsageView.as_view(), name="api-usage"),
]
