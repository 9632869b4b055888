"""An issued invoice is kept as the files that its buyer got, and they never change."""

import django.db.models.deletion
from django.db import migrations, models

from hub.append_only import append_only


class Migration(migrations.Migration):

    dependencies = [
        ('contracts', '0022_prices_of_call_offs'),
    ]

    operations = [
        migrations.CreateModel(
            name='InvoiceFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('ubl.xml', 'EHF'), ('pdf', 'PDF'), ('csv', 'CSV')], max_length=10)),
                ('media_type', models.CharField(max_length=100)),
                ('size', models.PositiveIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('content', models.BinaryField()),
                ('made_at', models.DateTimeField()),
                ('version', models.CharField(max_length=40)),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='contracts.invoice')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('invoice', 'kind'), name='invoice_file_once')],
            },
        ),
        append_only("contracts_invoicefile"),
    ]
