"""`manage.py watch_cluster`: watches the Jobs of the hub in its cluster."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hub import heartbeat
from routing import cluster_nudges, pools, staging


class Command(BaseCommand):
    """Watch until SIGTERM."""

    help = "Watch the hub's Jobs in the cluster of HUB_CLUSTER_NAMESPACE."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Nudge whatever run stands otherwise than before, until told to stop."""
        # Late, for the client of the cluster is large, and no other process needs it at its start.
        from hub.cluster.client import NoCluster
        from vendors.cluster_setup import SetupRefused, cluster_setup
        from vendors.cluster_watch import Watch

        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            setup = cluster_setup(staging.cluster_settings())
            heartbeat.start()
            Watch(setup, cluster_nudges.look_at, pools.tell_size).run(stop)
        except (SetupRefused, NoCluster) as fault:
            raise CommandError(str(fault), returncode=2) from fault
