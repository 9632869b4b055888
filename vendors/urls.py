"""The addresses of the pages and of the API of this app."""

from django.urls import path

from hub import addressing  # noqa: F401  (registers how a row and a name are written)
from vendors import (
    api,
    company_views,
    files_api,
    item_views,
    people_views,
    processor_views,
    views,
)

pages = [
    path("vendors/", views.vendors, name="vendors"),
    path("vendors/new/", company_views.new, name="vendor-new"),
    path("vendors/<slug:code>/", views.vendor, name="vendor"),
    path("vendors/<slug:code>/edit/", company_views.edit, name="vendor-edit"),
    path("vendors/<slug:code>/items/<slug:item>/", item_views.submit, name="submit-item"),
    path(
        "vendors/<slug:code>/items/<slug:item>/files/<row:pk>/", item_views.take,
        name="onboarding-file",
    ),
    path("vendors/<slug:code>/verdicts/<slug:item>/", views.decide, name="decide-item"),
    path(
        "vendors/<slug:code>/sub-processors/", processor_views.processors,
        name="sub-processors",
    ),
    path(
        "vendors/<slug:code>/invitations/<row:pk>/withdraw/", people_views.withdraw,
        name="invitation-withdraw",
    ),
    path(
        "vendors/<slug:code>/people/<row:pk>/dismiss/", people_views.dismiss,
        name="person-dismiss",
    ),
    path("vendor-tokens/", people_views.tokens, name="vendor-tokens"),
    path("vendor-tokens/<slug:key>/end/", people_views.end_token, name="vendor-token-end"),
    path("vendors/<slug:code>/invite/", views.invite, name="invite"),
    path("invitation/", views.accept, name="accept-invitation"),
]

v1 = [
    path("vendors/", api.VendorsView.as_view(), name="api-vendors"),
    path("vendors/<slug:code>/", api.VendorView.as_view(), name="api-vendor"),
    path(
        "vendors/<slug:code>/onboarding/<slug:item>/",
        api.OnboardingItemView.as_view(),
        name="api-onboarding-item",
    ),
    path(
        "vendors/<slug:code>/onboarding/<slug:item>/verdict/",
        api.OnboardingVerdictView.as_view(),
        name="api-onboarding-verdict",
    ),
    path(
        "vendors/<slug:code>/onboarding/<slug:item>/files/",
        files_api.OnboardingFilesView.as_view(),
        name="api-onboarding-files",
    ),
    path(
        "vendors/<slug:code>/onboarding/<slug:item>/files/<row:pk>/",
        files_api.OnboardingFileView.as_view(),
        name="api-onboarding-file",
    ),
    path(
        "vendors/<slug:code>/sub-processors/",
        api.SubProcessorsView.as_view(),
        name="api-sub-processors",
    ),
    path(
        "vendors/<slug:code>/invitations/",
        api.InvitationsView.as_view(),
        name="api-invitations",
    ),
    path(
        "vendors/<slug:code>/invitations/<row:pk>/",
        api.InvitationView.as_view(),
        name="api-invitation",
    ),
    path("vendors/<slug:code>/people/", api.PeopleView.as_view(), name="api-people"),
    path(
        "vendors/<slug:code>/people/<name:username>/",
        api.PersonView.as_view(),
        name="api-person",
    ),
    path(
        "vendor-invitations/accept/",
        api.AcceptInvitationView.as_view(),
        name="api-accept-invitation",
    ),
    path("vendor-tokens/", api.TokensView.as_view(), name="api-vendor-tokens"),
    path("vendor-tokens/<slug:key>/", api.TokenView.as_view(), name="api-vendor-token"),
    path("legal-facts/", api.LegalFactsView.as_view(), name="api-legal-facts"),
]
