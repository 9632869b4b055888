"""Who may see and change which vendor: all who work here see all, a vendor's people their own."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from hub.access import CONTRACT_ROLES, holds_role_for_all, is_staff_member
from vendors.models import Vendor, VendorMember


def own_vendor(user: Any) -> int | None:
    """The key of the company that the user belongs to; None for everybody else."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return None
    return VendorMember.objects.filter(user=user).values_list("vendor_id", flat=True).first()


def visible_vendors(user: Any) -> QuerySet[Vendor]:
    """All for who holds a role here; its own for a person of a vendor; none for anybody else."""
    own = own_vendor(user)
    if own is not None:  # whatever roles somebody gave it by mistake
        return Vendor.objects.filter(pk=own)
    return Vendor.objects.all() if is_staff_member(user) else Vendor.objects.none()


def may_keep_vendors(user: Any) -> bool:
    """Whether the user may decide what all trusts share: vendors, versions, notices."""
    return holds_role_for_all(user, roles=CONTRACT_ROLES) and own_vendor(user) is None


def may_bring_papers(user: Any, vendor: Vendor) -> bool:
    """Whether the user may hand in what a vendor has to show."""
    return may_keep_vendors(user) or own_vendor(user) == vendor.pk


def demand_keeper(user: Any) -> None:
    """Raise PermissionDenied unless the user may decide what all trusts share."""
    if not may_keep_vendors(user):
        raise PermissionDenied(_("Only who buys for all trusts may do this."))


def demand_bringer(user: Any, vendor: Vendor) -> None:
    """Raise PermissionDenied unless the user may hand in what a vendor has to show."""
    if not may_bring_papers(user, vendor):
        raise PermissionDenied(_("Only who buys for all trusts may do this."))
