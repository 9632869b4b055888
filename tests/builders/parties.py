"""The rows of first-site.yaml made in code, and beside them a second trust that must never meet it.

``first_site()`` makes everything; the smaller builders make one thing each, with the values of
that file unless the test says otherwise.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.test import Client

from contracts.models import Authority, CallOff, CallOffLine, FrameworkAgreement, PriceBookEntry
from hub.models import Membership, Node, Organisation, Site, User
from marketplace.models import Algorithm, AlgorithmVersion, Clearance, Deployment
from routing.models import Rule
from vendors.models import Vendor

MANIFEST: dict[str, Any] = {
    "schema": "hub.manifest/1",
    "algorithm": "ich-triage",
    "version": "1.0.0",
    "performer": {
        "kind": "container",
        "image": "registry.example.org/ich-triage@sha256:" + "0" * 64,
        "packaging": "hub",
        "command": [],
        "resources": {"cpu": "2", "memory": "4Gi", "gpu": 1},
        "timeout_seconds": 300,
    },
    "needs": {
        "modality": ["CT"],
        "sop_class": ["1.2.840.10008.5.1.4.1.1.2"],
        "minimum_instances": 10,
        "patient_age_years": {"at_least": 18},
        "identity": "pseudonym",
    },
    "returns": {
        "findings": [
            {
                "code": {
                    "value": "1386000",
                    "scheme": "SCT",
                    "meaning": "Intracranial hemorrhage",
                },
                "urgency_when_present": "stat",
            }
        ],
        "dicom": ["SEG"],
    },
}

TIERS: dict[str, Any] = {
    "tiers": [
        {"up_to": 10000, "unit_price": "24.00"},
        {"up_to": 30000, "unit_price": "18.00"},
        {"up_to": 60000, "unit_price": "13.50"},
        {"unit_price": "9.75"},
    ],
    "introduction": [{"months": 3, "discount": "100%"}, {"months": 3, "discount": "50%"}],
}

HEAD_CT: dict[str, Any] = {
    "all": [
        {"series.modality": {"equals": "CT"}},
        {"series.body_part_examined": {"in": ["HEAD", "BRAIN"]}},
        {"series.instance_count": {"at_least": 10}},
    ]
}


@dataclass(frozen=True, slots=True)
class FirstSite:
    """The rows of first-site.yaml, and the second trust (``other_*``) beside them."""

    organisation: Organisation
    site: Site
    pacs: Node
    ris: Node
    vendor: Vendor
    algorithm: Algorithm
    version: AlgorithmVersion
    clearance: Clearance
    framework: FrameworkAgreement
    call_off: CallOff
    line: CallOffLine
    deployment: Deployment
    rule: Rule
    radiologist: User
    officer: User
    administrator: User
    other_organisation: Organisation
    other_site: Site
    other_pacs: Node
    other_ris: Node
    other_radiologist: User


def first_site(*, pacs_port: int = 11113, ris_port: int = 2576) -> FirstSite:
    """Everything that a head CT at Drammen needs to be granted, and a trust with no agreement."""
    trust, hospital = _trust("vestre-viken", "Vestre Viken HF", "drammen", "Drammen sykehus")
    other_trust, other_hospital = _trust(
        "ahus", "Akershus universitetssykehus HF", "nordbyhagen", "Nordbyhagen sykehus"
    )
    version = algorithm_version()
    framework = framework_for(version.algorithm, authorities=[trust])
    ordered = call_off_under(framework, organisation=trust)
    return FirstSite(
        organisation=trust,
        site=hospital,
        pacs=pacs_of(hospital, port=pacs_port),
        ris=ris_of(hospital, port=ris_port),
        vendor=version.algorithm.vendor,
        algorithm=version.algorithm,
        version=version,
        clearance=version.clearance,
        framework=framework,
        call_off=ordered,
        line=line_of(ordered, algorithm=version.algorithm, site=hospital),
        deployment=deployment_of(version, site=hospital),
        rule=rule_for(version.algorithm, site=hospital),
        radiologist=member("radiologist.drammen", role="radiologist", site=hospital),
        officer=member("officer", role="procurement_officer", organisation=trust),
        administrator=member("admin", role="administrator"),
        other_organisation=other_trust,
        other_site=other_hospital,
        other_pacs=pacs_of(other_hospital, port=pacs_port + 1),
        other_ris=ris_of(other_hospital, port=ris_port + 1),
        other_radiologist=member(
            "radiologist.nordbyhagen", role="radiologist", site=other_hospital
        ),
    )


def organisation(
    code: str = "vestre-viken", *, name: str = "Vestre Viken HF", kind: str = "hospital_trust"
) -> Organisation:
    """The organisation of this code, made if it is not there yet."""
    row, _ = Organisation.objects.get_or_create(code=code, defaults={"name": name, "kind": kind})
    return row


def site(
    code: str = "drammen",
    *,
    of: Organisation,
    name: str = "Drammen sykehus",
    timezone: str = "Europe/Oslo",
) -> Site:
    """A hospital of ``of``."""
    return Site.objects.create(code=code, organisation=of, name=name, timezone=timezone)


def pacs_of(at: Site, *, port: int = 11113) -> Node:
    """A PACS that may send studies and receives results."""
    return Node.objects.create(
        code=f"{at.code}-pacs",
        site=at,
        protocol=Node.Protocol.DICOM,
        ae_title=f"{at.code.replace('-', '').upper()[:12]}PACS",
        host="127.0.0.1",
        port=port,
        roles=["source", "results"],
    )


def ris_of(at: Site, *, port: int = 2576) -> Node:
    """A RIS that sends orders and receives results and priority changes."""
    return Node.objects.create(
        code=f"{at.code}-ris",
        site=at,
        protocol=Node.Protocol.HL7,
        host="127.0.0.1",
        port=port,
        roles=["orders", "results", "priority"],
        hl7={
            "version": "2.5.1",
            "receiving_application": "RIS",
            "receiving_facility": at.code.upper(),
            "charset": "UNICODE UTF-8",
            "priority_message": "OMI^O23",
        },
    )


def member(
    username: str,
    *,
    role: str,
    site: Site | None = None,
    organisation: Organisation | None = None,
) -> User:
    """A person with one role: at a site, for an organisation, or (neither given) everywhere."""
    user, _ = User.objects.get_or_create(username=username, defaults={"name": username})
    Membership.objects.create(user=user, role=role, site=site, organisation=organisation)
    return user


def client_of(user: User) -> Client:
    """A browser in which somebody is signed in; a fault of the hub is an answer, as outside."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def algorithm_version(
    code: str = "ich-triage", *, name: str = "ICH Triage", version: str = "1.0.0", **clearance: Any
) -> AlgorithmVersion:
    """A version with its manifest and its CE mark; ``clearance`` overrides fields of the latter."""
    vendor, _ = Vendor.objects.get_or_create(
        code="examplemed",
        defaults={
            "name": "Example Medical AS",
            "organisation_number": "987654325",
            "srn": "NO-MF-000012345",
        },
    )
    algorithm, _ = Algorithm.objects.get_or_create(
        code=code, defaults={"vendor": vendor, "name": name}
    )
    manifest = copy.deepcopy(MANIFEST) | {"algorithm": code, "version": version}
    row = AlgorithmVersion.objects.create(
        algorithm=algorithm,
        version=version,
        manifest=manifest,
        manifest_name=f"{code}-{version}.json",
    )
    cleared: dict[str, Any] = {
        "regime": "MDR",
        "risk_class": "IIa",
        "certificate_number": "CE-700001",
        "notified_body": "2460",
        "issued": date(2025, 1, 15),
        "expires": date(2030, 1, 14),
        "udi_di": "09506000134352",
        "basic_udi_di": "1987654Ad4X4bL5ttr2310c2K",
        "intended_use": "Flags suspected intracranial haemorrhage on non-contrast head CT of "
        "adults, for prioritisation.",
    }
    Clearance.objects.create(version=row, **(cleared | clearance))
    return row


