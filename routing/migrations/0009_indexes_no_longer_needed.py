import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hub', '0003_membership_once'),
        ('routing', '0008_indexes_for_a_million_studies'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='delivery',
            name='delivery_queue',
        ),
        migrations.AlterField(
            model_name='delivery',
            name='node',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='hub.node'),
        ),
        migrations.AlterField(
            model_name='message',
            name='node',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='hub.node'),
        ),
        migrations.AlterField(
            model_name='study',
            name='site',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='studies', to='hub.site'),
        ),
        migrations.AlterField(
            model_name='study',
            name='source',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='hub.node'),
        ),
    ]
