from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hub', '0003_membership_once'),
        ('routing', '0005_delivery_result_status'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='instance',
            index=models.Index(fields=['sop_instance_uid'], name='instance_sop_instance_uid'),
        ),
        migrations.AddIndex(
            model_name='series',
            index=models.Index(fields=['series_instance_uid'], name='series_series_instance_uid'),
        ),
    ]
