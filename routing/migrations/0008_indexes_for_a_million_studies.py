from django.db import migrations, models

from hub.indexes import AddIndexWithoutLock, AddTrigrams


class Migration(migrations.Migration):

    # the tables may be large, and studies go on arriving
    atomic = False

    dependencies = [
        ('routing', '0007_arrived'),
    ]

    operations = [
        AddIndexWithoutLock(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state__in', ['pending', 'dead'])), fields=['node', 'state', 'due_at'], name='delivery_open'),
        ),
        AddIndexWithoutLock(
            model_name='delivery',
            index=models.Index(condition=models.Q(('lease_until__isnull', False)), fields=['node'], name='delivery_held'),
        ),
        AddIndexWithoutLock(
            model_name='delivery',
            index=models.Index(fields=['node', 'delivered_at'], name='delivery_told'),
        ),
        AddIndexWithoutLock(
            model_name='message',
            index=models.Index(fields=['node', 'received_at'], name='message_heard'),
        ),
        AddIndexWithoutLock(
            model_name='study',
            index=models.Index(fields=['patient_id'], name='study_patient'),
        ),
        AddIndexWithoutLock(
            model_name='study',
            index=models.Index(fields=['reading_band', 'read_by', 'id'], name='study_order_of_all'),
        ),
        AddIndexWithoutLock(
            model_name='study',
            index=models.Index(condition=models.Q(('state', 'matched'), _negated=True), fields=['state', 'last_instance_at'], name='study_on_its_way'),
        ),
        AddIndexWithoutLock(
            model_name='study',
            index=models.Index(condition=models.Q(('ai_state__in', ['pending', 'running', 'held', 'failed'])), fields=['ai_state', 'reading_band', 'read_by', 'id'], name='study_ai_open'),
        ),
        AddIndexWithoutLock(
            model_name='study',
            index=models.Index(fields=['source', 'last_instance_at'], name='study_source'),
        ),
        AddIndexWithoutLock(
            model_name='workitem',
            index=models.Index(condition=models.Q(('state__in', ('matched', 'entitled', 'dispatched', 'collected', 'writing_back', 'held', 'failed'))), fields=['state', 'created_at'], name='workitem_open'),
        ),
        AddTrigrams(
            'study_search',
            table='routing_study',
            columns="UPPER((' ' || REPLACE(REPLACE(patient_name, '^', ' '), '=', ' ') || ' ' || patient_id"
            " || ' ' || accession_number || ' ' || study_description)) gin_trgm_ops,"
            " (' ' || REPLACE(modality, '\\', ' ') || ' ') gin_trgm_ops",
        ),
    ]