def framework_for(
    algorithm: Algorithm,
    *,
    authorities: list[Organisation],
    code: str = "2020-1968",
    model: str = "graduated",
    terms: dict[str, Any] | None = None,
    **fields: Any,
) -> FrameworkAgreement:
    """A framework agreement that prices ``algorithm``; ``fields`` overrides its columns."""
    agreed: dict[str, Any] = {
        "title": "Artificial intelligence for diagnostic imaging",
        "holder": organisation("sykehuspartner", name="Sykehuspartner HF", kind="service_provider"),
        "supplier": algorithm.vendor,
        "valid_from": date(2026, 1, 1),
        "valid_to": date(2029, 12, 31),
        "estimated_value": Decimal("33000000.00"),
        "maximum_value": Decimal("40000000.00"),
    }
    framework = FrameworkAgreement.objects.create(code=code, **(agreed | fields))
    Authority.objects.bulk_create(
        Authority(framework=framework, organisation=named) for named in authorities
    )
    price_of(algorithm, under=framework, model=model, terms=terms)
    return framework


def price_of(
    algorithm: Algorithm,
    *,
    under: FrameworkAgreement,
    model: str = "graduated",
    terms: dict[str, Any] | None = None,
) -> PriceBookEntry:
    """A price; the tiers and the introduction of first-site.yaml unless ``terms`` is given."""
    return PriceBookEntry.objects.create(
        framework=under,
        algorithm=algorithm,
        model=model,
        terms=copy.deepcopy(TIERS if terms is None else terms),
    )


