"""The kinds of the frame: organisations, sites, the people who sign in, and the peers of a site."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import models
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hub.configuration import identifiers, registry
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Boolean, Choice, Choices, Country, Date, InJson, Integer, Text
from hub.models import Membership, Node, Organisation, OrganisationRole, Site, User

# of any six months; the database itself lets no younger event go (hub/append_only.py)
SHORTEST_AUDIT = 184
_DAYS = Integer(1, 36500)
CODE = Text(50, identifiers.slug)
ORGANISATION_KINDS = (
    "hospital_trust", "region", "regional_authority", "private_hospital", "purchasing_agent",
    "service_provider", "supplier",
)  # fmt: skip
NODE_ROLES = {
    Node.Protocol.DICOM.value: ("source", "results", "archive"),
    Node.Protocol.HL7.value: ("orders", "results", "priority"),
}
CONFIRMATIONS = ("none", "query")
# numbers of a site that registries of Norway give out
OF_NORWAY = ("her_id", "resh_id", "npr_activity_unit", "npr_dose_unit")
# with these roles the hub calls the node, so it must know where
CALLED_ROLES = {"results", "archive", "priority"}


def check_organisation_number(value: Value, say: Say) -> None:
    """An organisation number by the rules of its country."""
    number, country = value["organisation_number"], value["country"]
    if number and country:
        if what := identifiers.organisation_number(number, of=country):
            say.error("organisation_number", _expected(what, number))
        elif doubt := identifiers.organisation_number_doubt(number, of=country):
            say.warning("organisation_number", doubt)


def _examine_organisation(value: Value, say: Say, world: World) -> None:
    check_organisation_number(value, say)
    _check_vat_number(value, say)
    for index, held in enumerate(value["roles"] or []):
        check_period(held["valid"], f"roles[{index}].valid", say)


def _check_vat_number(value: Value, say: Say) -> None:
    number, country = value["vat_number"], value["country"]
    if not number or not country:
        return
    if what := identifiers.vat_number(number, of=country):
        say.error("vat_number", _expected(what, number))
    elif doubt := identifiers.vat_number_doubt(number, of=country):
        say.warning("vat_number", doubt)
    elif (own := value["organisation_number"]) and country in ("NO", "DK") and own not in number:
        say.warning("vat_number", _("this is not the VAT number of %(number)s") % {"number": own})


def _expected(what: str, number: str) -> str:
    return _('expected %(what)s, found "%(found)s"') % {"what": what, "found": number}


def check_period(valid: Value | None, path: str, say: Say) -> None:
    """A period that ends before it begins is refused."""
    held = valid or {}
    if held.get("from") and held.get("to") and held["from"] > held["to"]:
        text = _("expected a day from %(day)s on, found %(found)s")
        say.error(f"{path}.to", text % {"day": held["from"], "found": held["to"]})


def period(says: str = "") -> Field:
    """The field ``valid``: from one day to another, each of which may be open."""
    return Field("valid", Record((
        Field("from", Date(), None, "The first day.", column="valid_from"),
        Field("to", Date(), None, "The last day.", column="valid_to"),
    )), None, says)  # fmt: skip


def _examine_site(value: Value, say: Say, world: World) -> None:
    _doubt_identifiers(value, say, world)
    days = (value["retention"] or {}).get("audit")
    if days is not None and days < SHORTEST_AUDIT:
        say.error(
            "retention.audit",
            _("expected at least %(least)s days, because logs of high-risk AI are kept for six "
              "months or more (Regulation (EU) 2024/1689 Art. 26(6)), found %(found)s")
            % {"least": SHORTEST_AUDIT, "found": days},
        )


def _doubt_identifiers(value: Value, say: Say, world: World) -> None:
    """Norway gives them, each to one unit: elsewhere, or twice, one is most likely mistyped."""
    given = [name for name in OF_NORWAY if value[name]]
    trust = world.of("organisation").get(value["organisation"] or "") if given else None
    country = trust.value["country"] if trust else None
    for name in given:
        if country not in (None, "NO"):
            text = _("Norway gives this number, and %(organisation)s is of %(country)s")
            told = {"organisation": value["organisation"], "country": country}
            say.warning(name, text % told)
        for code, other in world.of("site").items():
            if code != value["code"] and other.value[name] == value[name]:
                text = _("%(code)s has the same: expected a number of its own")
                say.warning(name, text % {"code": code})


def _examine_member(value: Value, say: Say, world: World) -> None:
    for index, held in enumerate(value["roles"] or []):
        path = f"roles[{index}]"
        if held["site"] and held["organisation"]:
            say.error(path, _("expected a site or an organisation, found both"))
        is_for_all = not held["site"] and not held["organisation"]
        if is_for_all and held["role"] == Membership.Role.RADIOLOGIST:
            text = _("expected a site or an organisation: no radiologist sees every trust's "
                     "patients")  # fmt: skip
            say.error(path, text)


def _examine_node(value: Value, say: Say, world: World) -> None:
    roles, protocol = set(value["roles"] or []), value["protocol"]
    if protocol is None:
        return
    allowed = NODE_ROLES[protocol]
    for role in sorted(roles.difference(allowed)):
        text = _("expected for %(protocol)s: %(known)s, found %(found)s")
        told = {"protocol": protocol, "known": ", ".join(allowed), "found": role}
        say.error("roles", text % told)
    for name in ("host", "port"):
        if roles & CALLED_ROLES and value[name] is None:
            text = _("expected a value, because the hub sends to this node, found nothing")
            say.error(name, text)
    if value["confirm"] != "none" and "results" not in roles:
        say.error("confirm", _("expected none, because the hub sends nothing to this node"))
    if protocol == Node.Protocol.DICOM:
        _examine_dicom(value, say, world)
    else:
        _examine_hl7(value, say, world)


def _examine_dicom(value: Value, say: Say, world: World) -> None:
    if value["hl7"] is not None:
        say.error("hl7", _not_with("dicom"))
    if value["ae_title"] is None:
        text = _("expected an AE title, because the protocol is dicom, found nothing")
        say.error("ae_title", text)
    for code in _others(value, world, "ae_title", "host"):
        text = _("expected once for each host, found %(found)s at %(code)s too")
        say.error("ae_title", text % {"found": value["ae_title"], "code": code})


def _not_with(protocol: str) -> str:
    text = _("expected nothing, because the protocol is %(protocol)s")
    return text % {"protocol": protocol}


def _examine_hl7(value: Value, say: Say, world: World) -> None:
    if value["ae_title"] is not None:
        say.error("ae_title", _not_with("hl7"))
    if value["confirm"] != "none":
        say.error("confirm", _("expected none, because the protocol is hl7"))
    hl7: dict[str, Any] | None = value["hl7"]
    if hl7 is None:
        say.error("hl7", _("expected receiving_application and more, found nothing"))
        return
    if hl7["version"] == "2.3.1" and hl7["priority_message"] == "OMI^O23":
        text = _("expected ORM^O01, because HL7 2.3.1 has no OMI^O23, found OMI^O23")
        say.error("hl7.priority_message", text)
    if "orders" in (value["roles"] or []):
        for code in _others(value, world, "hl7.receiving_application", "hl7.receiving_facility"):
            text = _("expected each sender once (MSH-3 and MSH-4), found the same at %(code)s")
            say.error("hl7.receiving_facility", text % {"code": code})


def _others(value: Value, world: World, *paths: str) -> list[str]:
    """Codes of other nodes that cannot be told from this one by what lies at the paths."""
    mine = [_at(value, path) for path in paths]
    if mine[0] is None:
        return []
    return [
        code
        for code, other in world.of("node").items()
        if code != value["code"]
        and other.value["protocol"] == value["protocol"]
        and ("orders" in (value["roles"] or [])) == ("orders" in (other.value["roles"] or []))
        and [_at(other.value, path) for path in paths] == mine
    ]


def _at(value: Value, path: str) -> Any:
    held: Any = value
    for part in path.split("."):
        held = (held or {}).get(part)
    return held


registry.register(Kind(
    "organisation", "organisations", Organisation,
    says="Legal parties: hospital trusts, purchasing agents, service providers.",
    examine=_examine_organisation,
    record=Record((
        Field("code", CODE),
        Field("name", Text()),
        Field("kind", Choice(ORGANISATION_KINDS), "hospital_trust", "What sort of party it is."),
        Field("country", Country(), "NO", "ISO 3166, two letters."),
        Field("organisation_number", Text(20), None,
              "Checked by country: Norway by mod 11, a Danish CVR number with a warning."),
        Field("vat_number", Text(20, identifiers.one_line), None,
              "Norway: NO, the organisation number, MVA. Checked as the organisation number is."),
        Field("gln", Text(13, identifiers.gln), None, "GS1 Global Location Number, 13 digits."),
        Field("roles", Rows(OrganisationRole, "organisation", ("role", "valid.from"), Record((
            Field("role", Choice(tuple(OrganisationRole.Role.values))),
            period("Left out: always."),
        ))), [], "What it is to the others, and when."),
    )),
))  # fmt: skip
registry.register(Kind(
    "site", "sites", Site,
    says="Hospitals. Every patient belongs to exactly one site.",
    examine=_examine_site,
    record=Record((
        Field("code", CODE),
        Field("organisation", Reference("organisation"), says="The trust it belongs to."),
        Field("name", Text()),
        Field("timezone", Text(64, identifiers.time_zone), "Europe/Oslo", "IANA name."),
        Field("her_id", Text(9, identifiers.her_id), None,
              "Norway: the communication party of the address registry. No check digit."),
        Field("resh_id", Text(9, identifiers.resh_id), None,
              "Norway: the unit in the register of units. No check digit."),
        Field("npr_activity_unit", Text(10, identifiers.npr_activity_unit), None,
              "Norway: as which it reports examinations to the patient registry (NPR): an "
              "organisation number, checked by mod 11, and 1."),
        Field("npr_dose_unit", Text(10, identifiers.npr_dose_unit), None,
              "Likewise for doses: an organisation number and 2."),
        Field("retention", InJson(Record((
            Field("studies", _DAYS, None, "Studies that were read, after the last that was told, "
                  "reviewed or received of them."),
            Field("unread", _DAYS, None, "Studies that nobody marked as read; likewise."),
            Field("unresolved", _DAYS, None, "Studies with a result that failed or waits for "
                  "acceptance, or with a dead letter; likewise."),
            Field("set_aside", _DAYS, None, "Input that could not be taken."),
            Field("orders", _DAYS, None, "Orders without a study, after the last message. Longer "
                  "than appointments are made ahead."),
            Field("messages", _DAYS, None, "HL7 messages as they came."),
            Field("audit", _DAYS, None, "The audit trail; at least 184."),
        ))), None, "Days for which what a site has is kept; what is left out is kept for ever."),
    )),
))  # fmt: skip
registry.register(Kind(
    "member", "members", User, key=("username",),
    says="Who may sign in. `manage.py password` and `manage.py token` give the means; neither is "
    "ever in this file.",
    make=lambda value: User(password=make_password(None)),
    examine=_examine_member,
    instead=gettext_noop("set active: false to close the account"),
    record=Record((
        Field("username", Text(150, identifiers.username)),
        Field("name", Text(), None),
        Field("language", Choice(("en", "nb", "da")), None, "Left out: what the browser asks for."),
        Field("active", Boolean(), True, "false closes the account.", column="is_active"),
        Field("roles", Rows(Membership, "user", ("role", "site", "organisation"), Record((
            Field("role", Choice(tuple(Membership.Role.values))),
            Field("site", Reference("site"), None, "Holds at this site."),
            Field("organisation", Reference("organisation"), None, "Holds at all of its sites."),
        ))), [], "Without site and organisation a role holds everywhere."),
    )),
))  # fmt: skip
registry.register(Kind(
    "node", "nodes", Node,
    says="DICOM and HL7 peers of a site.",
    examine=_examine_node,
    # no host is called so, so that no node can have the same AE title and host
    step_aside=lambda rows: rows.update(
        host=Concat(models.Value("|"), Cast("pk", models.CharField()))
    ),
    record=Record((
        Field("code", CODE),
        Field("site", Reference("site")),
        Field("protocol", Choice(tuple(Node.Protocol.values))),
        Field("ae_title", Text(16, identifiers.ae_title), None, "dicom: required."),
        Field("host", Text(255, identifiers.host), None,
              "Required where the hub sends to the node."),
        Field("port", Integer(1, 65535), None, "Required where the hub sends to the node."),
        Field("roles", Choices(("source", "results", "archive", "orders", "priority")), [],
              "dicom: source (may send to the hub), results (gets what the hub writes), archive. "
              "hl7: orders (may send to the hub), results, priority (gets changes of priority)."),
        Field("confirm", Choice(CONFIRMATIONS), "none",
              "dicom, role results: query asks with C-FIND for what it answered with Success."),
        Field("hl7", InJson(Record((
            Field("version", Choice(("2.3.1", "2.5.1")), "2.5.1", "What the hub writes."),
            Field("receiving_application", Text(180, identifiers.hl7_name), says="What the hub "
                  "writes in MSH-5 and expects in MSH-3."),
            Field("receiving_facility", Text(180, identifiers.hl7_name), None, "What the hub "
                  "writes in MSH-6 and expects in MSH-4."),
            Field("charset", Text(40, identifiers.charset), "UNICODE UTF-8", "HL7 table 0211: what "
                  "the hub writes, and takes where MSH-18 says nothing."),
            Field("priority_message", Choice(("OMI^O23", "ORM^O01")), "OMI^O23"),
            Field("order_completed", Choice(("performed", "read")), "performed",
                  "What ORC-5 CM of this sender means: the images were taken, or somebody has "
                  "read them, and then the study leaves the list of those to read."),
            Field("acknowledgement", Choice(("as_asked", "original")), "as_asked",
                  "as_asked follows MSH-15 and MSH-16; original answers AA, AE or AR whatever they "
                  "say, for a sender that fills them in and does not mean it."),
        ))), None, "hl7: required."),
    )),
))  # fmt: skip
registry.dispose("knox.AuthToken")


def _own_organisation(value: Value, owner: registry.Owner) -> Value | None:
    return value if value["code"] == owner.organisation else None


def _own_member(value: Value, owner: registry.Owner) -> Value | None:
    """A member with the roles held there, and with none that reach further."""
    roles = [
        held
        for held in value["roles"] or []
        if held["organisation"] == owner.organisation or held["site"] in owner.sites
    ]
    return {**value, "roles": roles} if roles else None


registry.share("organisation", _own_organisation)
registry.share("member", _own_member)
