"""How a file of evidence comes in and goes out: forms, shapes of the API, the answer with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request

from hub import forms as base
from hub.api import Digest, ShapeSerializer
from vendors.filing import LONGEST_NAME, Brought
from vendors.models import HandedIn


class HandedInSerializer(ShapeSerializer[Any]):
    """A file without its bytes; ``replaces`` is the digest of the one whose place it took."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    size = serializers.IntegerField(source="file.size")
    sha256 = serializers.CharField(source="file.sha256")
    at = serializers.DateTimeField()
    by = serializers.CharField()
    replaces = serializers.CharField(
        source="replaces.file.sha256", default=None, allow_null=True
    )
    is_replaced = serializers.SerializerMethodField()

    def get_is_replaced(self, row: HandedIn) -> bool:
        """Whether a newer file took its place."""
        return row.is_replaced


class NewFileSerializer(ShapeSerializer[Any]):
    """A file; with ``sha256`` it is refused where its digest is another."""

    file = serializers.FileField(max_length=LONGEST_NAME)
    sha256 = Digest(required=False, default="")
    replaces = Digest(
        required=False, default="",
        help_text="Digest of the file whose place it takes, which stays.",
    )  # fmt: skip


class FileFields(base.Form):
    """What a form asks of a file; it may be left out where the form asks more than that."""

    file = forms.FileField(
        label=gettext_lazy("File"), max_length=LONGEST_NAME, required=False,
        help_text=gettext_lazy("Kept byte for byte, with who handed it in and when."),
    )  # fmt: skip
    replaces = base.choice(
        gettext_lazy("In place of"), (), needed=False,
        says=gettext_lazy("The earlier file stays, and can still be seen."),
    )  # fmt: skip

    def offer(self, current: list[Any]) -> None:
        """Let it take the place of one of these."""
        options = [(one.file.sha256, f"{one.name} · {one.file.sha256[:12]}") for one in current]
        base.set_choices(self, "replaces", options)
        if not current:
            del self.fields["replaces"]

    def brought(self) -> Brought | None:
        """The file as the verb takes it; None where there is none."""
        said = self.cleaned_data
        if not said.get("file"):
            return None
        return Brought(
            said["file"].name, said["file"].read(), replaces=said.get("replaces") or ""
        )


def asked(request: Request) -> Brought:
    """The file of a request to the API."""
    shape = NewFileSerializer(data=request.data)
    shape.is_valid(raise_exception=True)
    return brought(shape.validated_data)


def brought(said: Mapping[str, Any]) -> Brought:
    """The file of a request, of which it said no more or somebody has read the rest."""
    return Brought(said["file"].name, said["file"].read(), said["sha256"], said["replaces"])


def attachment(row: HandedIn | None) -> HttpResponse:
    """The file to be saved, never shown in the page; raises Http404 where there is none."""
    if row is None:
        raise Http404
    answer = HttpResponse(bytes(row.file.content), content_type="application/octet-stream")
    answer["Content-Disposition"] = content_disposition_header(True, row.name) or "attachment"
    answer["Cache-Control"] = "no-store"
    return answer
