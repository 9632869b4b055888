"""The kinds ``vendors``, ``legal_facts`` and ``legal_limits`` of the set-up file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from hub.configuration import identifiers, registry
from hub.configuration.document import Listing, Node
from hub.configuration.kept import KeptRows
from hub.configuration.participants import CODE, check_organisation_number
from hub.configuration.reader import Reader, Value
from hub.configuration.records import Field, Record, Reference
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import (
    Amount,
    Boolean,
    Choice,
    Country,
    Date,
    Difference,
    ListOf,
    Schema,
    Shape,
    Text,
    set_column,
)
from vendors import filing, legal, onboarding
from vendors.models import (
    LegalFact,
    OnboardingFile,
    OnboardingItem,
    SubProcessor,
    Vendor,
    VendorMember,
)
from vendors.onboarding import ENDING, transfer_problem
from vendors.setup_files import SHA256, Files
from vendors.signatures import problem_with_keys

TRANSFER_BASES = ("adequacy", "standard_clauses", "binding_rules", "derogation")


class _Value(Shape):
    """The value of a fact: one text, or a list of texts."""

    def read(self, node: Node, at: Reader) -> Any:
        if isinstance(node, Listing):
            return ListOf(Text(40)).read(node, at)
        return Text(40).read(node, at)

    def schema(self) -> Schema:
        text = Text(40).schema()
        return {"oneOf": [text, {"type": "array", "items": text}]}


class _NumberText(Amount):
    """A number, kept as text in a JSON column."""

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, value)


def _examine(value: Value, say: Say, world: World) -> None:
    check_organisation_number(value, say)
    if value["signing_key"] and (expected := problem_with_keys(value["signing_key"])):
        say.error("signing_key", _("expected %(what)s") % {"what": expected})
    for index, one in enumerate(value["sub_processors"] or []):
        if one["country"] and (problem := transfer_problem(
            one["country"], one["transfer_basis"] or ""
        )):  # fmt: skip
            say.error(f"sub_processors[{index}].transfer_basis", problem)
    shown = {one["item"] for one in value["files"] or []}
    for index, item in enumerate(value["onboarding"] or []):
        _examine_item(item, f"onboarding[{index}]", say, shown=shown)
        _examine_charge(item, f"onboarding[{index}]", say, is_return=world.is_return)
        is_accepted = item["state"] == OnboardingItem.State.ACCEPTED
        if item["item"] == OnboardingItem.Kind.COMPANY and is_accepted and not value["srn"]:
            say.error("srn", _("expected the SRN of the manufacturer (MDR Art. 31) on record"))
    for index, person in enumerate(value["people"] or []):
        if world.value("member", person["username"]).get("roles"):
            text = _("expected a member without a role, who sees this company alone")
            say.error(f"people[{index}].username", text)


def _examine_item(item: Value, path: str, say: Say, *, shown: set[str]) -> None:
    """What is accepted needs what a person would be asked for; a file is evidence as well."""
    if item["state"] != OnboardingItem.State.ACCEPTED:
        return
    for name in ("evidence", "decided_by", "decided_on"):
        if not item[name] and not (name == "evidence" and item["item"] in shown):
            text = _("expected a value, because it is accepted, found nothing")
            say.error(f"{path}.{name}", text)
    if item["item"] in ENDING and not item["valid_until"]:
        text = _("expected the last day on which it holds, found nothing")
        say.error(f"{path}.valid_until", text)


def _examine_charge(item: Value, path: str, say: Say, *, is_return: bool) -> None:
    """What is accepted has an owner and a day, but for what was accepted before they were asked."""
    is_accepted = item["state"] == OnboardingItem.State.ACCEPTED
    faults = onboarding.missing(item["owner"], item["dated"]) if is_accepted else []
    if item["earlier_rule"] and not faults:
        text = _("expected nothing, because it has an owner and a day, or is not accepted")
        say.error(f"{path}.earlier_rule", text)
    for name, text in faults:
        tell = say.warning if item["earlier_rule"] or is_return else say.error
        tell(f"{path}.{name}", text)


class _EarlierRule(Boolean):
    """Whether an item was accepted without owner or day, as it could be once; never written."""

    def load(self, row: Any, column: str) -> Any:
        is_accepted = row.state == OnboardingItem.State.ACCEPTED
        return True if is_accepted and onboarding.missing(row.owner, row.dated) else None

    def save(self, row: Any, column: str, value: Any) -> None:
        """Nothing: the row says it by what it lacks."""

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return iter(())


registry.register(Kind(
    "vendor", "vendors", Vendor,
    says="The companies that supply algorithms.",
    examine=_examine,
    record=Record((
        Field("code", CODE),
        Field("name", Text()),
        Field("country", Country(), "NO", "ISO 3166, two letters."),
        Field("organisation_number", Text(20), None, "Checked as for organisations."),
        Field("srn", Text(20, identifiers.srn), None,
              "Single registration number in EUDAMED (MDR Art. 31)."),
        Field("signing_key", Text(8000, identifiers.paragraphs), None,
              "Public keys (ECDSA P-256, PEM) of which one must have signed each image."),
        Field("sub_processors", KeptRows(SubProcessor, "vendor", ("name",), Record((
            Field("name", Text()),
            Field("country", Country(), says="ISO 3166, two letters."),
            Field("purpose", Text(300)),
            Field("transfer_basis", Choice(TRANSFER_BASES), None, "Outside of the EEA: required."),
        ))), None, "Who else handles personal data (GDPR Art. 28). Left out: stays."),
        Field("onboarding", KeptRows(OnboardingItem, "vendor", ("item",), Record((
            Field("item", Choice(tuple(OnboardingItem.Kind.values)), column="kind"),
            Field("state", Choice(tuple(OnboardingItem.State.values)), "accepted"),
            Field("evidence", Text(2000, identifiers.paragraphs), None, "Where it is found."),
            Field("sha256", Text(64, SHA256), None, "Of the document."),
            Field("owner", Text(), None, "Who is in charge. accepted: required."),
            Field("dated", Date(), None, "The day of the document. accepted: required."),
            Field("due", Date(), None),
            Field("valid_until", Date(), None, "The last day."),
            Field("decided_by", Text(), None),
            Field("decided_on", Date(), None),
            Field("comment", Text(2000, identifiers.paragraphs), None),
            Field("earlier_rule", _EarlierRule(), None, "true, as an export writes it: accepted "
                  "before owner and day were asked for. Who applies the file vouches for it."),
        ))), None, "The checklist. Left out: what was decided in the hub stays."),
        Field("people", KeptRows(VendorMember, "vendor", ("username",), Record((
            Field("username", Reference("member"), column="user"),
        ))), None, "Members without a role, who see this company alone. Left out: stays."),
        Field("files", Files(
            OnboardingFile, "vendor",
            (Field("item", Choice(tuple(OnboardingItem.Kind.values))),),
            lambda row, value: filing.of_item(row, value["item"]),
        ), None, "Evidence of the checklist, byte for byte. It adds to what is there, and takes "
                 "nothing away."),
    )),
))  # fmt: skip
registry.dispose("vendors.Invitation")
registry.keep_back("vendor", "people")  # whom a company employs is its own business
registry.register(Kind(
    "legal_fact", "legal_facts", LegalFact, key=("code", "since"),
    says="Facts of law that replace those that ship with the hub, each from its day on.",
    rows=lambda query: query.exclude(code__contains="."),
    record=Record((
        Field("code", CODE),
        Field("since", Date(), says="The first day on which it holds."),
        Field("value", _Value(), says="A day, or a list of words such as countries."),
        Field("source", Text(300)),
    )),
))  # fmt: skip
registry.register(Kind(
    "legal_limit", "legal_limits", LegalFact, key=("code", "from"),
    says="Facts of law that are numbers: newer than those that come with the hub, or other.",
    rows=lambda query: query.filter(code__contains="."),
    record=Record((
        Field("code", Choice(legal.limit_codes())),
        Field("from", Date(), says="The first day on which it holds.", column="since"),
        Field("value", _NumberText()),
        Field("source", Text(300), says="The paragraph that says so."),
    )),
))  # fmt: skip
