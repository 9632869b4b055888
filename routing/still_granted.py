"""Whether what was granted still holds as a run starts, and again as its result would go out.

A Workitem may wait for hours and run for one. What was taken out of use meanwhile, by a field
safety notice, the end of a certificate or a person, neither starts nor goes out. Contracts are
asked once, in entitle.py: what a call-off covered when it was asked, is covered.
"""

from __future__ import annotations

from hub import audit
from hub.phrases import Phrase
from marketplace import deployment
from marketplace.models import Deployment
from routing.models import Workitem
from vendors.signatures import SignatureRefused

State = Deployment.State
# what is in use for less than patients, and where nothing leaves the hub
_INSIDE = (State.SHADOW, State.VALIDATION)


class OutOfUse(Exception):
    """Its version was suspended at its site; ``why`` is the sentence."""

    def __init__(self, why: Phrase) -> None:
        super().__init__(why.text)
        self.why = why


def require_start(workitem: Workitem) -> None:
    """Raise OutOfUse where it was suspended, SignatureRefused where its image is not its vendor's.

    Image and key may have changed since they were set up.
    """
    if _state_of(workitem) == State.SUSPENDED:
        raise OutOfUse(_suspended(workitem))
    try:
        workitem.version.require_signature()
    except SignatureRefused as refused:
        audit.record(
            "image.refused", actor="dispatch", site=workitem.study.site,
            subject=str(workitem.uid), why=refused.reason,
        )  # fmt: skip
        raise


def purpose_of_result(workitem: Workitem) -> str:
    """For what the result may be used: as it was granted, or less where its version was taken back.

    Raises OutOfUse where a result for patients is of a version that was suspended.
    """
    if workitem.purpose != State.CLINICAL:
        return workitem.purpose
    state = _state_of(workitem)
    if state == State.SUSPENDED:
        raise OutOfUse(_suspended(workitem))
    return state if state in _INSIDE else workitem.purpose


def _state_of(workitem: Workitem) -> str:
    return deployment.state_now(workitem.version_id, site_id=workitem.study.site_id)


def _suspended(workitem: Workitem) -> Phrase:
    site = workitem.study.site.name
    return deployment.out_of_use(str(workitem.version), site=site, state=State.SUSPENDED)
