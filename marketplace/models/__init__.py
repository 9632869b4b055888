"""The rows of the marketplace; each module has those of one part of it."""

from marketplace.models.algorithms import Algorithm, AlgorithmVersion, Clearance
from marketplace.models.deployments import Deployment, DeploymentMove, Gate, Signature
from marketplace.models.documents import ModelCard, Sbom
from marketplace.models.evidence import Evidence
from marketplace.models.files import GateFile, PaperFile
from marketplace.models.notices import ExpiryWarning, NoticeVersion, SafetyNotice

__all__ = [
    "Algorithm",
    "AlgorithmVersion",
    "Clearance",
    "Deployment",
    "DeploymentMove",
    "Evidence",
    "ExpiryWarning",
    "Gate",
    "GateFile",
    "ModelCard",
    "NoticeVersion",
    "PaperFile",
    "SafetyNotice",
    "Sbom",
    "Signature",
]
