"""The addresses of sites and of the people who sign in."""

from django.urls import URLPattern, path

from hub import addressing  # noqa: F401  (registers how a row and a name are written)
from hub import participants_api as api
from hub import participants_pages as shown

pages: list[URLPattern] = [
    path("sites/", shown.sites, name="sites"),
    path("sites/new/", shown.new_site, name="site-new"),
    path("sites/<slug:code>/edit/", shown.edit_site, name="site-edit"),
    path("members/", shown.members, name="members"),
    path("members/new/", shown.new_member, name="member-new"),
    path("members/<name:username>/edit/", shown.edit_member, name="member-edit"),
]
v1: list[URLPattern] = [
    path("sites/", api.SitesView.as_view(), name="api-sites"),
    path("sites/<slug:code>/", api.SiteView.as_view(), name="api-site"),
    path("members/", api.MembersView.as_view(), name="api-members"),
    path("members/<name:username>/", api.MemberView.as_view(), name="api-member"),
]
