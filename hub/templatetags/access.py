"""What a person's roles open, for templates that show only what may be used."""

from __future__ import annotations

from typing import Any

from django import template

from hub.access import CONTRACT_ROLES, holds_role

register = template.Library()


@register.simple_tag
def administers(user: Any) -> bool:
    """Whether the user is an administrator of anything."""
    return holds_role(user, roles=("administrator",))


@register.simple_tag
def sees_contracts(user: Any) -> bool:
    """Whether the user has to do with contracts anywhere."""
    return holds_role(user, roles=CONTRACT_ROLES)


@register.simple_tag
def buys(user: Any) -> bool:
    """Whether the user buys for an organisation, or takes part in a procedure."""
    return holds_role(user, roles=CONTRACT_ROLES) or hasattr(user, "vendor_membership")
