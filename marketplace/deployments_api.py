"""The REST API of deployments and of field safety notices."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from hub import conditional
from hub.access import ANY_ROLE, holds_role
from hub.api import PAGING, PROBLEMS, Pages
from hub.conditional import CONDITIONAL, IF_MATCH
from hub.models import Site
from marketplace import deciding, deploying, safety_notices
from marketplace.api import MarketDoor
from marketplace.deciding import Decision
from marketplace.deployment_serializers import (
    BeginSerializer,
    DecisionSerializer,
    DeploymentDetailSerializer,
    DeploymentSerializer,
    LiftSerializer,
    NoticeSerializer,
    SigningSerializer,
    StepSerializer,
)
from marketplace.models import AlgorithmVersion, Deployment, Gate, SafetyNotice
from marketplace.safety_notices import NoticeRefused, Told
from vendors.belonging import own_vendor, visible_vendors


def deployments_of(user: Any) -> QuerySet[Deployment]:
    """Those at the sites where the user holds a role; none for anybody else.

    Nor for a person of a vendor, whatever role somebody gave it by mistake: it would judge itself.
    """
    if own_vendor(user) is not None:
        return Deployment.objects.none()
    rows = Deployment.objects.visible_to(user, roles=ANY_ROLE)
    rows = rows.select_related("site", "version__algorithm__vendor")
    return rows.order_by("site__name", "version__algorithm__name", "pk")


class DeploymentsView(MarketDoor, generics.ListAPIView[Deployment]):
    """Where which version is in use, at the sites of the user."""

    serializer_class = DeploymentSerializer
    pagination_class = Pages
    parameters = PAGING

    def get_queryset(self) -> QuerySet[Deployment]:
        """By site."""
        return deployments_of(self.request.user)

    @extend_schema(
        request=BeginSerializer, responses={201: DeploymentDetailSerializer, **PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        """Take a version into use in shadow."""
        if not holds_role(self.person, roles=ANY_ROLE):
            raise PermissionDenied(_("This is for those who hold a role here."))
        said = self.asked(BeginSerializer)
        site = Site.objects.visible_to(self.person, roles=ANY_ROLE).filter(code=said["site"])
        if (found := site.first()) is None:
            raise ValidationError({"site": [_("expected the code of one of your sites")]})
        version = AlgorithmVersion.objects.filter(
            algorithm__code=said["algorithm"], version=said["version"]
        ).select_related("algorithm").first()  # fmt: skip
        if version is None:
            raise ValidationError({"version": [_("expected a version that is on record")]})
        row = deploying.begin(version, site=found, by=self.person)
        told = DeploymentDetailSerializer(row).data
        return Response(told, status=status.HTTP_201_CREATED)


class DeploymentDoor(MarketDoor):
    """Common to the views of one deployment."""

    def deployment(self) -> Deployment:
        """That of the address; another site's and none are the same 404."""
        if found := deployments_of(self.person).filter(pk=self.kwargs["pk"]).first():
            return found
        raise Http404

    def told(self, row: Deployment) -> Response:
        """The deployment as it stands now."""
        return Response(DeploymentDetailSerializer(deployments_of(self.person).get(pk=row.pk)).data)


class DeploymentView(DeploymentDoor):
    """One deployment."""

    @extend_schema(responses={200: DeploymentDetailSerializer, **PROBLEMS})
    def get(self, request: Request, pk: int) -> Response:
        """With its gates, signatures and moves."""
        return self.told(self.deployment())


