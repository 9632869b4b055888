"""The addresses of agreements and call-offs."""

from django.urls import URLPattern, path

from contracts.api import agreements as api
from contracts.views import agreements

pages: list[URLPattern] = [
    path("frameworks/", agreements.frameworks, name="frameworks"),
    path("frameworks/<int:pk>/", agreements.framework, name="framework"),
    path("frameworks/<int:pk>/options/<str:organisation>/", agreements.move_option,
         name="move-option"),
    path("frameworks/<int:pk>/term-options/<path:code>/", agreements.move_term_option,
         name="move-term-option"),
    path("call-offs/<int:pk>/", agreements.call_off, name="call-off"),
    path("call-offs/<int:pk>/approve/", agreements.approve, name="approve-call-off"),
    path("call-offs/<int:pk>/move/", agreements.move, name="move-call-off"),
]  # fmt: skip
v1: list[URLPattern] = [
    path("organisations/", api.OrganisationsView.as_view(), name="api-organisations"),
    path("frameworks/", api.FrameworksView.as_view(), name="api-frameworks"),
    path("frameworks/<int:pk>/", api.FrameworkView.as_view(), name="api-framework"),
    path("frameworks/<int:pk>/options/<str:organisation>/", api.OptionView.as_view(),
         name="api-move-option"),
    path("frameworks/<int:pk>/term-options/<path:code>/", api.TermOptionView.as_view(),
         name="api-move-term-option"),
    path("call-offs/", api.CallOffsView.as_view(), name="api-call-offs"),
    path("call-offs/<int:pk>/", api.CallOffView.as_view(), name="api-call-off"),
    path("call-offs/<int:pk>/approve/", api.ApproveView.as_view(), name="api-approve-call-off"),
    path("call-offs/<int:pk>/move/", api.MoveView.as_view(), name="api-move-call-off"),
]  # fmt: skip
