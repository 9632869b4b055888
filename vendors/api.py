"""The REST API of vendors: companies, their checklist, invitations, tokens of their people."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from rest_framework import generics, status
from rest_framework.exceptions import PermissionDenied, Throttled, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from hub import conditional
from hub.access import is_staff_member
from hub.api import PAGING, PROBLEMS, Door, Pages, ProblemSerializer
from hub.conditional import CONDITIONAL, IF_MATCH, NotAsSeen
from hub.configuration.entries import EntryChanged, EntryRefused
from hub.limiting import Allowance
from hub.tokens import address_of
from vendors import inviting, legal, onboarding, registering
from vendors.belonging import demand_bringer, demand_keeper, own_vendor, visible_vendors
from vendors.models import Invitation, OnboardingItem, Vendor
from vendors.onboarding import OnboardingRefused, Processor, Shown
from vendors.serializers import (
    AcceptingSerializer,
    CompanySerializer,
    InvitationSerializer,
    JoinedSerializer,
    LegalFactSerializer,
    NewCompanySerializer,
    NewInvitationSerializer,
    NewTokenSerializer,
    OnboardingItemSerializer,
    PersonSerializer,
    ShownSerializer,
    SubProcessorSerializer,
    TokenRequestSerializer,
    TokenSerializer,
    VendorDetailSerializer,
    VendorSerializer,
    VerdictOnItemSerializer,
)

# Codes have 256 bits: what counts is what each try costs the database.
invitation_tries = Allowance(per_minute=10, burst=10)


class VendorDoor(Door):
    """Common to the views of one vendor: found among those that the user sees."""

    @property
    def person(self) -> Any:
        """Who asks: signed in, as every door but one demands."""
        return self.request.user

    def vendor(self) -> Vendor:
        """The vendor of the address; a stranger's and none are the same 404."""
        found = visible_vendors(self.request.user).filter(code=self.kwargs["code"]).first()
        if found is None:
            raise Http404
        return found

    def kept_vendor(self) -> Vendor:
        """The same, for who decides what all trusts share."""
        found = self.vendor()
        self.demand_keeper()
        return found

    def demand_keeper(self) -> None:
        """Refuse who does not decide what all trusts share."""
        demand_keeper(self.request.user)

    def served_vendor(self) -> Vendor:
        """The same, for who may hand in its papers."""
        found = self.vendor()
        demand_bringer(self.request.user, found)
        return found

    def handle_exception(self, exc: Exception) -> Response:
        """Tell the field and the rule of what a verb refused."""
        if isinstance(exc, (OnboardingRefused, inviting.InvitationRefused)):
            exc = ValidationError({exc.field: [str(exc)]})
        if isinstance(exc, EntryRefused):
            exc = ValidationError(exc.by_field)
        if isinstance(exc, EntryChanged):
            exc = NotAsSeen(str(exc))
        return super().handle_exception(exc)

    def asked(self, shape: type[Any], *, many: bool = False) -> Any:
        """What the request holds, in its shape."""
        serializer = shape(data=self.request.data, many=many)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


