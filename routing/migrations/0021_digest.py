"""The column stays: only what the code calls it is new (ADR 48)."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('routing', '0017_kept'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                operation
                for model in ('arrived', 'instance')
                for operation in (
                    migrations.RenameField(model, 'sha256', 'digest'),
                    migrations.AlterField(
                        model, 'digest', models.CharField(db_column='sha256', max_length=64)
                    ),
                )
            ]
        ),
    ]
