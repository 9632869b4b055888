"""Every door of the web side: what its address takes, and whose business lies behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.builders import choosing_doors

if TYPE_CHECKING:
    from tests.hub.test_every_door import Scene

Given = Callable[["Scene"], dict[str, Any]]
NOTHING: Given = lambda scene: {}  # noqa: E731
STUDY: Given = lambda scene: {"uid": scene.study.uid}  # noqa: E731
STUDY_UID: Given = lambda scene: {"study_instance_uid": scene.study.study_instance_uid}  # noqa: E731
WORKITEM: Given = lambda scene: {"uid": scene.workitem.uid}  # noqa: E731
INVOICE: Given = lambda scene: {"uid": scene.invoice.uid}  # noqa: E731
DELIVERY: Given = lambda scene: {"pk": scene.delivery.pk}  # noqa: E731
FRAMEWORK: Given = lambda scene: {"pk": scene.places.framework.pk}  # noqa: E731
OPTION: Given = lambda scene: {**FRAMEWORK(scene), "organisation": "vestre-viken"}  # noqa: E731
TERM: Given = lambda scene: {**FRAMEWORK(scene), "code": "more"}  # noqa: E731
SUPPLIER: Given = lambda scene: {**FRAMEWORK(scene), "vendor": "examplemed"}  # noqa: E731
ORGANISATION: Given = lambda scene: {"code": "vestre-viken"}  # noqa: E731
PRICE: Given = lambda scene: {**FRAMEWORK(scene), "entry": 1}  # noqa: E731
DOCUMENT: Given = lambda scene: {**FRAMEWORK(scene), "document": 1}  # noqa: E731
OWN_PRICE: Given = lambda scene: {"pk": scene.places.call_off.pk, "entry": 1}  # noqa: E731
SERIES: Given = lambda scene: {"code": "nobodys"}  # noqa: E731
RATE: Given = lambda scene: {"country": "NO", "day": "2030-01-01"}  # noqa: E731
SITE: Given = lambda scene: {"code": "drammen"}  # noqa: E731
MEMBER: Given = lambda scene: {"username": "radiologist.drammen"}  # noqa: E731
CALL_OFF: Given = lambda scene: {"pk": scene.places.call_off.pk}  # noqa: E731



def _choosing(name: str, scene: Scene) -> dict[str, Any]:
    return choosing_doors.given(name, scene.tender)


# Doors of contracts, which a procurement officer of the own trust has to do with.
CONTRACTS: dict[str, Given] = {
    **dict.fromkeys(["frameworks", "api-frameworks"], NOTHING),
    **dict.fromkeys(["api-organisations", "api-call-offs"], NOTHING),
    **dict.fromkeys(["framework", "api-framework"], FRAMEWORK),
    **dict.fromkeys(["framework-new", "organisations", "organisation-new"], NOTHING),
    **dict.fromkeys(["organisation-edit", "api-organisation"], ORGANISATION),
    **dict.fromkeys(["framework-edit", "price-new", "api-framework-entry"], FRAMEWORK),
    **dict.fromkeys(["price-edit", "price-remove"], PRICE),
    "term-option-new": FRAMEWORK,
    **dict.fromkeys(["term-option-edit", "term-option-remove"], TERM),
    **dict.fromkeys(["index-series", "index-series-new", "vat-rates", "vat-rate-new"], NOTHING),
    **dict.fromkeys(["api-index-series", "api-vat-rates"], NOTHING),
    **dict.fromkeys(["index-series-edit", "api-index-series-one"], SERIES),
    **dict.fromkeys(["vat-rate-edit", "api-vat-rate"], RATE),
    **dict.fromkeys(["move-option", "api-move-option"], OPTION),
    **dict.fromkeys(["move-term-option", "api-move-term-option"], TERM),
    **dict.fromkeys(["framework-amend", "api-amendments", "framework-lot", "api-lots"], FRAMEWORK),
    **dict.fromkeys(["framework-lot-remove", "call-off-draft"], FRAMEWORK),
    **dict.fromkeys(["framework-supplier", "api-suppliers"], FRAMEWORK),
    **dict.fromkeys(["framework-supplier-remove", "api-supplier"], SUPPLIER),
    "api-lot": TERM,
    **dict.fromkeys(["framework-documents", "api-framework-documents"], FRAMEWORK),
    **dict.fromkeys(["framework-document", "api-framework-document"], DOCUMENT),
    **dict.fromkeys(["call-off", "api-call-off", "call-off-redraft"], CALL_OFF),
    **dict.fromkeys(["own-price-new", "own-amount-new"], CALL_OFF),
    **dict.fromkeys(["own-price-edit", "own-price-remove"], OWN_PRICE),
    **dict.fromkeys(["own-amount-edit", "own-amount-remove"], OWN_PRICE),
    **dict.fromkeys(["approve-call-off", "api-approve-call-off"], CALL_OFF),
    **dict.fromkeys(["move-call-off", "api-move-call-off"], CALL_OFF),
}
OFFICER = "a procurement officer of the own trust"
VENDOR: Given = lambda scene: {  # noqa: E731
    "code": "examplemed", "item": "dpa", "pk": 1, "username": "nobody"
}  # fmt: skip
NAMED: Given = lambda scene: {"code": "ich-triage", "version": "1.0.0", "pk": 1}  # noqa: E731
DEPLOYED: Given = lambda scene: {  # noqa: E731
    "pk": scene.places.deployment.pk, "gate": "dpia", "key": "nobodys", "code": "FSN-1",
    "file": 1,
}  # fmt: skip

# Doors that anybody may open, and that hold nothing of a patient.
PUBLIC = {
    "login", "logout", "preferences", "health-live", "health-ready", "api-schema",
    "accept-invitation", "api-accept-invitation",
}  # fmt: skip
# What everybody who holds a role here may see: what is on offer, and by whom.
# what is offered, with the agreements under which the own trust may have it
AGREED = {"catalogue", "compare", "algorithm", "api-algorithms", "api-algorithm", "api-comparison"}
# where an administrator of any trust keeps what is that trust's
ADMINISTERED = {"site-new", "member-new", "api-sites", "api-members"}
# which take a file, and look at the kind of the body first
FILES = {
    "api-papers", "api-paper", "api-gate-files", "api-gate-file", "api-onboarding-files",
    "api-onboarding-file",
}  # fmt: skip
ON_OFFER = {
    "catalogue", "compare", "algorithm", "vendors", "vendor", "api-algorithms", "api-algorithm",
    "api-evidence", "api-comparison", "api-sbom", "api-model-card", "api-vendors", "api-vendor",
    "api-legal-facts", "api-notices", "api-manifest-draft", "notices",
    "deployment-new", "paper-new", "api-papers",
}  # fmt: skip
# What is a procurement officer's business at the own trust.
AT_A_SITE = {
    "deployments", "deployment-new", "deployment", "decide-gate", "sign-deployment",
    "step-deployment",
    "api-deployments", "api-deployment", "api-gate", "api-sign", "api-step",
    "gate-file", "api-gate-file", "api-gate-files",
}  # fmt: skip
DOORS: dict[str, Given] = {
    **CONTRACTS,
    **dict.fromkeys([*PUBLIC, "metrics"], NOTHING),
    **dict.fromkeys(["worklist", "operations", "live-worklist"], NOTHING),
    **dict.fromkeys(["sites", "site-new", "members", "member-new"], NOTHING),
    **dict.fromkeys(["api-sites", "api-members"], NOTHING),
    **dict.fromkeys(["site-edit", "api-site"], SITE),
    **dict.fromkeys(["member-edit", "api-member"], MEMBER),
    **dict.fromkeys(["api-worklist", "api-dead-letters"], NOTHING),
    **dict.fromkeys(["study", "mark-read", "mark-unread"], STUDY),
    **dict.fromkeys(["api-study", "api-read", "api-unread"], STUDY_UID),
    **dict.fromkeys(["accept", "reject", "replay-workitem"], WORKITEM),
    **dict.fromkeys(["run-input", "run-output"], WORKITEM),
    "server-door": lambda scene: {"name": "nobodys", "verb": "ask"},
    **dict.fromkeys(["api-accept", "api-reject", "api-replay"], WORKITEM),
    **dict.fromkeys(["replay-delivery", "api-replay-delivery"], DELIVERY),
    **dict.fromkeys(["vendors", "vendor", "submit-item", "decide-item", "invite"], VENDOR),
    **dict.fromkeys(["api-vendors", "api-vendor", "api-onboarding-item"], VENDOR),
    **dict.fromkeys(["vendor-new", "vendor-edit"], VENDOR),
    **dict.fromkeys(["onboarding-file", "api-onboarding-file", "api-onboarding-files"], VENDOR),
    **dict.fromkeys(["paper", "paper-new", "api-paper", "api-papers"], NAMED),
    **dict.fromkeys(["api-onboarding-verdict", "api-sub-processors"], VENDOR),
    **dict.fromkeys(["api-invitations", "api-invitation", "api-legal-facts"], VENDOR),
    **dict.fromkeys(["api-people", "api-person"], VENDOR),
    **dict.fromkeys(["accept-invitation", "api-accept-invitation"], NOTHING),
    **dict.fromkeys(["api-vendor-tokens", "api-vendor-token"], DEPLOYED),
    **dict.fromkeys(["sub-processors", "invitation-withdraw", "person-dismiss"], VENDOR),
    **dict.fromkeys(["vendor-tokens", "vendor-token-end"], DEPLOYED),
    **dict.fromkeys(["catalogue", "compare", "algorithm", "algorithm-new", "version-new"], NAMED),
    **dict.fromkeys(["evidence-new", "evidence-withdraw", "version-clearance"], NAMED),
    **dict.fromkeys(["version-sbom", "version-card"], NAMED),
    **dict.fromkeys(["notices", "notice-new", "notice", "notice-lift"], DEPLOYED),
    **dict.fromkeys(["api-algorithms", "api-algorithm", "api-evidence"], NAMED),
    **dict.fromkeys(["api-reference", "api-versions", "api-clearance", "api-sbom"], NAMED),
    **dict.fromkeys(["api-model-card", "api-comparison", "api-manifest-draft"], NAMED),
    **dict.fromkeys(sorted(AT_A_SITE), DEPLOYED),
    **dict.fromkeys(["api-notices", "api-lift"], DEPLOYED),
    **{name: partial(_choosing, name) for name in choosing_doors.NAMES},
}
# Doors of those who buy and pay: procurement officers have business there, and nothing of a patient
# is behind them. What two organisations see of each other there: tests/contracts.
PROCUREMENT: dict[str, Given] = {
    **dict.fromkeys(["api-billing-runs", "api-invoices", "api-vendor-invoices"], NOTHING),
    **dict.fromkeys(["usage", "billing", "try-billing-run", "issue-billing-run"], NOTHING),
    **dict.fromkeys(["api-invoice", "api-credit-notes", "invoice", "credit-invoice"], INVOICE),
    "api-invoice-line-events": lambda scene: {"uid": scene.invoice.uid, "position": 1},
    "api-invoice-rating": INVOICE,
    "api-vendor-invoice": lambda scene: {"uid": scene.claim.uid},
    "invoice-line": lambda scene: {"uid": scene.invoice.uid, "position": 1},
    **dict.fromkeys(["api-invoice-ubl", "api-invoice-csv", "api-invoice-pdf"], INVOICE),
    **dict.fromkeys(["api-usage-events", "api-usage", "api-price-simulations"], NOTHING),
    **dict.fromkeys(["record-availability", "record-outcome"], NOTHING),
    **dict.fromkeys(["api-measured-availability", "api-measured-outcomes"], NOTHING),
    **dict.fromkeys(["vendor-invoices", "reconcile-vendor-invoice"], NOTHING),
    "price-simulation": NOTHING,
    "vendor-invoice": lambda scene: {"uid": scene.claim.uid},
}
DOORS |= PROCUREMENT
# It goes on for ever for those who may listen at all; what it tells whom: test_live.
STREAMS = {"live-worklist"}
