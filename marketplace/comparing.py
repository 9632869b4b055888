"""Up to four algorithms side by side: what each does, stands on, runs as, and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace import sboms
from marketplace.catalogue import Entry
from marketplace.models import Deployment

# (who asks, the entries) -> the word of each
Ask = Callable[[Any, list[Entry]], list[str]]
PURPOSE, DEVICE = gettext_lazy("What it does"), gettext_lazy("Medical device")
PROOF, RUNNING = gettext_lazy("Evidence"), gettext_lazy("How it runs")
AGREED = gettext_lazy("Agreements and use")
WAYS_OF_RUNNING = {
    "process": gettext_lazy("Process beside the hub"), "container": gettext_lazy("Container"),
    "kubernetes": gettext_lazy("Kubernetes job"), "dicom_node": gettext_lazy("DICOM node"),
    "http": gettext_lazy("Service over HTTP"),
}
PACKAGINGS = {"map": "MONAI", "mercure": "mercure"}
IDENTITIES = {
    "pseudonym": gettext_lazy("Under a pseudonym"), "as_is": gettext_lazy("As the study came"),
}
_asked: list[tuple[Any, Any, Ask]] = []


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is compared; ``group`` is the heading that it stands under."""

    group: str
    what: str
    values: list[str]

    @property
    def differs(self) -> bool:
        """Whether they are not all alike."""
        return len(set(self.values)) > 1


def ask(group: Any, what: Any, answer: Ask) -> None:
    """Let an app above compare what only it knows."""
    _asked.append((group, what, answer))


def comparison(found: list[Entry], *, user: Any) -> list[Row]:
    """What is compared, for pages and API alike; what the user may not see is not in it."""
    own = [Row(str(group), what, [str(tell(one)) for one in found]) for group, what, tell in _own()]
    more = [
        Row(str(group), str(what), answer(user, found)) for group, what, answer in _asked
    ]
    return [*own, *more]


def _own() -> Iterator[tuple[Any, str, Callable[[Entry], Any]]]:
    yield PURPOSE, _("Vendor"), lambda one: one.algorithm.vendor.name
    yield PURPOSE, _("Version"), lambda one: one.version.version if one.version else "–"
    yield PURPOSE, _("Modality"), lambda one: _listed(one.modalities)
    yield PURPOSE, _("Body part"), lambda one: _listed(one.parts)
    yield PURPOSE, _("Findings"), lambda one: _listed(one.findings)
    yield PURPOSE, _("Intended use"), lambda one: _text(one.clearance, "intended_use")
    yield DEVICE, _("CE class and year"), lambda one: " ".join(_parts_of_ce(one)) or "–"
    yield DEVICE, _("Regime"), lambda one: _text(one.clearance, "regime")
    yield DEVICE, _("Certificate until"), _until
    yield DEVICE, _("Field safety notices"), lambda one: _listed(n.code for n in one.notices)
    yield PROOF, _("Highest level of efficacy"), lambda one: one.level_label or "–"
    yield PROOF, _("References for validation"), lambda one: len(one.validation)
    yield PROOF, _("References for testing in a clinical setting"), lambda one: len(one.clinical)
    yield (
        PROOF, _("Independent of the vendor"),
        lambda one: sum(each.is_independent for each in one.evidence),
    )  # fmt: skip
    yield RUNNING, _("Runs as"), _performer
    yield RUNNING, _("Identity"), _identity
    yield RUNNING, _("Bill of materials (SBOM)"), _sbom
    yield RUNNING, _("Model card"), lambda one: _yes(one.version, "model_card")


def _in_use(user: Any, found: list[Entry]) -> list[str]:
    """At how many of one's sites each is in clinical use."""
    from marketplace.deployments_api import deployments_of

    rows = deployments_of(user).filter(state=Deployment.State.CLINICAL)
    sites: dict[int, set[int]] = {}
    for algorithm, site in rows.order_by().values_list("version__algorithm", "site"):
        sites.setdefault(algorithm, set()).add(site)
    return [str(len(sites.get(one.algorithm.pk, ()))) for one in found]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "–"


def _parts_of_ce(entry: Entry) -> Iterator[str]:
    if entry.clearance:
        yield entry.clearance.risk_class
        yield str(entry.ce_year or "")


def _until(entry: Entry) -> str:
    row = entry.clearance
    if row is None or row.expires is None:
        return "–"
    return date_format(row.expires, "SHORT_DATE_FORMAT")


def _text(row: Any, name: str) -> str:
    return (getattr(row, name) if row else "") or "–"


def _performer(entry: Entry) -> str:
    if entry.version is None:
        return "–"
    performer = entry.version.manifest["performer"]
    kind, packaging = performer["kind"], performer.get("packaging", "hub")
    told = str(WAYS_OF_RUNNING.get(kind, kind))
    return told if packaging == "hub" else f"{told} ({PACKAGINGS.get(packaging, packaging)})"


def _identity(entry: Entry) -> str:
    if entry.version is None:
        return "–"
    held = entry.version.manifest["needs"].get("identity", "pseudonym")
    return str(IDENTITIES.get(held, held))


def _sbom(entry: Entry) -> str:
    held = getattr(entry.version, "sbom", None) if entry.version else None
    if held is None:
        return "–"
    told = sboms.summary(held.document)
    return _("%(form)s: %(number)s parts, %(unnamed)s without a licence") % {
        "form": told.format, "number": told.components, "unnamed": told.without_licence,
    }  # fmt: skip


def _yes(row: Any, name: str) -> str:
    return _("yes") if row is not None and hasattr(row, name) else "–"


ask(AGREED, gettext_lazy("In clinical use at your sites"), _in_use)
