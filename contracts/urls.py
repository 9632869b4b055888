"""The addresses of the pages and of the API of this app."""

from django.urls import URLPattern

from contracts import agreement_urls, billing_urls, choosing_urls

pages: list[URLPattern] = [*agreement_urls.pages, *billing_urls.pages, *choosing_urls.pages]
v1: list[URLPattern] = [*agreement_urls.v1, *billing_urls.v1, *choosing_urls.v1]
