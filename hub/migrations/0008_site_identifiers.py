"""What registries know a site by: HER-id, RESH-id, reporting units of the patient registry."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hub', '0007_retention'),
    ]

    operations = [
        migrations.AddField(
            model_name='site',
            name='her_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=9),
        ),
        migrations.AddField(
            model_name='site',
            name='npr_activity_unit',
            field=models.CharField(blank=True, db_default='', default='', max_length=10),
        ),
        migrations.AddField(
            model_name='site',
            name='npr_dose_unit',
            field=models.CharField(blank=True, db_default='', default='', max_length=10),
        ),
        migrations.AddField(
            model_name='site',
            name='resh_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=9),
        ),
    ]
