"""All tables of an empty database at once; in one that exists, what it replaces goes on."""

import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from hub.append_only import append_only, let_go_after
from hub.together import CreateTogether


class Migration(migrations.Migration):

    replaces = [
        ('hub', '0001_initial'),
        ('hub', '0002_audit_trail_is_append_only'),
        ('hub', '0003_membership_once'),
        ('hub', '0004_node_confirm'),
        ('hub', '0005_organisation_roles'),
        ('hub', '0007_retention'),
    ]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        CreateTogether([
            migrations.CreateModel(
                name='Organisation',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('code', models.SlugField(unique=True)),
                    ('name', models.CharField(max_length=200)),
                    ('kind', models.CharField(default='hospital_trust', max_length=40)),
                    ('country', models.CharField(default='NO', max_length=2)),
                    ('organisation_number', models.CharField(blank=True, max_length=20)),
                    ('gln', models.CharField(blank=True, max_length=13)),
                    ('vat_number', models.CharField(blank=True, max_length=20)),
                ],
            ),
            migrations.CreateModel(
                name='User',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('password', models.CharField(max_length=128, verbose_name='password')),
                    ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                    ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                    ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                    ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                    ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                    ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                    ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                    ('name', models.CharField(blank=True, max_length=200)),
                    ('language', models.CharField(blank=True, max_length=10)),
                    ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                    ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
                ],
                options={
                    'verbose_name': 'user',
                    'verbose_name_plural': 'users',
                    'abstract': False,
                },
                managers=[
                    ('objects', django.contrib.auth.models.UserManager()),
                ],
            ),
            migrations.CreateModel(
                name='Site',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('code', models.SlugField(unique=True)),
                    ('name', models.CharField(max_length=200)),
                    ('timezone', models.CharField(default='Europe/Oslo', max_length=64)),
                    ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sites', to='hub.organisation')),
                    ('retention', models.JSONField(blank=True, default=dict)),
                ],
            ),
            migrations.CreateModel(
                name='AuditEvent',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('at', models.DateTimeField(db_index=True)),
                    ('actor', models.CharField(max_length=200)),
                    ('action', models.CharField(db_index=True, max_length=60)),
                    ('subject', models.CharField(blank=True, max_length=200)),
                    ('details', models.JSONField(blank=True, default=dict)),
                    ('site', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='hub.site')),
                ],
            ),
            migrations.CreateModel(
                name='Node',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('code', models.SlugField(unique=True)),
                    ('protocol', models.CharField(choices=[('dicom', 'DICOM'), ('hl7', 'HL7')], max_length=10)),
                    ('ae_title', models.CharField(blank=True, max_length=16)),
                    ('host', models.CharField(blank=True, max_length=255)),
                    ('port', models.PositiveIntegerField(blank=True, null=True)),
                    ('roles', models.JSONField(default=list)),
                    ('hl7', models.JSONField(blank=True, default=dict)),
                    ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='nodes', to='hub.site')),
                    ('confirm', models.CharField(default='none', max_length=12)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(condition=models.Q(('protocol', 'dicom')), fields=('ae_title', 'host'), name='node_ae_title_once_per_host')],
                },
            ),
            migrations.CreateModel(
                name='Membership',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('role', models.CharField(choices=[('radiologist', 'Radiologist'), ('procurement_officer', 'Procurement officer'), ('administrator', 'IT administrator')], max_length=40)),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                    ('organisation', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='hub.organisation')),
                    ('site', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='hub.site')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(condition=models.Q(('site__isnull', False)), fields=('user', 'role', 'site'), name='membership_once_at_site'), models.UniqueConstraint(condition=models.Q(('organisation__isnull', False), ('site__isnull', True)), fields=('user', 'role', 'organisation'), name='membership_once_for_organisation'), models.UniqueConstraint(condition=models.Q(('organisation__isnull', True), ('site__isnull', True)), fields=('user', 'role'), name='membership_once_everywhere')],
                },
            ),
            migrations.CreateModel(
                name='OrganisationRole',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('role', models.CharField(choices=[('purchasing_agent', 'Purchasing agent'), ('contracting_authority', 'Contracting authority'), ('contract_holder', 'Contract holder'), ('option_holder', 'Option holder'), ('supplier', 'Supplier'), ('data_controller', 'Data controller')], max_length=40)),
                    ('valid_from', models.DateField(blank=True, null=True)),
                    ('valid_to', models.DateField(blank=True, null=True)),
                    ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='roles', to='hub.organisation')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('organisation', 'role', 'valid_from'), name='organisation_role_once')],
                },
            ),
        ]),
        append_only("hub_auditevent"),
        let_go_after("hub_auditevent", column="at", days=184),
    ]
