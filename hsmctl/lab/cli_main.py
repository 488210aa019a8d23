"""`python -m hsmctl.lab.cli_main ROOT WORDS…`: the emulated cloudhsm-cli of an installation below ROOT.

One command a process, or `interactive`. An answer is an envelope on standard output; what gets nowhere is said on
standard error. A failed command of an interactive session is followed by the next one.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from hsmctl.lab import cli_crypto, cli_key, cli_key_make, cli_mtls, cli_quorum, cli_user
from hsmctl.lab.cli_answer import Data, Early, Failed, early, envelope, put
from hsmctl.lab.cli_cluster import Dial
from hsmctl.lab.cli_command import WRAPPINGS
from hsmctl.lab.cli_config import Installation
from hsmctl.lab.cli_grammar import Asked, Usage, help_for, parse, split
from hsmctl.lab.cli_line import Line
from hsmctl.lab.cli_prompt import Prompt, standard
from hsmctl.lab.cli_session import Session

PROMPT = "aws-cloudhsm > "
USAGE = 2
"""clap's exit code for words that are no command."""

Handler = Callable[[Session, Asked], Data]

HANDLERS: Mapping[str, Handler] = {
    "cluster activate": cli_user.activate,
    "cluster hsm-info": cli_user.hsm_info,
    "cluster mtls register-trust-anchor": cli_mtls.register,
    "cluster mtls deregister-trust-anchor": cli_mtls.deregister,
    "cluster mtls list-trust-anchors": cli_mtls.anchors,
    "cluster mtls get-enforcement": cli_mtls.enforcement,
    "cluster mtls set-enforcement": cli_mtls.enforce,
    "login": cli_user.login,
    "logout": cli_user.logout,
    "user list": cli_user.users,
    "user create": cli_user.create,
    "user delete": cli_user.delete,
    "user change-password": cli_user.change_password,
    "user change-mfa token-sign": cli_user.change_mfa,
    "user change-quorum token-sign register": cli_user.register_quorum,
    "user replicate": cli_user.replicate,
    "quorum token-sign generate": cli_quorum.generate,
    "quorum token-sign list": cli_quorum.tokens,
    "quorum token-sign list-quorum-values": cli_quorum.values,
    "quorum token-sign set-quorum-value": cli_quorum.set_value,
    "quorum token-sign delete": cli_quorum.delete,
    "quorum token-sign list-timeouts": cli_quorum.timeouts,
    "quorum token-sign set-timeout": cli_quorum.set_timeout,
    "key list": cli_key.keys,
    "key generate-symmetric aes": cli_key_make.generate_aes,
    "key generate-symmetric generic-secret": cli_key_make.generate_secret,
    "key generate-asymmetric-pair rsa": cli_key_make.generate_rsa,
    "key generate-asymmetric-pair ec": cli_key_make.generate_ec,
    "key import pem": cli_key_make.import_pem,
    "key generate-file": cli_key.generate_file,
    "key delete": cli_key.delete,
    "key set-attribute": cli_key.set_attribute,
    "key share": cli_key.share,
    "key unshare": cli_key.unshare,
    "key replicate": cli_key.replicate,
    **{f"key wrap {each}": cli_crypto.wrap for each in WRAPPINGS},
    **{f"key unwrap {each}": cli_crypto.unwrap for each in WRAPPINGS},
    **{f"crypto sign {each}": cli_crypto.sign for each in ("rsa-pkcs", "rsa-pkcs-pss", "ecdsa")},
    **{f"crypto verify {each}": cli_crypto.verify for each in ("rsa-pkcs", "rsa-pkcs-pss", "ecdsa")},
}
"""What each command does."""


class Tool:
    """One run of cloudhsm-cli."""

    def __init__(
        self,
        installation: Installation,
        environ: Mapping[str, str],
        prompt: Prompt,
        complaints: TextIO,
        dial: Dial = Line,
    ) -> None:
        self._installation = installation
        self._environ = environ
        self._prompt = prompt
        self._complaints = complaints
        self._dial = dial

    def run(self, words: Sequence[str]) -> int:
        """Do what the words say; the exit code."""
        if words[:1] == ["interactive"]:
            return self._interactive(words[1:])
        session = self._session()
        try:
            return self._one(session, words)
        finally:
            session.close()

    def _interactive(self, words: Sequence[str]) -> int:
        session = self._session(interactive=True)
        try:
            session.cluster_id = _cluster_id(words)
            session.connect("")
        except (Early, Usage) as error:
            put(self._complaints, early(error) if isinstance(error, Early) else f"{error}\n")
            return 1
        while line := self._read():
            if line.strip() in ("quit", "exit"):
                break
            if line.strip():
                self._typed(session, line)
        session.close()
        return 0

    def _read(self) -> str:
        put(self._prompt.shown, PROMPT)
        return self._prompt.typed.readline()

    def _typed(self, session: Session, line: str) -> None:
        try:
            words = list(split(line))
        except Usage as error:
            put(self._complaints, f"{error}\n")
        else:
            self._one(session, words)

    def _one(self, session: Session, words: Sequence[str]) -> int:
        """One command; its exit code."""
        if not words or words[0] in ("help", "--help", "-h"):
            return self._help(words[1:])
        try:
            asked = parse(words)
            data = HANDLERS[" ".join(asked.command.path)](session, asked)
        except Usage as error:
            put(self._complaints, f"{error}\n")
            return USAGE
        except Early as error:
            put(self._complaints, early(error))
            return 1
        except Failed as error:
            put(self._prompt.shown, envelope(1, str(error)))
            return 1
        put(self._prompt.shown, envelope(0, data))
        return 0

    def _help(self, words: Sequence[str]) -> int:
        try:
            put(self._prompt.shown, help_for(words))
        except Usage as error:
            put(self._complaints, f"{error}\n")
            return USAGE
        return 0

    def _session(self, *, interactive: bool = False) -> Session:
        return Session(
            installation=self._installation,
            environ=self._environ,
            prompt=self._prompt,
            interactive=interactive,
            dial=self._dial,
        )


def _cluster_id(words: Sequence[str]) -> str:
    """What `interactive` was started with.

    Raises:
        Usage: it takes something else.
    """
    if not words:
        return ""
    if len(words) == 2 and words[0] == "--cluster-id":
        return words[1]
    raise Usage(f"error: unexpected argument '{words[0]}' found\n\nUsage: cloudhsm-cli interactive [OPTIONS]")


def main(words: list[str]) -> int:
    """Run the tool of the installation whose folder is the first word."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # this process holds passwords
    os.umask(0o077)
    installation = Installation(Path(words[0]))
    logging.basicConfig(
        filename=installation.log("cli"), format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO
    )
    try:
        return Tool(installation, os.environ, standard(), sys.stderr).run(words[1:])
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
