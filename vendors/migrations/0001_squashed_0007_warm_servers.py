"""All tables of an empty database at once; in one that exists, what it replaces goes on."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from hub.together import CreateTogether


class Migration(migrations.Migration):

    replaces = [
        ('vendors', '0001_initial'),
        ('vendors', '0002_vendor_signing_key'),
        ('vendors', '0003_onboarding_and_people'),
        ('vendors', '0005_limits_are_facts'),
        ('vendors', '0004_cluster_runs'),
        ('vendors', '0007_warm_servers'),
    ]

    initial = True

    dependencies = [
        ('hub', '0001_squashed_0007_retention'),
    ]

    operations = [
        CreateTogether([
            migrations.CreateModel(
                name='Vendor',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('code', models.SlugField(unique=True)),
                    ('name', models.CharField(max_length=200)),
                    ('country', models.CharField(default='NO', max_length=2)),
                    ('organisation_number', models.CharField(blank=True, max_length=20)),
                    ('srn', models.CharField(blank=True, max_length=20)),
                    ('signing_key', models.TextField(blank=True)),
                ],
            ),
            migrations.CreateModel(
                name='Invitation',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=200)),
                    ('email', models.CharField(max_length=254)),
                    ('digest', models.CharField(max_length=64, unique=True)),
                    ('invited_by', models.CharField(max_length=200)),
                    ('invited_at', models.DateTimeField()),
                    ('expires_at', models.DateTimeField()),
                    ('accepted_at', models.DateTimeField(blank=True, null=True)),
                    ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                    ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('vendor', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='vendors.vendor')),
                ],
                options={
                    'ordering': ['-invited_at', '-pk'],
                },
            ),
            migrations.CreateModel(
                name='LegalFact',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('code', models.CharField(max_length=60)),
                    ('since', models.DateField()),
                    ('value', models.JSONField()),
                    ('source', models.CharField(max_length=300)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('code', 'since'), name='legal_fact_once')],
                },
            ),
            migrations.CreateModel(
                name='VendorMember',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='vendor_membership', to=settings.AUTH_USER_MODEL)),
                    ('vendor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='people', to='vendors.vendor')),
                ],
            ),
            migrations.CreateModel(
                name='OnboardingItem',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('kind', models.CharField(choices=[('company', 'Company and SRN'), ('certificate', 'Certificate of the notified body'), ('declaration', 'Declaration of conformity'), ('ifu', 'Instructions for use'), ('dpa', 'Data processing agreement, sub-processors, transfers'), ('security', 'Security questionnaire'), ('no_learning', 'Undertaking not to learn from our images'), ('support', 'Support contact'), ('insurance', 'Insurance')], max_length=20)),
                    ('state', models.CharField(choices=[('open', 'Open'), ('submitted', 'Submitted'), ('accepted', 'Accepted'), ('returned', 'Returned')], default='open', max_length=20)),
                    ('evidence', models.TextField(blank=True)),
                    ('sha256', models.CharField(blank=True, max_length=64)),
                    ('owner', models.CharField(blank=True, max_length=200)),
                    ('dated', models.DateField(blank=True, null=True)),
                    ('due', models.DateField(blank=True, null=True)),
                    ('valid_until', models.DateField(blank=True, null=True)),
                    ('submitted_by', models.CharField(blank=True, max_length=200)),
                    ('submitted_at', models.DateTimeField(blank=True, null=True)),
                    ('decided_by', models.CharField(blank=True, max_length=200)),
                    ('decided_on', models.DateField(blank=True, null=True)),
                    ('comment', models.TextField(blank=True)),
                    ('vendor', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='onboarding', to='vendors.vendor')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('vendor', 'kind'), name='onboarding_item_once')],
                },
            ),
            migrations.CreateModel(
                name='SubProcessor',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=200)),
                    ('country', models.CharField(max_length=2)),
                    ('purpose', models.CharField(max_length=300)),
                    ('transfer_basis', models.CharField(blank=True, max_length=20)),
                    ('vendor', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sub_processors', to='vendors.vendor')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('vendor', 'name'), name='sub_processor_once')],
                },
            ),
            migrations.CreateModel(
                name='ClusterWatch',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('namespace', models.CharField(max_length=63, unique=True)),
                    ('alive_at', models.DateTimeField()),
                    ('trouble', models.CharField(blank=True, max_length=500)),
                ],
            ),
            migrations.CreateModel(
                name='ClusterRun',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=100, unique=True)),
                    ('job_uid', models.CharField(blank=True, max_length=64)),
                    ('priority', models.PositiveSmallIntegerField(default=4)),
                    ('state', models.CharField(default='unknown', max_length=16)),
                    ('seen', models.JSONField(default=dict)),
                    ('log_tail', models.TextField(blank=True)),
                    ('submitted_at', models.DateTimeField()),
                    ('changed_at', models.DateTimeField()),
                ],
                options={
                    'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['priority', 'submitted_at'], name='cluster_run_waiting')],
                },
            ),
            migrations.CreateModel(
                name='WarmRun',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=100, unique=True)),
                    ('group', models.CharField(max_length=40)),
                    ('priority', models.PositiveSmallIntegerField(default=4)),
                    ('state', models.CharField(choices=[('waiting', 'Waiting'), ('given', 'Given'), ('over', 'Over')], default='waiting', max_length=16)),
                    ('server', models.CharField(blank=True, max_length=63)),
                    ('submitted_at', models.DateTimeField()),
                    ('given_at', models.DateTimeField(blank=True, null=True)),
                    ('ended_at', models.DateTimeField(blank=True, null=True)),
                    ('outcome', models.JSONField(default=dict)),
                ],
                options={
                    'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['group', 'priority', 'submitted_at'], name='warm_run_waiting')],
                },
            ),
            migrations.CreateModel(
                name='WarmServer',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=63, unique=True)),
                    ('group', models.CharField(max_length=40)),
                    ('number', models.PositiveSmallIntegerField()),
                    ('fingerprint', models.CharField(max_length=60)),
                    ('made_at', models.DateTimeField()),
                    ('ready_at', models.DateTimeField(blank=True, null=True)),
                    ('heard_at', models.DateTimeField(blank=True, null=True)),
                    ('idle_since', models.DateTimeField()),
                    ('is_stopping', models.BooleanField(default=False)),
                    ('run', models.CharField(blank=True, max_length=100)),
                    ('pod', models.CharField(blank=True, max_length=253)),
                    ('ask', models.CharField(blank=True, max_length=64)),
                    ('served', models.PositiveIntegerField(default=0)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('group', 'number'), name='warm_server_number_once')],
                },
            ),
        ]),
    ]
