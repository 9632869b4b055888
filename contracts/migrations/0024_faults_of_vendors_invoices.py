"""What is wrong with the form of a vendor's invoice stays beside what came of comparing it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contracts', '0023_invoice_files_are_kept'),
    ]

    operations = [
        migrations.AddField(
            model_name='vendorinvoice',
            name='faults',
            field=models.JSONField(blank=True, default=None, null=True),
        ),
    ]
