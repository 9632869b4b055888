"""How many examinations were rejected by the customer's fault is read of a meter too."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contracts', '0026_call_offs_end_when_closed'),
    ]

    operations = [
        migrations.AddField(
            model_name='meterreading',
            name='rejected',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