def call_off_under(
    framework: FrameworkAgreement,
    *,
    organisation: Organisation,
    code: str = "CO-0001",
    **fields: Any,
) -> CallOff:
    """An active call-off from 2026-03-01 on, without lines; ``fields`` overrides its columns."""
    return CallOff.objects.create(
        framework=framework,
        organisation=organisation,
        code=code,
        **({"valid_from": date(2026, 3, 1)} | fields),
    )


def draft_under(
    framework: FrameworkAgreement,
    *,
    organisation: Organisation,
    site: Site,
    code: str = "CO-0100",
    value: str = "1000000.00",
) -> CallOff:
    """A draft for the first algorithm of the price book, as it is when people are to approve it."""
    entry = framework.price_book.select_related("algorithm").first()
    assert entry is not None
    draft = call_off_under(
        framework, organisation=organisation, code=code, state=CallOff.State.DRAFT,
        committed_value=Decimal(value),
    )  # fmt: skip
    line_of(draft, algorithm=entry.algorithm, site=site)
    return draft


def line_of(
    call_off: CallOff,
    *,
    algorithm: Algorithm,
    site: Site,
    activated: date = date(2026, 3, 16),  # noqa: B008  (a date is immutable)
) -> CallOffLine:
    """One algorithm at one site."""
    return CallOffLine.objects.create(
        call_off=call_off,
        algorithm=algorithm,
        site=site,
        activated=activated,
        volume_estimate=8000,
    )


def deployment_of(
    version: AlgorithmVersion,
    *,
    site: Site,
    state: str = "clinical",
    write_back: str = "automatic",
) -> Deployment:
    """A version in use at a site."""
    return Deployment.objects.create(site=site, version=version, state=state, write_back=write_back)


def rule_for(
    algorithm: Algorithm,
    *,
    site: Site,
    code: str = "head-ct",
    when: dict[str, Any] | None = None,
) -> Rule:
    """Which studies the algorithm wants there; head CTs of ten slices or more by default."""
    return Rule.objects.create(
        code=code, site=site, algorithm=algorithm, when=copy.deepcopy(when or HEAD_CT)
    )


def _trust(code: str, name: str, site_code: str, site_name: str) -> tuple[Organisation, Site]:
    trust = organisation(code, name=name)
    return trust, site(site_code, of=trust, name=site_name)
