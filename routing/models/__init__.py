"""The rows of the way of a study; state is written by pathway.advance() alone."""

from routing.models.deliveries import Breaker, Delivery, Transition
from routing.models.kept import Kept
from routing.models.orders import Message, Order, PatientMerge, Priority
from routing.models.pools import GpuPool, GpuShare
from routing.models.rules import Rule, Verdict
from routing.models.run_files import RunFiles
from routing.models.studies import Arrived, Discarded, Instance, Series, SetAside, Study
from routing.models.tallies import Tally, TallyMark
from routing.models.workitems import Finding, Result, Workitem

__all__ = [
    "Arrived",
    "Breaker",
    "Delivery",
    "Discarded",
    "Finding",
    "GpuPool",
    "GpuShare",
    "Instance",
    "Kept",
    "Message",
    "Order",
    "PatientMerge",
    "Priority",
    "Result",
    "Rule",
    "RunFiles",
    "Series",
    "SetAside",
    "Study",
    "Tally",
    "TallyMark",
    "Transition",
    "Verdict",
    "Workitem",
]
