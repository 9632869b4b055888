"""The people of a company act for it; a mini-competition has a lot, and an end its notice."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ENDED = ("concluded", "no_award", "cancelled")


def people(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Who acted for a participant becomes a person of its company, unless of one already."""
    member = apps.get_model("contracts", "ParticipantMember")
    person = apps.get_model("vendors", "VendorMember")
    for one in member.objects.select_related("participant").order_by("pk"):
        person.objects.get_or_create(
            user_id=one.user_id, defaults={"vendor_id": one.participant.vendor_id}
        )


def ends(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """When a procedure ended is told by its last move."""
    for one in apps.get_model("contracts", "Procedure").objects.filter(state__in=ENDED):
        last = one.moves.order_by("-pk").first()
        if last is not None:
            type(one).objects.filter(pk=one.pk).update(ended_at=last.at)


class Migration(migrations.Migration):

    dependencies = [
        ("contracts", "0015_limits_are_facts"), ("vendors", "0005_limits_are_facts"),
    ]

    operations = [
        migrations.AddField("procedure", "lot", models.CharField(blank=True, default="", max_length=40), preserve_default=False),
        migrations.AddField("procedure", "ended_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("procedure", "result_notice", models.CharField(blank=True, default="", max_length=200), preserve_default=False),
        migrations.AddField("procedure", "result_notice_on", models.DateField(blank=True, null=True)),
        migrations.AddField("procedure", "result_value", models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True)),
        migrations.RunPython(ends, migrations.RunPython.noop),
        migrations.RunPython(people, migrations.RunPython.noop),
        migrations.DeleteModel(name="ParticipantMember"),
    ]
