"""Parts of the body in the words of people, for the terms of DICOM (PS3.16 annex L)."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

WORDS = {
    "ABDOMEN": _("abdomen"), "ABDOMENPELVIS": _("abdomen and pelvis"), "ANKLE": _("ankle"),
    "AORTA": _("aorta"), "ARM": _("arm"), "BRAIN": _("brain"), "BREAST": _("breast"),
    "CHEST": _("chest"), "CLAVICLE": _("clavicle"), "COLON": _("colon"),
    "CSPINE": _("cervical spine"), "ELBOW": _("elbow"), "EXTREMITY": _("extremity"),
    "EYE": _("eye"), "FEMUR": _("femur"), "FINGER": _("finger"), "FOOT": _("foot"),
    "FOREARM": _("forearm"), "HAND": _("hand"), "HEAD": _("head"), "HEADNECK": _("head and neck"),
    "HEART": _("heart"), "HIP": _("hip"), "HUMERUS": _("humerus"), "JAW": _("jaw"),
    "KIDNEY": _("kidney"), "KNEE": _("knee"), "LEG": _("leg"), "LIVER": _("liver"),
    "LSPINE": _("lumbar spine"), "LUNG": _("lung"), "NECK": _("neck"), "PANCREAS": _("pancreas"),
    "PELVIS": _("pelvis"), "PROSTATE": _("prostate"), "RIB": _("ribs"), "SHOULDER": _("shoulder"),
    "SKULL": _("skull"), "SPINE": _("spine"), "SSPINE": _("sacrum"), "STERNUM": _("sternum"),
    "THORAX": _("thorax"), "THYROID": _("thyroid"), "TOE": _("toe"),
    "TSPINE": _("thoracic spine"), "UTERUS": _("uterus"), "WHOLEBODY": _("whole body"),
    "WRIST": _("wrist"),
}  # fmt: skip


def worded(parts: Iterable[str]) -> tuple[str, ...]:
    """Each part once, as people of the language say it; one that is no term as it stands."""
    found: dict[str, str] = {}
    for part in parts:
        word = str(WORDS.get(part, part))
        found.setdefault(word.casefold(), word)
    return tuple(found.values())
