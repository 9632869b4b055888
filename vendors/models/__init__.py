"""The rows of vendors; each module has those of one part of it."""

from vendors.models.cluster_runs import ClusterRun, ClusterWatch
from vendors.models.files import EvidenceIsKept, HandedIn, KeptFile, OnboardingFile
from vendors.models.legal import LegalFact
from vendors.models.onboarding import OnboardingItem, SubProcessor
from vendors.models.people import Invitation, VendorMember
from vendors.models.suppliers import Vendor
from vendors.models.warm_servers import WarmRun, WarmServer

__all__ = [
    "ClusterRun",
    "ClusterWatch",
    "EvidenceIsKept",
    "HandedIn",
    "Invitation",
    "KeptFile",
    "LegalFact",
    "OnboardingFile",
    "OnboardingItem",
    "SubProcessor",
    "Vendor",
    "VendorMember",
    "WarmRun",
    "WarmServer",
]
