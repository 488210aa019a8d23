"""Puts the lab's service together: the program that runs a lab, and what uses it once it is up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsmctl.ports import Clock
    from hsmctl.services.lab import LabService
    from hsmctl.services.lab_tools import LabTools


def lab_service(clock: Clock, home: Path, connect: Callable[[], LabTools]) -> LabService:
    """The lab of a folder."""
    from hsmctl.adapters.lab import LabProgram
    from hsmctl.services.lab import LabService

    program = LabProgram(home)
    return LabService(clock=clock, control=program, faults=program, connect=connect)