class VendorsView(VendorDoor, generics.ListAPIView[Vendor]):
    """The companies that the user sees: all for who holds a role here, else its own; a new one."""

    serializer_class = VendorSerializer
    pagination_class = Pages
    parameters = PAGING

    def get_queryset(self) -> QuerySet[Vendor]:
        """By code."""
        return visible_vendors(self.request.user).order_by("code")

    @extend_schema(
        request=NewCompanySerializer, responses={201: VendorDetailSerializer, **PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        """Put a company on record, by the rules of the set-up file."""
        self.demand_keeper()
        row = registering.register(by=self.person, **self.asked(NewCompanySerializer))
        return Response(VendorDetailSerializer(row).data, status=status.HTTP_201_CREATED)


class VendorView(VendorDoor):
    """One company with its checklist."""

    @extend_schema(responses={200: VendorDetailSerializer, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """Everything of it but its people; with the revision of what is known as ``ETag``."""
        return _told(self.vendor())

    @extend_schema(
        request=CompanySerializer, parameters=[IF_MATCH],
        responses={200: VendorDetailSerializer, **PROBLEMS, **CONDITIONAL},
    )  # fmt: skip
    def patch(self, request: Request, code: str) -> Response:
        """Change what is known of it; its checklist, people and papers stay as they are.

        ``If-Match`` has the ETag of what is changed: 412 where it is another by now.
        """
        row = self.kept_vendor()
        of = conditional.demanded(request)
        asked = CompanySerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        return _told(registering.change(row, by=self.person, of=of, **asked.validated_data))


def _told(vendor: Vendor) -> Response:
    etag = f'"{registering.revision(vendor)}"'
    return Response(VendorDetailSerializer(vendor).data, headers={"ETag": etag})


class OnboardingItemView(VendorDoor):
    """One item of the checklist, handed in."""

    @extend_schema(responses={200: OnboardingItemSerializer, **PROBLEMS})
    def get(self, request: Request, code: str, item: str) -> Response:
        """As it was handed in and decided, with its revision as ``ETag``; 404 where nobody did."""
        vendor, kind = self.vendor(), _item(item)
        if item_told(vendor, kind) is None:
            raise Http404
        return conditional.tagged(lambda: item_told(vendor, kind))

    @extend_schema(
        request=ShownSerializer, parameters=[IF_MATCH],
        responses={200: OnboardingItemSerializer, **PROBLEMS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str, item: str) -> Response:
        """Hand in; what was decided before is open again.

        Where it was handed in before, ``If-Match`` has its ETag: 412 where it is another by now.
        """
        vendor, kind = self.served_vendor(), _item(item)
        shown = Shown(**self.asked(ShownSerializer))

        def told() -> Any:
            return item_told(vendor, kind)

        with conditional.replacing(request, vendor, told, called=vendor.code):
            onboarding.submit(vendor, kind, shown, by=self.person)
        return conditional.tagged(told)


class OnboardingVerdictView(VendorDoor):
    """What was decided on one item."""

    @extend_schema(
        request=VerdictOnItemSerializer, parameters=[IF_MATCH],
        responses={200: OnboardingItemSerializer, **PROBLEMS, 412: ProblemSerializer},
    )  # fmt: skip
    def post(self, request: Request, code: str, item: str) -> Response:
        """Accept, or return with the reason; with ``If-Match`` only what was seen."""
        vendor, kind = self.kept_vendor(), _item(item)
        said = self.asked(VerdictOnItemSerializer)

        def told() -> Any:
            return item_told(vendor, kind)

        of = conditional.given(request) or "*"
        with conditional.as_seen(vendor, told, of=of, called=vendor.code):
            onboarding.decide(vendor, kind, by=self.person, **said)
        return conditional.tagged(told)


class SubProcessorsView(VendorDoor):
    """Who else handles personal data for a vendor."""

    @extend_schema(
        operation_id="sub_processors_list",
        responses={200: SubProcessorSerializer(many=True), **PROBLEMS},
    )
    def get(self, request: Request, code: str) -> Response:
        """The list, with its revision as ``ETag``."""
        return conditional.tagged(lambda: _processors_told(self.vendor()))

    @extend_schema(
        request=SubProcessorSerializer(many=True), parameters=[IF_MATCH],
        responses={200: SubProcessorSerializer(many=True), **PROBLEMS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str) -> Response:
        """The list, in place of the one before.

        ``If-Match`` has the ETag of that one: 412 where it is another by now.
        """
        vendor = self.served_vendor()
        if isinstance(request.data, list) and len(request.data) > 200:
            raise ValidationError([_("expected at most 200")])
        given = [Processor(**one) for one in self.asked(SubProcessorSerializer, many=True)]
        if len({one.name for one in given}) < len(given):
            raise ValidationError({"name": [_("expected each name once")]})

        def told() -> Any:
            return _processors_told(vendor)

        with conditional.unchanged(request, vendor, told, called=vendor.code):
            onboarding.name_sub_processors(vendor, given, by=self.person)
        return conditional.tagged(told)


def _processors_told(vendor: Vendor) -> Any:
    rows = vendor.sub_processors.order_by("pk")
    return SubProcessorSerializer(rows, many=True).data


class InvitationsView(VendorDoor):
    """Invitations for people of a vendor."""

    @extend_schema(responses={200: InvitationSerializer(many=True), **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """Those there were, newest first."""
        rows = self.kept_vendor().invitations.all()[:500]
        return Response(InvitationSerializer(rows, many=True).data)

    @extend_schema(
        request=InvitationSerializer, responses={201: NewInvitationSerializer, **PROBLEMS}
    )
    def post(self, request: Request, code: str) -> Response:
        """Make one; the answer has the code, this once."""
        vendor = self.kept_vendor()
        row, secret = inviting.invite(vendor, by=self.person, **self.asked(InvitationSerializer))
        told = {**InvitationSerializer(row).data, "code": secret}
        return Response(told, status=status.HTTP_201_CREATED)


class InvitationView(VendorDoor):
    """One invitation."""

    @extend_schema(responses={204: None, **PROBLEMS})
    def delete(self, request: Request, code: str, pk: int) -> Response:
        """End it."""
        row = Invitation.objects.filter(vendor=self.kept_vendor(), pk=pk).first()
        if row is None:
            raise Http404
        inviting.withdraw(row, by=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PeopleView(VendorDoor):
    """Who of a vendor has an account."""

    @extend_schema(responses={200: PersonSerializer(many=True), **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """By name of the account."""
        rows = self.kept_vendor().people.select_related("user").order_by("user__username")
        return Response(PersonSerializer([one.user for one in rows], many=True).data)


class PersonView(VendorDoor):
    """One person of a vendor."""

    @extend_schema(responses={204: None, **PROBLEMS})
    def delete(self, request: Request, code: str, username: str) -> Response:
        """End the access: the account is closed, and its tokens end."""
        row = self.kept_vendor().people.filter(user__username=username).first()
        if row is None:
            raise Http404
        inviting.dismiss(row, by=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class AcceptInvitationView(VendorDoor):
    """The one door of vendors that is open to who has no account yet."""

    permission_classes = (AllowAny,)
    authentication_classes = ()

    @extend_schema(
        request=AcceptingSerializer, responses={201: JoinedSerializer, **PROBLEMS}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Make the account of an invitation."""
        if wait := invitation_tries.take(address_of(request)):
            raise Throttled(math.ceil(wait))
        user = inviting.accept(**self.asked(AcceptingSerializer))
        told = {"username": user.username, "vendor": user.vendor_membership.vendor.code}
        return Response(told, status=status.HTTP_201_CREATED)


class TokensView(VendorDoor):
    """The tokens of a person of a vendor: its own, and nobody else's."""

    @extend_schema(responses={200: TokenSerializer(many=True), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """Those that there are."""
        rows = AuthToken.objects.filter(user=_person_of_vendor(request)).order_by("created")
        return Response(TokenSerializer(rows, many=True).data)

    @extend_schema(
        request=TokenRequestSerializer, responses={201: NewTokenSerializer, **PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        """Make one, for at most as many days as tokens of the hub hold."""
        user = _person_of_vendor(request)
        most = settings.HUB_TOKEN_DAYS
        days = self.asked(TokenRequestSerializer).get("days", most)
        if days > most:
            raise ValidationError({"days": [_("expected at most %(most)s") % {"most": most}]})
        row, token = inviting.issue_token(user, days=days)
        told = {**TokenSerializer(row).data, "token": token}
        return Response(told, status=status.HTTP_201_CREATED)


class TokenView(VendorDoor):
    """One of one's own tokens."""

    @extend_schema(responses={204: None, **PROBLEMS})
    def delete(self, request: Request, key: str) -> Response:
        """End it."""
        if not inviting.end_token(_person_of_vendor(request), key):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


class LegalFactsView(Door):
    """What the law says today, as far as the hub goes by it."""

    @extend_schema(responses={200: LegalFactSerializer(many=True), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """Each with its day and its source; a set-up file replaces them."""
        if not is_staff_member(request.user):
            raise PermissionDenied(_("This is for those who hold a role here."))
        held = legal.facts(on=timezone.localdate())
        rows = [held[code] for code in sorted(held)]
        return Response(LegalFactSerializer(rows, many=True).data)


def item_told(vendor: Vendor, kind: OnboardingItem.Kind) -> Any:
    """An item as it stands now; None where nobody has handed it in."""
    held = OnboardingItem.objects.filter(vendor=vendor, kind=kind).first()
    return OnboardingItemSerializer(held).data if held else None


def _item(name: str) -> OnboardingItem.Kind:
    if name not in OnboardingItem.Kind.values:
        raise Http404
    return OnboardingItem.Kind(name)


def _person_of_vendor(request: Request) -> Any:
    if own_vendor(request.user) is None:
        raise PermissionDenied(_("This is for people of vendors."))
    return request.user
