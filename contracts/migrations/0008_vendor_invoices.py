"""Invoices that vendors send of their own, each number once, for ever."""


import django.db.models.deletion
import uuid
from django.db import migrations, models

from hub.append_only import append_only


class Migration(migrations.Migration):

    dependencies = [
        ("contracts", "0007_billing"),
        ('hub', '0005_organisation_roles'),
        ('vendors', '0003_onboarding_and_people'),
    ]

    operations = [
        migrations.CreateModel(
            name='VendorInvoice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('number', models.CharField(max_length=80)),
                ('kind', models.CharField(max_length=3)),
                ('month', models.DateField()),
                ('currency', models.CharField(max_length=3)),
                ('net', models.DecimalField(decimal_places=2, max_digits=14)),
                ('sha256', models.CharField(max_length=64)),
                ('received_at', models.DateTimeField()),
                ('received_by', models.CharField(max_length=200)),
                ('findings', models.JSONField(default=list)),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='hub.organisation')),
                ('supplier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='vendors.vendor')),
            ],
        ),
        migrations.CreateModel(
            name='VendorInvoiceLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('call_off', models.CharField(max_length=40)),
                ('algorithm', models.CharField(max_length=64)),
                ('site', models.CharField(max_length=64)),
                ('month', models.DateField()),
                ('quantity', models.IntegerField()),
                ('amount', models.DecimalField(decimal_places=2, max_digits=14)),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='contracts.vendorinvoice')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddConstraint(
            model_name='vendorinvoice',
            constraint=models.UniqueConstraint(fields=('supplier', 'number'), name='vendor_invoice_once'),
        ),
        append_only("contracts_vendorinvoice"),
        append_only("contracts_vendorinvoiceline"),
    ]
