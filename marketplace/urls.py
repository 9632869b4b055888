"""The addresses of the pages and of the API of this app."""

from django.urls import path

from hub import addressing  # noqa: F401  (registers how a row and a name are written)
from marketplace import (
    api,
    deployments_api,
    file_views,
    files_api,
    gate_views,
    notice_views,
    paper_views,
    views,
)

_PAGE = "catalogue/<slug:code>/versions/<name:version>"
_VERSION = "algorithms/<slug:code>/versions/<name:version>/"

pages = [
    path("catalogue/", views.catalogue, name="catalogue"),
    path("catalogue/compare/", views.compare, name="compare"),
    path("catalogue/new/", paper_views.offer, name="algorithm-new"),
    path("catalogue/<slug:code>/", views.algorithm, name="algorithm"),
    path("catalogue/<slug:code>/versions/new/", paper_views.release, name="version-new"),
    path("catalogue/<slug:code>/evidence/new/", paper_views.cite, name="evidence-new"),
    path(
        "catalogue/<slug:code>/evidence/<row:pk>/withdraw/", paper_views.withdraw,
        name="evidence-withdraw",
    ),
    path(f"{_PAGE}/ce-mark/", paper_views.clear, name="version-clearance"),
    path(f"{_PAGE}/sbom/", paper_views.keep_sbom, name="version-sbom"),
    path(f"{_PAGE}/model-card/", paper_views.keep_card, name="version-card"),
    path("catalogue/<slug:code>/papers/new/", file_views.add, name="paper-new"),
    path("catalogue/<slug:code>/papers/<row:pk>/", file_views.take_paper, name="paper"),
    path("safety-notices/", notice_views.notices, name="notices"),
    path("safety-notices/new/", notice_views.record, name="notice-new"),
    path("safety-notices/<slug:code>/", notice_views.notice, name="notice"),
    path("safety-notices/<slug:code>/lift/", notice_views.lift, name="notice-lift"),
    path("deployments/", views.deployments, name="deployments"),
    path("deployments/new/", gate_views.begin, name="deployment-new"),
    path("deployments/<row:pk>/", views.deployment, name="deployment"),
    path("deployments/<row:pk>/gates/<slug:gate>/", gate_views.decide, name="decide-gate"),
    path(
        "deployments/<row:pk>/gates/<slug:gate>/files/<row:file>/", file_views.take_from_gate,
        name="gate-file",
    ),
    path("deployments/<row:pk>/sign/", views.sign, name="sign-deployment"),
    path("deployments/<row:pk>/step/", views.step, name="step-deployment"),
]

v1 = [
    path("algorithms/", api.AlgorithmsView.as_view(), name="api-algorithms"),
    path("algorithms/<slug:code>/", api.AlgorithmView.as_view(), name="api-algorithm"),
    path(
        "algorithms/<slug:code>/evidence/", api.EvidenceView.as_view(), name="api-evidence"
    ),
    path(
        "algorithms/<slug:code>/evidence/<row:pk>/",
        api.ReferenceView.as_view(),
        name="api-reference",
    ),
    path(
        "algorithms/<slug:code>/versions/", api.VersionsView.as_view(), name="api-versions"
    ),
    path(f"{_VERSION}clearance/", api.ClearanceView.as_view(), name="api-clearance"),
    path(f"{_VERSION}sbom/", api.SbomView.as_view(), name="api-sbom"),
    path(f"{_VERSION}model-card/", api.ModelCardView.as_view(), name="api-model-card"),
    path("algorithms/<slug:code>/papers/", files_api.PapersView.as_view(), name="api-papers"),
    path(
        "algorithms/<slug:code>/papers/<row:pk>/", files_api.PaperView.as_view(),
        name="api-paper",
    ),
    path("comparisons/", api.ComparisonView.as_view(), name="api-comparison"),
    path("manifest-drafts/", api.ManifestDraftView.as_view(), name="api-manifest-draft"),
    path("deployments/", deployments_api.DeploymentsView.as_view(), name="api-deployments"),
    path(
        "deployments/<row:pk>/",
        deployments_api.DeploymentView.as_view(),
        name="api-deployment",
    ),
    path(
        "deployments/<row:pk>/gates/<slug:gate>/",
        deployments_api.GateView.as_view(),
        name="api-gate",
    ),
    path(
        "deployments/<row:pk>/gates/<slug:gate>/files/",
        files_api.GateFilesView.as_view(),
        name="api-gate-files",
    ),
    path(
        "deployments/<row:pk>/gates/<slug:gate>/files/<row:file>/",
        files_api.GateFileView.as_view(),
        name="api-gate-file",
    ),
    path("deployments/<row:pk>/sign/", deployments_api.SignView.as_view(), name="api-sign"),
    path("deployments/<row:pk>/step/", deployments_api.StepView.as_view(), name="api-step"),
    path("safety-notices/", deployments_api.NoticesView.as_view(), name="api-notices"),
    path(
        "safety-notices/<slug:code>/lift/", deployments_api.LiftView.as_view(), name="api-lift"
    ),
]
