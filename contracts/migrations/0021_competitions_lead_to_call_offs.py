"""A call-off names the mini-competition that led to it, and a mini-competition the sites it is for."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("contracts", "0017_documents"),
    ]

    operations = [
        migrations.AddField("procedure", "sites", models.JSONField(blank=True, null=True)),
        migrations.CreateModel(
            name="CallOffCompetition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("call_off", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name="competed", to="contracts.calloff")),
                ("competition", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="led_to", to="contracts.procedure")),
            ],
        ),
    ]
