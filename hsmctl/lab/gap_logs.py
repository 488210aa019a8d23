"""The HSMs' audit logs inside moto's CloudWatch Logs: group `/aws/cloudhsm/CLUSTER`, one stream for each HSM."""

from __future__ import annotations

from hsmctl.lab.audit import AuditTrail
from hsmctl.lab.cloudhsm_scene import Site


class AuditMirror:
    """A lab.motoservice.Preparation for CloudWatch Logs."""

    def __init__(self, site: Site, trail: AuditTrail) -> None:
        self._site = site
        self._trail = trail
        self._delivered: dict[str, int] = {}

    def __call__(self, region: str) -> None:
        """Deliver what the HSMs have logged since the last time."""
        from moto.logs.models import logs_backends

        if region not in ("", self._site.region):
            return
        backend = logs_backends[self._site.account_id][self._site.region]
        for cluster_id, hsm_id in self._trail.streams():
            name = f"/aws/cloudhsm/{cluster_id}"
            backend.ensure_log_group(name)
            group = backend.groups[name]
            if hsm_id not in group.streams:
                group.create_log_stream(hsm_id)
                self._delivered[hsm_id] = 0
            fresh = self._trail.entries(cluster_id, hsm_id)[self._delivered[hsm_id] :]
            if fresh:
                events = [{"timestamp": entry.milliseconds, "message": entry.text} for entry in fresh]
                group.put_log_events(hsm_id, events)
                self._delivered[hsm_id] += len(fresh)
