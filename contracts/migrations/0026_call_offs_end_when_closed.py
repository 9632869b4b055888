"""A call-off that is closed has the moment at which it was; the trail knows those of before."""

from typing import Any

from django.db import migrations, models


def remember(apps: Any, editor: Any) -> None:
    """The last move to closed that was put on record; of those closed by a file nothing is."""
    call_offs = apps.get_model("contracts", "CallOff")
    moves = apps.get_model("hub", "AuditEvent").objects.filter(action="call_off_moved")
    for row in call_offs.objects.filter(state="closed", closed_at=None):
        of_it = moves.filter(subject=row.code).order_by("-pk")
        closed = next((one for one in of_it if one.details.get("to_state") == "closed"), None)
        if closed is not None and closed.details.get("from_state") == "active":
            call_offs.objects.filter(pk=row.pk).update(closed_at=closed.at)


class Migration(migrations.Migration):

    dependencies = [
        ("contracts", "0024_faults_of_vendors_invoices"),
        ("hub", "0007_retention"),
    ]

    operations = [
        migrations.AddField(
            model_name="calloff",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunPython(remember, migrations.RunPython.noop),
    ]
