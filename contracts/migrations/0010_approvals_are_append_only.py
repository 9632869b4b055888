"""What somebody approved is append-only in the database itself."""

from django.db import migrations

from hub.append_only import append_only


class Migration(migrations.Migration):

    dependencies = [("contracts", "0009_agreements")]

    operations = [append_only("contracts_calloffapproval")]
