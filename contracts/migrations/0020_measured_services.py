"""How available services were, and what they led to: added once, never edited."""


import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models

from hub.append_only import append_only


class Migration(migrations.Migration):

    dependencies = [
        ('contracts', '0016_people_lots_and_results'),
        ('marketplace', '0003_gates_evidence_and_notices'),
    ]

    operations = [
        migrations.CreateModel(
            name='AvailabilityReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('month', models.DateField()),
                ('share', models.DecimalField(decimal_places=6, max_digits=7)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.CharField(max_length=200)),
                ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='availability', to='contracts.calloffline')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='OutcomeReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kpi', models.CharField(max_length=80)),
                ('contract_year', models.DateField()),
                ('successes', models.PositiveIntegerField()),
                ('n', models.PositiveIntegerField()),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.CharField(max_length=200)),
                ('algorithm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.algorithm')),
                ('framework', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='contracts.frameworkagreement')),
            ],
            options={
                'abstract': False,
            },
        ),
        append_only("contracts_availabilityreading"),
        append_only("contracts_outcomereading"),
    ]
