"""A call-off may have prices of its own, and an agreement says whether its price book binds them."""

import django.db.models.deletion
from django.db import migrations, models

from contracts.used_prices import own_prices_stay


class Migration(migrations.Migration):

    dependencies = [
        ("contracts", "0021_competitions_lead_to_call_offs"),
        ("marketplace", "0005_files_of_evidence"),
    ]

    operations = [
        migrations.AddField(
            model_name="frameworkagreement",
            name="ceilings",
            field=models.CharField(choices=[("binding", "Never above the price book"), ("guiding", "Also above the price book")], db_default="guiding", default="guiding", max_length=10),
        ),
        migrations.CreateModel(
            name="CallOffAmount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("amount", models.DecimalField(decimal_places=2, max_digits=14)),
                ("per", models.CharField(choices=[("once", "once"), ("year", "a year")], max_length=10)),
                ("call_off", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="fixed", to="contracts.calloff")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("call_off", "name"), name="own_amount_once")],
            },
        ),
        migrations.CreateModel(
            name="CallOffPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateField(blank=True, null=True)),
                ("model", models.CharField(max_length=20)),
                ("terms", models.JSONField(default=dict)),
                ("algorithm", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="marketplace.algorithm")),
                ("call_off", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="price_book", to="contracts.calloff")),
            ],
            options={
                "constraints": [models.UniqueConstraint(condition=models.Q(("valid_from", None)), fields=("call_off", "algorithm"), name="own_price_once"), models.UniqueConstraint(fields=("call_off", "algorithm", "valid_from"), name="own_price_version_once")],
            },
        ),
        own_prices_stay(),
    ]
