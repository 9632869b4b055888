"""The forms on which gates are decided: what all of them ask, and what each asks besides."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from hub import forms as base
from marketplace.deciding import Decision
from marketplace.models import Gate
from vendors.file_doors import FileFields

Kind = Gate.Kind
RISKS = (("low", _("Low")), ("medium", _("Medium")), ("high", _("High")))
METRICS = (
    ("coverage", _("Coverage")), ("failure_rate", _("Failure rate")),
    ("rejection_rate", _("Rejection rate")), ("latency_p50", _("Latency, median (s)")),
    ("latency_p95", _("Latency, 95th percentile (s)")), ("positive_rate", _("Positive rate")),
    ("concordance", _("Concordance with reports")), ("sensitivity", _("Sensitivity")),
    ("specificity", _("Specificity")), ("ppv", _("Positive predictive value")),
    ("npv", _("Negative predictive value")), ("kappa", _("Kappa")),
    ("override_rate", _("Override rate")), ("psi", _("Drift of inputs (PSI)")),
)  # fmt: skip
ACTIONS = (
    ("notify", _("Notify")), ("review", _("Review")),
    ("propose_suspension", _("Propose suspension")),
)  # fmt: skip
MOST_METRICS = 50


class DecisionForm(FileFields):
    """What was decided at a gate; a subclass adds what only its gate holds."""

    is_passed = base.choice(_("Decision"), (("yes", _("It stands")), ("no", _("It does not"))))
    decided_on = base.day(_("Decided on"), says=_("Left out: today."))
    valid_until = base.day(_("Valid until"), says=_("Left out: without an end."))
    owner = base.words(_("In charge"), most=200, needed=False)
    evidence = base.text(
        pgettext_lazy("paper", "Evidence"), needed=False, rows=2, most=2000,
        says=_("Where it is found. A gate that stands needs it, or a file."),
    )  # fmt: skip
    _OF_ALL: ClassVar = frozenset(
        ("is_passed", "decided_on", "valid_until", "owner", "evidence", "file", "replaces")
    )
    field_order = ("is_passed", "decided_on", "valid_until", "owner", "evidence", "file")

    def decision(self, **more: Any) -> Decision:
        """As the verb takes it; nothing of what was left empty."""
        said = self.cleaned_data
        own = {
            name: value for name, value in said.items()
            if name not in self._OF_ALL and value not in (None, "")
        }  # fmt: skip
        return Decision(
            said["is_passed"] == "yes", said["evidence"], said["owner"], said["decided_on"],
            said["valid_until"], own | more,
        )  # fmt: skip


class SnapshotForm(DecisionForm):
    """The papers of the device as they were looked up."""

    source = base.choice(
        _("Looked up in"), (("eudamed", "EUDAMED"), ("document", _("Document")),
                            ("vendor", _("From the vendor"))), needed=False,
    )  # fmt: skip


class MiniHtaForm(DecisionForm):
    """The decision of a mini-HTA."""

    reference = base.words(_("Number in the national database"), most=2000, needed=False)
    template = base.words(_("Version of the form"), most=2000, needed=False)
    reviewed_by = base.words(_("Independent peer (part 2)"), most=2000, needed=False)
    conditions = base.text(_("Conditions"), needed=False, rows=2, most=2000)
    conflicts_of_interest = base.text(
        _("Conflicts of interest"), needed=False, rows=2, most=2000
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # "decision" is a method of every one of these forms, and the name of this field
        self.fields["decision"] = base.choice(
            _("Part 3 says"),
            (("introduce", _("Introduce")),
             ("introduce_with_conditions", _("Introduce with conditions")),
             ("reject", _("Reject"))),
        )  # fmt: skip


class DpiaForm(DecisionForm):
    """A data protection impact assessment."""

    residual_risk = base.choice(_("Residual risk"), RISKS, needed=False)
    prior_consultation = base.words(
        _("Consultation of the authority (GDPR Art. 36)"), most=2000, needed=False
    )
    advice = base.text(
        _("Advice of the data protection officer"), needed=False, rows=2, most=2000
    )


class DpaForm(DecisionForm):
    """A data processing agreement."""

    controller = base.words(_("Controller"), most=2000, needed=False)
    processor = base.words(_("Processor"), most=2000, needed=False)
    signed = base.words(_("Signed"), most=2000, needed=False)
    retention = base.words(_("Retention"), most=2000, needed=False)


class RiskForm(DecisionForm):
    """A risk analysis."""

    method = base.words(_("Method"), most=2000, needed=False)
    residual_risk = base.choice(_("Residual risk"), RISKS, needed=False)


class ValidationForm(DecisionForm):
    """The four counts of a local validation, and what was planned and agreed before it."""

    true_positive = base.whole(_("True positive"), needed=True, least=0, most=10**9)
    false_negative = base.whole(_("False negative"), needed=True, least=0, most=10**9)
    true_negative = base.whole(_("True negative"), needed=True, least=0, most=10**9)
    false_positive = base.whole(_("False positive"), needed=True, least=0, most=10**9)
    expected_sensitivity = base.share(
        _("Expected sensitivity"), says=_("A part of one, such as 0.92.")
    )
    margin = base.share(
        _("Margin"), least=0.001, says=_("Half the width of the interval, such as 0.03.")
    )
    prevalence = base.share(
        _("Prevalence"), least=0.0001, says=_("Share of the studies with the finding.")
    )
    least_sensitivity = base.share(
        _("Least sensitivity"), says=_("What the lower bound must reach.")
    )
    least_specificity = base.share(
        _("Least specificity"), says=_("What the lower bound must reach.")
    )
    confidence = base.share(
        _("Confidence"), least=0.5, initial=0.95, says=_("Of the intervals, such as 0.95.")
    )
    period = base.words(_("Period"), most=2000, needed=False)
    ground_truth = base.words(_("Ground truth"), most=2000, needed=False)


class TrainingForm(DecisionForm):
    """Who has been trained."""

    trained = base.whole(_("Trained"), least=0, most=10**9)
    of = base.whole(_("Of"), least=0, most=10**9)
    course = base.words(_("Course"), most=2000, needed=False)


class MonitoringForm(DecisionForm):
    """Who looks after what is monitored; the metrics stand in rows below."""

    responsible = base.words(_("Responsible"), most=2000, needed=False)


class MetricForm(base.Form):
    """One metric and what is done when it leaves its bounds; a row that is left empty is none."""

    metric = base.choice(_("Metric"), METRICS, needed=False)
    threshold = forms.FloatField(
        label=_("Threshold"), required=False, localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )  # fmt: skip
    window_days = base.whole(_("Window in days"), most=3660)
    least = base.whole(_("Studies at least"), most=10**9)
    action = base.choice(_("Action"), ACTIONS, needed=False)

    def clean(self) -> dict[str, Any]:
        """All of it, or nothing."""
        said: dict[str, Any] = super().clean() or {}
        if any(value not in (None, "") for value in said.values()):
            for name in self.fields:
                if said.get(name) in (None, "") and name not in self.errors:
                    self.add_error(name, _("This field is required."))
        return said


MetricSet = forms.formset_factory(
    MetricForm, extra=3, max_num=MOST_METRICS, absolute_max=MOST_METRICS
)
FORMS: dict[str, type[DecisionForm]] = {
    Kind.REGULATORY_SNAPSHOT: SnapshotForm, Kind.MINI_HTA: MiniHtaForm, Kind.DPIA: DpiaForm,
    Kind.DPA: DpaForm, Kind.RISK_ANALYSIS: RiskForm, Kind.LOCAL_VALIDATION: ValidationForm,
    Kind.TRAINING: TrainingForm, Kind.MONITORING_PLAN: MonitoringForm,
}  # fmt: skip
