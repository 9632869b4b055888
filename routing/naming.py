"""The uids of studies and Workitems: made, not drawn, so that work done again bears the same names.

A hub that was restored from a backup does again what it did after that was made. Report and message
then have the names they had, and PACS and RIS keep them once.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from django.utils.crypto import salted_hmac

from hub import keys
from hub.models import Site
from marketplace.models import AlgorithmVersion
from routing.models import Study

_SALT = "routing.naming.study_uid"


def study_uid(site: Site, study_instance_uid: str) -> UUID:
    """The uid of a study at a site; made with the hub's key, so that it tells nobody the UID."""
    named = f"{site.code}/{study_instance_uid}"
    digest = salted_hmac(_SALT, named, secret=keys.identity(), algorithm="sha256").digest()
    return UUID(bytes=digest[:16], version=4)


def is_of_another_key() -> bool:
    """Whether the newest study bears a name that the hub would not give it any more."""
    newest = Study.objects.select_related("site").order_by("-pk").first()
    return newest is not None and newest.uid != study_uid(newest.site, newest.study_instance_uid)


def workitem_uid(study: Study, version: AlgorithmVersion, *, fingerprint: str) -> UUID:
    """The uid of the one Workitem of a version of an algorithm on this input of a study."""
    return uuid5(study.uid, f"{version.algorithm.code}/{version.version}/{fingerprint}")
