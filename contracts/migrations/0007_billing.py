"""What a run bills, and the invoices that come of it, never change."""


import django.db.models.deletion
import uuid
from django.db import migrations, models

from hub.append_only import append_only

FINAL = (
    "billingrun", "eventbooking", "adjustmentbooking", "meterreading", "ratingsnapshot",
    "invoice", "invoiceline",
)


class Migration(migrations.Migration):

    dependencies = [
        ("contracts", "0006_usage_of_tenants"),
        ('hub', '0004_node_confirm'),
        ('vendors', '0002_vendor_signing_key'),
    ]

    operations = [
        migrations.CreateModel(
            name='BillingRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('period', models.DateField()),
                ('made_at', models.DateTimeField()),
                ('made_by', models.CharField(max_length=200)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='AdjustmentBooking',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('adjustment', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='booking', to='contracts.usageadjustment')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='adjustments', to='contracts.billingrun')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='EventBooking',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='booking', to='contracts.usageevent')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='contracts.billingrun')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Invoice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('380', 'Invoice'), ('381', 'Credit note')], max_length=3)),
                ('number', models.CharField(max_length=80, unique=True)),
                ('sequence', models.PositiveIntegerField()),
                ('call_off_sequence', models.PositiveIntegerField()),
                ('period_from', models.DateField()),
                ('period_to', models.DateField()),
                ('issued_on', models.DateField()),
                ('due_on', models.DateField()),
                ('currency', models.CharField(max_length=3)),
                ('net', models.DecimalField(decimal_places=2, max_digits=14)),
                ('vat', models.DecimalField(decimal_places=2, max_digits=14)),
                ('gross', models.DecimalField(decimal_places=2, max_digits=14)),
                ('document', models.JSONField()),
                ('call_off', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='contracts.calloff')),
                ('credits', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_notes', to='contracts.invoice')),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='hub.organisation')),
                ('run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='contracts.billingrun')),
                ('supplier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='vendors.vendor')),
            ],
        ),
        migrations.CreateModel(
            name='MeterReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('units', models.IntegerField()),
                ('failures', models.PositiveIntegerField(default=0)),
                ('late', models.PositiveIntegerField(default=0)),
                ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='readings', to='contracts.calloffline')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='readings', to='contracts.billingrun')),
            ],
        ),
        migrations.CreateModel(
            name='RatingSnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('facts', models.JSONField()),
                ('sha256', models.CharField(max_length=64)),
                ('framework', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='contracts.frameworkagreement')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='snapshots', to='contracts.billingrun')),
            ],
        ),
        migrations.CreateModel(
            name='InvoiceLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('kind', models.CharField(max_length=20)),
                ('key', models.CharField(db_index=True, max_length=200)),
                ('month', models.DateField()),
                ('span_from', models.DateField()),
                ('description', models.CharField(max_length=300)),
                ('quantity', models.DecimalField(decimal_places=0, max_digits=14)),
                ('unit_price', models.DecimalField(decimal_places=4, max_digits=14)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('vat_rate', models.DecimalField(decimal_places=4, max_digits=5)),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='contracts.invoice')),
                ('line', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='contracts.calloffline')),
                ('snapshot', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='contracts.ratingsnapshot')),
            ],
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.UniqueConstraint(fields=('supplier', 'sequence'), name='invoice_sequence_once'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.UniqueConstraint(fields=('call_off', 'call_off_sequence'), name='invoice_once_in_call_off'),
        ),
        migrations.AddConstraint(
            model_name='meterreading',
            constraint=models.UniqueConstraint(fields=('run', 'line', 'day'), name='meter_reading_once'),
        ),
        migrations.AddConstraint(
            model_name='ratingsnapshot',
            constraint=models.UniqueConstraint(fields=('run', 'framework'), name='rating_snapshot_once'),
        ),
        migrations.AddConstraint(
            model_name='invoiceline',
            constraint=models.UniqueConstraint(fields=('invoice', 'position'), name='invoice_position_once'),
        ),
        *(append_only(f"contracts_{name}") for name in FINAL),
    ]
