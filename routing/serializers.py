"""The shapes in which the API tells about studies, Workitems and Deliveries."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.access import holds_role
from hub.api import OneOf, ShapeSerializer
from hub.phrases import render
from routing.models import Delivery, Finding, Priority, SetAside, Study, Transition, Verdict
from routing.models import Workitem as WorkitemRow
from routing.reading import deliveries_of, findings_on_page, findings_to_read

_NO_STUDY = "00000000-0000-0000-0000-000000000000"


class PhraseField(serializers.Field):  # type: ignore[type-arg]
    """A stored sentence, in the language of the request."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        return worded(value)


extend_schema_field(str)(PhraseField)


class StateField(serializers.CharField):
    """A state by its name; the schema tells all of them."""

    def __init__(self, states: type[models.TextChoices], **kwargs: Any) -> None:
        super().__init__(help_text="One of " + ", ".join(states.values), **kwargs)


class PriorityField(serializers.Field):  # type: ignore[type-arg]
    """The name of a priority (0040,1003): STAT, HIGH, MEDIUM, ROUTINE or LOW."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: int) -> str:
        return Priority(value).name


extend_schema_field(OneOf(choices=Priority.names))(PriorityField)


def worded(value: Any) -> str:
    """A stored sentence for people; nothing where the row has none."""
    if isinstance(value, dict) and "text" not in value:
        return ""
    return render(value)


class CodeSerializer(ShapeSerializer[Any]):
    """A coded concept: Code Value, Coding Scheme Designator, Code Meaning."""

    value = serializers.CharField()
    scheme = serializers.CharField()
    meaning = serializers.CharField()


class FindingSerializer(ShapeSerializer[Finding]):
    """A coded statement of one algorithm version about a study."""

    code = CodeSerializer()
    status = OneOf(choices=["present", "absent", "indeterminate"])
    probability = serializers.FloatField(allow_null=True)
    algorithm = serializers.CharField(source="workitem.version.algorithm.code")
    version = serializers.CharField(source="workitem.version.version")
    is_critical = serializers.BooleanField()


class StudySerializer(ShapeSerializer[Study]):
    """One row of the worklist."""

    study_instance_uid = serializers.CharField()
    site = serializers.CharField(source="site.code")
    accession_number = serializers.CharField()
    patient_id = serializers.CharField()
    patient_name = serializers.CharField()
    modality = serializers.CharField()
    study_description = serializers.CharField()
    priority = PriorityField()
    findings = serializers.SerializerMethodField()
    ai_state = OneOf(choices=Study.AiState.choices)
    reason = PhraseField()
    waiting_since = serializers.DateTimeField()
    state = StateField(Study.State)
    revision = serializers.IntegerField()
    is_read = serializers.BooleanField()
    url = serializers.SerializerMethodField()

    def to_representation(self, instance: Study) -> Any:
        """The fields above, in one go: field by field, fifty rows take longer."""
        return {
            "study_instance_uid": instance.study_instance_uid,
            "site": instance.site.code,
            "accession_number": instance.accession_number,
            "patient_id": instance.patient_id,
            "patient_name": instance.patient_name,
            "modality": instance.modality,
            "study_description": instance.study_description,
            "priority": Priority(instance.priority).name,
            "findings": self.get_findings(instance),
            "ai_state": instance.ai_state,
            "reason": worded(instance.reason),
            "waiting_since": self._moment.to_representation(instance.waiting_since),
            "state": instance.state,
            "revision": instance.revision,
            "is_read": instance.is_read,
            "url": self.get_url(instance),
        }

    @cached_property
    def _moment(self) -> Any:
        """One for all rows, as the next: to ask for it anew takes longer than to use it."""
        return self.fields["waiting_since"]

    @cached_property
    def _address(self) -> str:
        path = reverse("study", args=[_NO_STUDY])
        return str(self.context["request"].build_absolute_uri(path))

    @extend_schema_field(FindingSerializer(many=True))
    def get_findings(self, study: Study) -> Any:
        return [_finding(one) for one in findings_to_read(study)]

    def get_url(self, study: Study) -> str:
        return self._address.replace(_NO_STUDY, str(study.uid))


def _finding(finding: Finding) -> dict[str, Any]:
    """As FindingSerializer tells it."""
    version = finding.workitem.version
    return {
        "code": {name: str(finding.code[name]) for name in ("value", "scheme", "meaning")},
        "status": finding.status,
        "probability": finding.probability,
        "algorithm": version.algorithm.code,
        "version": version.version,
        "is_critical": finding.is_critical,
    }


class TransitionSerializer(ShapeSerializer[Transition]):
    """One move of the study, of one of its Workitems or of one of its Deliveries."""

    at = serializers.DateTimeField()
    revision = serializers.IntegerField()
    workitem = serializers.UUIDField(source="workitem.uid", default=None, allow_null=True)
    delivery = serializers.IntegerField(source="delivery_id", allow_null=True)
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    why = PhraseField()
    by = serializers.CharField()


class VerdictSerializer(ShapeSerializer[Verdict]):
    """What was decided about one algorithm, and the clause that decided."""

    revision = serializers.IntegerField()
    algorithm = serializers.CharField(source="algorithm.code")
    version = serializers.CharField(source="version.version", default=None, allow_null=True)
    rule = serializers.CharField(source="rule_code")
    is_match = serializers.BooleanField()
    clause = PhraseField()
    at = serializers.DateTimeField()


class WorkitemSerializer(ShapeSerializer[WorkitemRow]):
    """One algorithm on one study; ``log_tail`` is for administrators of the site alone."""

    uid = serializers.UUIDField()
    revision = serializers.IntegerField()
    algorithm = serializers.CharField(source="version.algorithm.code")
    version = serializers.CharField(source="version.version")
    state = StateField(WorkitemRow.State)
    purpose = serializers.CharField()
    why = PhraseField()
    findings = serializers.SerializerMethodField()
    review = serializers.CharField()
    reviewed_by = serializers.CharField(
        source="reviewed_by.username", default=None, allow_null=True
    )
    reviewed_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    dispatched_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    log_tail = serializers.CharField(required=False)

    @extend_schema_field(FindingSerializer(many=True))
    def get_findings(self, workitem: WorkitemRow) -> Any:
        return [FindingSerializer(one).data for one in findings_on_page(workitem)]

    def to_representation(self, instance: WorkitemRow) -> Any:
        shown = super().to_representation(instance)
        if not self.context.get("is_administrator"):
            shown.pop("log_tail", None)
        return shown


class DeliverySerializer(ShapeSerializer[Delivery]):
    """One thing to tell one destination, and how far that got."""

    id = serializers.IntegerField()
    workitem = serializers.UUIDField(source="workitem.uid")
    node = serializers.CharField(source="node.code")
    kind = OneOf(choices=Delivery.Kind.choices)
    state = StateField(Delivery.State)
    attempts = serializers.IntegerField()
    last_error = PhraseField()
    answer = serializers.CharField()
    created_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)


class DeadLetterSerializer(DeliverySerializer):
    """A Delivery that was given up; a person can replay it."""

    site = serializers.CharField(source="workitem.study.site.code")
    study_instance_uid = serializers.CharField(source="workitem.study.study_instance_uid")


class SetAsideSerializer(ShapeSerializer[SetAside]):
    """Input for this study that could not be taken, and why."""

    at = serializers.DateTimeField()
    sender = serializers.CharField()
    reason = PhraseField()
    field = serializers.CharField()


class StudyDetailSerializer(StudySerializer):
    """A study with every step it went, in the order of time."""

    transitions = TransitionSerializer(many=True)
    verdicts = VerdictSerializer(many=True)
    workitems = serializers.SerializerMethodField()
    deliveries = serializers.SerializerMethodField()
    set_aside = SetAsideSerializer(many=True)

    def to_representation(self, instance: Study) -> Any:
        """Field by field: there is one study."""
        return serializers.Serializer.to_representation(self, instance)

    @extend_schema_field(WorkitemSerializer(many=True))
    def get_workitems(self, study: Study) -> Any:
        user = self.context["request"].user
        context = {"is_administrator": holds_role(user, roles=("administrator",), site=study.site)}
        return [WorkitemSerializer(one, context=context).data for one in study.workitems.all()]

    @extend_schema_field(DeliverySerializer(many=True))
    def get_deliveries(self, study: Study) -> Any:
        return [DeliverySerializer(one).data for one in deliveries_of(study)]


class RejectionSerializer(ShapeSerializer[Any]):
    """Why a radiologist rejects a result."""

    reason = serializers.CharField(
        max_length=500,
        error_messages={
            "required": "expected why the result is rejected, in up to 500 characters",
            "blank": "expected why the result is rejected, in up to 500 characters",
            "null": "expected why the result is rejected, in up to 500 characters",
        },
    )
