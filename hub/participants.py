"""Puts sites and the people who sign in on record; administrators do, for what they administer.

An administrator of an organisation keeps its sites and the roles held there, and no others; nobody
changes roles of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from hub.access import organisations_of
from hub.configuration import entries, planning
from hub.configuration.entries import ANY, EntryRefused
from hub.models import Organisation, Site, User

SITE, MEMBER = "site", "member"
ADMINISTRATOR = ("administrator",)
# of a person as a whole, whoever gave the roles
OF_THE_PERSON = ("name", "language", "active")


def demand_administrator(user: Any) -> None:
    """Raise PermissionDenied unless the user administers at least one whole organisation."""
    if organisations_of(user, roles=ADMINISTRATOR) == frozenset():
        raise PermissionDenied(_("Only an administrator of a whole organisation may do this."))


def keeps_everything(user: Any) -> bool:
    """Whether the user administers all organisations, and all that come."""
    return organisations_of(user, roles=ADMINISTRATOR) is None


def organisations_kept_by(user: Any) -> QuerySet[Organisation]:
    """Those that the user administers."""
    mine = organisations_of(user, roles=ADMINISTRATOR)
    rows = Organisation.objects.order_by("name")
    return rows if mine is None else rows.filter(pk__in=mine)


def sites_kept_by(user: Any) -> QuerySet[Site]:
    """The sites of these."""
    rows = Site.objects.select_related("organisation").order_by("organisation__name", "name")
    return rows.filter(organisation__in=organisations_kept_by(user))


def members_kept_by(user: Any) -> QuerySet[User]:
    """Who holds a role there; for who administers everything, everybody."""
    rows = User.objects.order_by("username").prefetch_related(
        "memberships__site", "memberships__organisation"
    )
    mine = organisations_of(user, roles=ADMINISTRATOR)
    if mine is None:
        return rows
    held = Q(memberships__organisation__in=mine) | Q(memberships__site__organisation__in=mine)
    return rows.filter(held).distinct()


# -- sites -----------------------------------------------------------------------------------------
def begin_site(entry: Mapping[str, Any], *, by: Any) -> Site:
    """A new site, as a set-up file has it; raises EntryRefused."""
    _demand_organisation(entry.get("organisation"), by)
    made: Site = entries.write(SITE, entry, is_new=True, by=by)
    return made


def change_site(site: Site, fields: Mapping[str, Any], *, by: Any, of: str = ANY) -> Site:
    """Let fields of its entry say something else; raises EntryRefused, EntryChanged."""
    if "organisation" in fields:
        _demand_organisation(fields["organisation"], by)
    changed: Site = entries.change(SITE, site, fields, by=by, of=of)
    return changed


# -- people ----------------------------------------------------------------------------------------
def begin_member(entry: Mapping[str, Any], *, by: Any) -> User:
    """A new person, as a set-up file has it, who cannot sign in yet; raises EntryRefused."""
    _demand_reach(entry.get("roles"), by)
    if not entry.get("roles") and not keeps_everything(by):
        raise EntryRefused([("roles", _("expected at least one role, for what you administer"))])
    made: User = entries.write(MEMBER, entry, is_new=True, by=by)
    return made


@transaction.atomic
def change_member(member: User, fields: Mapping[str, Any], *, by: Any, of: str = ANY) -> User:
    """Let fields of what entry_of_member() tells say something else, each as a whole.

    Roles that are held elsewhere stay, whoever asks. Raises EntryRefused, EntryChanged.
    """
    planning.lock()
    held = entries.entry_of(MEMBER, member)
    mine, others = _parted(held.get("roles") or [], by)
    entries.demand(held | {"roles": mine}, of, called=member.username)
    said = dict(fields)
    if "roles" in said:
        _demand_reach(said["roles"], by)
        if member.pk == by.pk and said["roles"] != mine:
            raise EntryRefused([("roles", _("expected another administrator to change yours"))])
        if isinstance(said["roles"], list) or said["roles"] is None:
            said["roles"] = [*others, *(said["roles"] or [])]
    for name in OF_THE_PERSON:
        is_other = name in said and (said[name] or None) != (held.get(name) or None)
        if is_other and others:
            text = _("cannot be changed: the person holds roles elsewhere too")
            raise EntryRefused([(name, text)])
        if is_other and name == "active" and member.pk == by.pk:
            raise EntryRefused([(name, _("expected another administrator to close your account"))])
    changed: User = entries.change(MEMBER, member, said, by=by)
    return changed


def entry_of_member(member: User, *, seen_by: Any) -> dict[str, Any]:
    """A person as an export has it, with the roles held where ``seen_by`` administers."""
    entry = entries.entry_of(MEMBER, member)
    mine, _others = _parted(entry.get("roles") or [], seen_by)
    return entry | {"roles": mine}


def _parted(
    roles: list[dict[str, Any]], user: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Roles where the user administers, and those elsewhere."""
    if keeps_everything(user):
        return roles, []
    sites, organisations = _kept(user)
    mine = [one for one in roles if _is_within(one, sites, organisations)]
    return mine, [one for one in roles if one not in mine]


def _demand_reach(roles: Any, user: Any) -> None:
    """Refuse a role at what the user does not administer; what is unfit is judged later."""
    if keeps_everything(user) or not isinstance(roles, list):
        return
    sites, organisations = _kept(user)
    text = _("expected a site or an organisation that you administer")
    problems = [
        (f"roles[{index}]", text)
        for index, one in enumerate(roles)
        if not isinstance(one, Mapping) or not _is_within(one, sites, organisations)
    ]
    if problems:
        raise EntryRefused(problems)


def _kept(user: Any) -> tuple[set[str], set[str]]:
    """Codes of the sites and organisations that the user administers."""
    return (
        set(sites_kept_by(user).values_list("code", flat=True)),
        set(organisations_kept_by(user).values_list("code", flat=True)),
    )


def _is_within(role: Mapping[str, Any], sites: set[str], organisations: set[str]) -> bool:
    site, organisation = role.get("site"), role.get("organisation")
    if site and organisation:
        return False
    code, known = (site, sites) if site else (organisation, organisations)
    return isinstance(code, str) and code in known


def _demand_organisation(code: Any, user: Any) -> None:
    is_known = isinstance(code, str) and organisations_kept_by(user).filter(code=code).exists()
    if not is_known:
        raise EntryRefused([("organisation", _("expected one that you administer"))])
