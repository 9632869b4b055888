"""Every door of the web side, in one table."""

from django.urls import URLPattern, URLResolver, include, path

from contracts import urls as contracts
from hub import health, pages, participants_urls, signing_in
from hub.openapi import SchemaView
from marketplace import urls as marketplace
from routing import urls as routing
from vendors import urls as vendors

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", signing_in.sign_in, name="login"),
    path("logout/", signing_in.sign_out, name="logout"),
    path("preferences/", pages.preferences, name="preferences"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/v1/", include(
        routing.v1 + contracts.v1 + marketplace.v1 + vendors.v1 + participants_urls.v1
    )),
    path("", include(
        routing.pages + contracts.pages + marketplace.pages + vendors.pages
        + participants_urls.pages
    )),
]

handler400 = pages.unfit
handler403 = pages.refused
handler404 = pages.not_found
handler500 = pages.failed
