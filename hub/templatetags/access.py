"""What a person's roles open, for templates that show only what may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template
from django.utils.safestring import SafeString

from hub.access import CONTRACT_ROLES, organisations_of, roles_of
from hub.participants import ADMINISTRATOR

register = template.Library()
# a fixed text
_HERE = SafeString(' aria-current="page"')


@dataclass(frozen=True, slots=True)
class Opened:
    """What stands open: operations, contracts, people, procedures as buyer or participant."""

    operations: bool
    contracts: bool
    procedures: bool
    people: bool


@register.simple_tag(takes_context=True)
def at(context: template.Context, names: str) -> str:
    """Marks a place of the menu as the one where the page is, by the names of its addresses."""
    match = getattr(context.get("request"), "resolver_match", None)
    is_here = match is not None and match.url_name in names.split()
    return _HERE if is_here else ""


@register.simple_tag
def opened_to(user: Any) -> Opened:
    """What the roles that the user holds anywhere open."""
    roles = roles_of(user)
    has_contracts = not roles.isdisjoint(CONTRACT_ROLES)
    return Opened(
        operations="administrator" in roles,
        contracts=has_contracts,
        people=organisations_of(user, roles=ADMINISTRATOR) != frozenset(),
        procedures=has_contracts or hasattr(user, "vendor_membership"),
    )
