"""How many examinations were rejected by the customer's fault is read of a meter too."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contracts', '0024_faults_of_vendors_invoices'),
    ]

    operations = [
        migrations.AddField(
            model_name='meterreading',
            name='rejected',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
