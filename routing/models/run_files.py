"""What a run that is elsewhere was given to fetch, and what it brought."""

from __future__ import annotations

from django.db import models

from routing.models.workitems import Workitem


class RunFiles(models.Model):
    """Input and output of one run of a Workitem, as parcels (hub/dicom/parcels.py)."""

    workitem = models.ForeignKey(Workitem, models.CASCADE, related_name="run_files")
    run = models.PositiveIntegerField()
    input_key = models.CharField(max_length=200)
    input_sha256 = models.CharField(max_length=64)
    input_bytes = models.PositiveBigIntegerField()
    # further original UIDs that were replaced in the input: whoever collects may be another host
    other_uids = models.JSONField(default=list)
    # when the input was first asked for: from then on its token holds for minutes alone
    asked_at = models.DateTimeField(null=True, blank=True)
    output_key = models.CharField(max_length=200, blank=True)
    output_sha256 = models.CharField(max_length=64, blank=True)
    output_bytes = models.PositiveBigIntegerField(default=0)
    output_at = models.DateTimeField(null=True, blank=True)
    # why what was brought last was refused
    refused = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workitem", "run"], name="run_files_once"),
        ]

    def __str__(self) -> str:
        return f"files of run {self.run} of {self.workitem_id}"
