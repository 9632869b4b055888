"""The rows of the procurement side; each module has those of one part of it."""

from contracts.models.agreements import Authority, FrameworkAgreement, PriceBookEntry
from contracts.models.billing import (
    AdjustmentBooking,
    BilledIsFinal,
    BillingRun,
    EventBooking,
    MeterReading,
    RatingSnapshot,
)
from contracts.models.call_offs import (
    CallOff,
    CallOffAmount,
    CallOffApproval,
    CallOffCompetition,
    CallOffLine,
    CallOffPrice,
)
from contracts.models.claims import VendorInvoice, VendorInvoiceLine
from contracts.models.documents import Document, DocumentIsKept
from contracts.models.evaluations import (
    AwardCriterion,
    EvaluationFreeze,
    EvaluationModel,
    Protocol,
    Score,
)
from contracts.models.invoices import Invoice, InvoiceFile, InvoiceLine
from contracts.models.measured import AvailabilityReading, OutcomeReading
from contracts.models.needs import BreadthRule, Need, NeedList, SelectionRun
from contracts.models.options import AuthorityOption, OptionState, TermOption
from contracts.models.procedures import (
    DialogueNote,
    DialogueRound,
    MarketContact,
    Participant,
    Procedure,
    ProcedureMove,
    Question,
)
from contracts.models.reference import IndexSeries, IndexValue, VatRate
from contracts.models.specifications import (
    Requirement,
    RequirementResponse,
    RequirementSpec,
    Submission,
    SuggestedRequirement,
)
from contracts.models.terms import Amendment, FrameworkSupplier, Lot
from contracts.models.usage import UsageAdjustment, UsageEvent, UsageIsAppendOnly, VolumeCounter
from contracts.models.values import OutcomeMeasurement, SimulationRun, ValueModel, ValueParameter

__all__ = [
    "AdjustmentBooking",
    "Amendment",
    "Authority",
    "AuthorityOption",
    "AvailabilityReading",
    "AwardCriterion",
    "BilledIsFinal",
    "BillingRun",
    "BreadthRule",
    "CallOff",
    "CallOffAmount",
    "CallOffApproval",
    "CallOffCompetition",
    "CallOffLine",
    "CallOffPrice",
    "DialogueNote",
    "DialogueRound",
    "Document",
    "DocumentIsKept",
    "EvaluationFreeze",
    "EvaluationModel",
    "EventBooking",
    "FrameworkAgreement",
    "FrameworkSupplier",
    "IndexSeries",
    "IndexValue",
    "Invoice",
    "InvoiceFile",
    "InvoiceLine",
    "Lot",
    "MarketContact",
    "MeterReading",
    "Need",
    "NeedList",
    "OptionState",
    "OutcomeMeasurement",
    "OutcomeReading",
    "Participant",
    "PriceBookEntry",
    "Procedure",
    "ProcedureMove",
    "Protocol",
    "Question",
    "RatingSnapshot",
    "Requirement",
    "RequirementResponse",
    "RequirementSpec",
    "Score",
    "SelectionRun",
    "SimulationRun",
    "Submission",
    "SuggestedRequirement",
    "TermOption",
    "UsageAdjustment",
    "UsageEvent",
    "UsageIsAppendOnly",
    "ValueModel",
    "ValueParameter",
    "VatRate",
    "VendorInvoice",
    "VendorInvoiceLine",
    "VolumeCounter",
]
