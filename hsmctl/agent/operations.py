"""What a token can do beyond its listing, through python-pkcs11 on a module the process has initialized already.

The families are in `operations_make` (objects come into being), `operations_object` (what is done to them) and
`operations_use` (what they do); python-pkcs11 is imported on first use. Refuses to decide who may do what.
"""

from __future__ import annotations

from collections.abc import Mapping

from hsmctl.agent.inventory import Operation
from hsmctl.agent.operations_bench import BENCHES
from hsmctl.agent.operations_make import CREATING
from hsmctl.agent.operations_make import CURVES as CURVES
from hsmctl.agent.operations_make import generate as generate
from hsmctl.agent.operations_object import DESTROYING, OBJECTS
from hsmctl.agent.operations_probe import PROBES
from hsmctl.agent.operations_use import USES

OPERATIONS: Mapping[str, Operation] = {**CREATING, **DESTROYING, **OBJECTS, **USES, **BENCHES, **PROBES}
"""By the name they have in a request."""
