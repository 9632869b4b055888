"""Two letters of a name are looked for in the order of the worklist, not by their index."""

from django.db import migrations

from hub.indexes import CountFinely


class Migration(migrations.Migration):

    dependencies = [
        ('routing', '0021_digest'),
    ]

    operations = [
        CountFinely('study_search', examples=500),
    ]
