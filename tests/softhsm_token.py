"""A SoftHSM folder with one token, for tests that need a real PKCS#11 module."""

from __future__ import annotations

import subprocess
from pathlib import Path

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
USER = "ops_cu"
PASSWORD = "a password"
LABEL = "replica"


def make_token(folder: Path, *labels: str) -> Path:
    """The configuration file of a new SoftHSM folder with these tokens, or one; their PIN is `ops_cu:a password`."""
    (folder / "tokens").mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    for label in labels or (LABEL,):
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678"]
        subprocess.run(
            [*command, "--pin", f"{USER}:{PASSWORD}"],
            env={"SOFTHSM2_CONF": str(configuration), "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
        )
    return configuration
