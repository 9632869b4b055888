"""Who may see which rows; there is no other way to a row of another site than through here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from hub.models import User

Row = TypeVar("Row", bound=models.Model)

PATIENT_ROLES = ("radiologist", "administrator")
CONTRACT_ROLES = ("procurement_officer", "administrator")
ANY_ROLE = ("radiologist", "procurement_officer", "administrator")
# organisations that buy or run for others, so that their people keep what all share
FOR_OTHERS = ("purchasing_agent", "service_provider", "regional_authority", "region")


class SiteScopedQuerySet(models.QuerySet[Row]):
    """Rows that hang on a site by ``site_path`` ('' where the row is the site itself)."""

    site_path = "site"

    def visible_to(
        self, user: User | AnonymousUser, roles: tuple[str, ...] = PATIENT_ROLES
    ) -> Self:
        """The rows of the sites at which ``user`` holds one of ``roles``; none for a stranger."""
        return self.filter(site_clause(user, path=self.site_path, roles=roles))


def site_clause(user: Any, *, path: str, roles: tuple[str, ...]) -> Q:
    """The condition under which a row whose site lies at ``path`` is the user's to see."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return Q(pk__in=[])
    sites, organisations = set(), set()
    for membership in user.memberships.filter(role__in=roles):
        if membership.site_id is not None:
            sites.add(membership.site_id)
        elif membership.organisation_id is not None:
            organisations.add(membership.organisation_id)
        else:
            return Q()
    if not path:
        return Q(pk__in=sorted(sites)) | Q(organisation__in=sorted(organisations))
    if organisations:
        from hub.models import Site

        # By their keys: a database that must join to find them does not see how few rows they are.
        theirs = Site.objects.filter(organisation__in=organisations)
        sites |= set(theirs.values_list("pk", flat=True))
    return Q(**{f"{path}_id__in": sorted(sites)})


def organisations_of(user: Any, *, roles: tuple[str, ...]) -> frozenset[int] | None:
    """Keys of the organisations for which the user holds one of ``roles``; None: for all of them.

    A role at one site opens no contract: contracts are those of the whole organisation.
    """
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return frozenset()
    held = set(
        user.memberships.filter(role__in=roles, site=None).values_list("organisation", flat=True)
    )
    return None if None in held else frozenset(held)


def organisation_clause(user: Any, *, path: str, roles: tuple[str, ...]) -> Q:
    """The condition under which a row whose organisation lies at ``path`` is the user's to see."""
    held = organisations_of(user, roles=roles)
    if held is None:
        return Q()
    return Q(**{f"{path}_id__in" if path else "pk__in": sorted(held)})


def holds_role_for(user: Any, organisation: Any, *, roles: tuple[str, ...]) -> bool:
    """Whether the user holds one of ``roles`` for the whole organisation, or everywhere."""
    held = organisations_of(user, roles=roles)
    return held is None or organisation.pk in held


def holds_role(user: Any, *, roles: tuple[str, ...], site: Any = None) -> bool:
    """Whether the user holds one of ``roles`` (at ``site``, where one is given)."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return False
    memberships = user.memberships.filter(role__in=roles)
    if site is not None:
        memberships = memberships.filter(
            Q(site=site) | Q(site=None, organisation=site.organisation_id)
            | Q(site=None, organisation=None)
        )
    return bool(memberships.exists())


def roles_of(user: Any) -> frozenset[str]:
    """The roles that the user holds anywhere; for what is shown, not for whose rows are seen."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return frozenset()
    return frozenset(user.memberships.values_list("role", flat=True))


def holds_role_for_all(user: Any, *, roles: tuple[str, ...]) -> bool:
    """Whether the user may change what all trusts share: the role holds everywhere.

    Or for an organisation that buys or runs for others, as a purchasing agent does.
    """
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return False
    held = user.memberships.filter(role__in=roles, site=None)
    return bool(
        held.filter(Q(organisation=None) | Q(organisation__kind__in=FOR_OTHERS)).exists()
    )


def is_staff_member(user: Any) -> bool:
    """Whether the user holds any role at all; people of vendors hold none."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return False
    return bool(user.memberships.exists())
