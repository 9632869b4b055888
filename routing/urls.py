"""The addresses of the pages, of their live rows, and of the API."""

from django.urls import path

from routing import api, live, run_doors, server_doors, views

pages = [
    path("", views.worklist, name="worklist"),
    path("studies/<uuid:uid>/", views.study, name="study"),
    path("studies/<uuid:uid>/read/", views.mark_read, name="mark-read"),
    path("studies/<uuid:uid>/unread/", views.mark_unread, name="mark-unread"),
    path("workitems/<uuid:uid>/accept/", views.accept, name="accept"),
    path("workitems/<uuid:uid>/reject/", views.reject, name="reject"),
    path("workitems/<uuid:uid>/replay/", views.replay_workitem, name="replay-workitem"),
    path("deliveries/<int:pk>/replay/", views.replay_delivery, name="replay-delivery"),
    path("operations/", views.operate, name="operations"),
    path("live/worklist/", live.worklist, name="live-worklist"),
]

v1 = [
    path("runs/<uuid:uid>/input", run_doors.fetch_input, name="run-input"),
    path("runs/<uuid:uid>/output", run_doors.bring_output, name="run-output"),
    path("servers/<slug:name>/<slug:verb>", server_doors.knock, name="server-door"),
    path("worklist/", api.WorklistView.as_view(), name="api-worklist"),
    path("studies/<str:study_instance_uid>/", api.StudyView.as_view(), name="api-study"),
    path("studies/<str:study_instance_uid>/read/", api.ReadView.as_view(), name="api-read"),
    path("studies/<str:study_instance_uid>/unread/", api.UnreadView.as_view(), name="api-unread"),
    path("workitems/<uuid:uid>/accept/", api.AcceptView.as_view(), name="api-accept"),
    path("workitems/<uuid:uid>/reject/", api.RejectView.as_view(), name="api-reject"),
    path("workitems/<uuid:uid>/replay/", api.ReplayWorkitemView.as_view(), name="api-replay"),
    path(
        "deliveries/<int:pk>/replay/",
        api.ReplayDeliveryView.as_view(),
        name="api-replay-delivery",
    ),
    path("dead-letters/", api.DeadLettersView.as_view(), name="api-dead-letters"),
]
