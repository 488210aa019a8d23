"""One check of a cluster by what it tells about itself: AWS's counts, a client host's word, a crypto user's view."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.coverage import Severity, Source
from hsmctl.domain.coverage_verdict import CoverageReport
from hsmctl.mark import Mark

from .check import Check
from .offload import call
from .problem import Problem

COVERAGE_SECONDS = 180.0
"""How long cloudhsm-cli may take to list users and keys, with the time to type a password."""
MARKS = {
    Severity.DRIFT: Mark.BAD,
    Severity.ATTRIBUTES: Mark.ATTRIBUTES,
    Severity.UNSEEN: Mark.UNREADABLE,
    Severity.NOTE: Mark.ATTENTION,
}


async def covered(hsmctl: Hsmctl, cluster: Cluster, before: Check) -> Check:
    """The check after the cluster was asked about itself at every level.

    Raises:
        HsmctlError: nobody could be asked.
    """
    ask = partial(hsmctl.evidence.check, cluster, frozenset(Source))
    report = await call(ask, seconds=COVERAGE_SECONDS)
    return replace(before, coverage=report, found=tuple(_problems(report)), at=hsmctl.clock.now())


def _problems(report: CoverageReport) -> list[Problem]:
    """A sentence for each finding."""
    return [
        Problem(mark=MARKS[each.severity], brief=str(each.kind), text=each.sentence, noun="sync")
        for each in report.findings
    ]
