"""`net`: whether clients reach the HSMs; each verb has a file of its own."""

from __future__ import annotations

from hsmctl.cli.net_collect import COLLECT, collect
from hsmctl.cli.net_explain import EXPLAIN, explain
from hsmctl.cli.net_exposure import EXPOSURE, exposure
from hsmctl.cli.net_probe import probe
from hsmctl.cli.net_probed import PROBE
from hsmctl.cli.verb import Noun

__all__ = ["COLLECT", "EXPLAIN", "EXPOSURE", "PROBE", "noun"]

noun = Noun("net", "Whether clients reach the HSMs, and why not.", explain, probe, exposure, collect)
