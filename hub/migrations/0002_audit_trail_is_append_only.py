"""The audit trail is append-only in the database itself."""

from django.db import migrations

from hub.append_only import append_only


class Migration(migrations.Migration):

    dependencies = [("hub", "0001_initial")]

    operations = [append_only("hub_auditevent")]
