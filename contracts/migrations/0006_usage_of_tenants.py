"""Usage has its tenant, failures and corrections; (tenant, source, id) is unique for ever."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from hub.append_only import append_only

GUARDED = append_only("contracts_usageevent")
# for the one statement that names the tenants of what was counted before
LIFTED = migrations.RunPython(GUARDED.reverse_code, migrations.RunPython.noop)


def name_the_tenants(apps, editor):
    usage = apps.get_model("contracts", "UsageEvent").objects.filter(tenant=None)
    call_offs = apps.get_model("contracts", "CallOff").objects
    organisation = call_offs.filter(pk=models.OuterRef("call_off")).values("organisation")
    usage.update(tenant=models.Subquery(organisation))


class Migration(migrations.Migration):

    dependencies = [
        ("contracts", "0004_price_terms"),
        ('hub', '0004_node_confirm'),
        ('marketplace', '0002_version_signature'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageAdjustment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=200)),
                ('event_id', models.CharField(max_length=100)),
                ('delta_units', models.IntegerField()),
                ('reason', models.CharField(max_length=300)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.CharField(max_length=200)),
                ('payload_sha256', models.CharField(max_length=64)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='usageevent',
            name='usage_source_id_once',
        ),
        migrations.RemoveConstraint(
            model_name='usageevent',
            name='usage_once_per_study',
        ),
        migrations.AddField(
            model_name='usageevent',
            name='fault',
            field=models.CharField(choices=[('none', 'None'), ('supplier', 'Of the supplier'), ('customer', 'Of the customer')], db_default='none', default='none', max_length=12),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='latency_ms',
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='payload_sha256',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='purpose',
            field=models.CharField(choices=[('clinical', 'Clinical'), ('validation', 'Validation'), ('shadow', 'Shadow'), ('research', 'Research')], db_default='clinical', default='clinical', max_length=12),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='recorded_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='recorded_at',
            field=models.DateTimeField(default=django.utils.timezone.now, null=True),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='tenant',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='hub.organisation'),
        ),
        LIFTED,
        migrations.RunPython(name_the_tenants, migrations.RunPython.noop),
        append_only("contracts_usageevent"),
        migrations.AddConstraint(
            model_name='usageevent',
            constraint=models.UniqueConstraint(fields=('tenant', 'source', 'event_id'), name='usage_tenant_source_id_once'),
        ),
        migrations.AddConstraint(
            model_name='usageevent',
            constraint=models.UniqueConstraint(condition=models.Q(('units__gt', 0)), fields=('study_ref', 'algorithm', 'call_off'), name='usage_paid_once_per_study'),
        ),
        migrations.AddField(
            model_name='usageadjustment',
            name='corrects',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='adjustments', to='contracts.usageevent'),
        ),
        migrations.AddField(
            model_name='usageadjustment',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='hub.organisation'),
        ),
        migrations.AddConstraint(
            model_name='usageadjustment',
            constraint=models.UniqueConstraint(fields=('tenant', 'source', 'event_id'), name='adjustment_tenant_source_id_once'),
        ),
        append_only("contracts_usageevent"),
        append_only("contracts_usageadjustment"),
    ]