class GateView(DeploymentDoor):
    """One gate of a deployment."""

    @extend_schema(responses={200: DecisionSerializer, **PROBLEMS})
    def get(self, request: Request, pk: int, gate: str) -> Response:
        """What was decided there last, with its revision as ``ETag``."""
        row, kind = self.deployment(), _gate(gate)
        if decided_at(row, kind) is None:
            raise Http404
        return conditional.tagged(lambda: decided_at(row, kind))

    @extend_schema(
        request=DecisionSerializer, parameters=[IF_MATCH],
        responses={200: DeploymentDetailSerializer, **PROBLEMS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, pk: int, gate: str) -> Response:
        """Record what was decided there; where something was, ``If-Match`` has its ETag."""
        row, kind = self.deployment(), _gate(gate)
        decision = Decision(**self.asked(DecisionSerializer))

        def told() -> Any:
            return decided_at(row, kind)

        with conditional.replacing(request, row, told, called=str(row.version)):
            deciding.decide(row, kind, decision, by=self.person)
        return Response(self.told(row).data, headers=conditional.tag(told))


def decided_at(deployment: Deployment, kind: Gate.Kind) -> Any:
    """What was decided at a gate last; None where nothing was."""
    held = Gate.objects.filter(deployment=deployment, kind=kind).first()
    return DecisionSerializer(held).data if held else None


def _gate(name: str) -> Gate.Kind:
    if name not in Gate.Kind.values:
        raise Http404
    return Gate.Kind(name)


class SignView(DeploymentDoor):
    """Signatures for the next state."""

    @extend_schema(
        request=SigningSerializer, responses={200: DeploymentDetailSerializer, **PROBLEMS}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Sign; the second person's signature moves it."""
        row = self.deployment()
        deploying.sign(row, by=self.person, **self.asked(SigningSerializer))
        return self.told(row)


class StepView(DeploymentDoor):
    """Steps that one person may take: suspend, retire, back."""

    @extend_schema(
        request=StepSerializer, responses={200: DeploymentDetailSerializer, **PROBLEMS}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Take it down, with the reason."""
        row = self.deployment()
        deploying.step(row, by=self.person, **self.asked(StepSerializer))
        return self.told(row)


def notices_of(user: Any) -> QuerySet[SafetyNotice]:
    """All for who holds a role here, those of its company for a person of a vendor."""
    rows = SafetyNotice.objects.filter(vendor__in=visible_vendors(user))
    return rows.select_related("vendor").order_by("-received", "-pk")


class NoticesView(MarketDoor, generics.ListAPIView[SafetyNotice]):
    """Field safety notices."""

    serializer_class = NoticeSerializer
    pagination_class = Pages
    parameters = PAGING

    def get_queryset(self) -> QuerySet[SafetyNotice]:
        """Newest first."""
        return notices_of(self.request.user).prefetch_related("versions__version__algorithm")

    @extend_schema(request=NoticeSerializer, responses={201: NoticeSerializer, **PROBLEMS})
    def post(self, request: Request) -> Response:
        """Record one; its versions are suspended at every site before the answer comes."""
        self.demand_keeper()
        said = self.asked(NoticeSerializer)
        vendor = visible_vendors(self.person).filter(code=said["vendor"]["code"]).first()
        if vendor is None:
            raise ValidationError({"vendor": [_("expected the code of a vendor")]})
        if SafetyNotice.objects.filter(code=said["code"]).exists():
            raise ValidationError({"code": [_("this code is taken")]})
        told = Told(
            said["code"], vendor, said["title"], said["action"], said["received"],
            said.get("description", ""), said.get("is_suspending", True),
        )  # fmt: skip
        notice, _suspended = safety_notices.record(
            told, versions=_versions(said["versions"]), by=self.person
        )
        return Response(NoticeSerializer(notice).data, status=status.HTTP_201_CREATED)


class LiftView(MarketDoor):
    """The end of a notice."""

    @extend_schema(request=LiftSerializer, responses={200: NoticeSerializer, **PROBLEMS})
    def post(self, request: Request, code: str) -> Response:
        """Each site then signs again for what was suspended there."""
        row = notices_of(self.person).filter(code=code).first()
        if row is None:
            raise Http404
        self.demand_keeper()
        lifted = safety_notices.lift(row, by=self.person, **self.asked(LiftSerializer))
        return Response(NoticeSerializer(lifted).data)


def _versions(named: list[dict[str, Any]]) -> list[AlgorithmVersion]:
    found = {}
    for one in named:
        algorithm, version = one["version"]["algorithm"]["code"], one["version"]["version"]
        row = AlgorithmVersion.objects.filter(
            algorithm__code=algorithm, version=version
        ).select_related("algorithm__vendor").first()  # fmt: skip
        if row is None:
            raise NoticeRefused(
                _("There is no version %(version)s of %(algorithm)s")
                % {"version": version, "algorithm": algorithm}
            )
        found[row.pk] = row
    return list(found.values())
