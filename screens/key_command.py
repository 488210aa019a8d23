"""What can be done with keys from their browser: the forms of `hsmctl key`, marks, and making keys.

Each opens the form of a command of the command line; what it takes, that declares.
"""

from __future__ import annotations

from .command import Command


def _form(verb: str, says: str, *, changes: bool = True, key: str = "") -> Command:
    """The command that opens the form of `hsmctl key VERB`."""
    return Command(name=verb, help=says, form=("key", verb), changes=changes, key=key)


GENERATE = _form("generate", "make a key for one purpose")
MARK = Command(name="mark", help="mark the key under the cursor, or no longer; then go on to the next", key="space")
MARK_ALL = Command(name="mark_all", help="mark every key that is shown, or none any more", key="asterisk,m")
EXPORT = _form("export", "write a public key or a certificate to a file", changes=False)
SIGN = _form("sign", "sign a file with this key", changes=False)
VERIFY = _form("verify", "say whether a signature fits by this key", changes=False)
KEYS = (
    MARK,
    MARK_ALL,
    GENERATE,
    _form("import", "bring a key or a certificate in from a file"),
    EXPORT,
    _form("wrap", "take this key out, wrapped by another"),
    _form("unwrap", "bring in a key that was wrapped"),
    _form("copy", "copy the marked keys, or this one, to an unrelated token")._replace(name="copy_keys"),
    SIGN,
    VERIFY,
    _form("mac", "compute the MAC of a file with this key", changes=False),
    _form("encrypt", "encrypt a file with this key", changes=False),
    _form("decrypt", "decrypt a file with this key", changes=False),
    _form("derive", "agree on a secret, or make one out of this key"),
    _form("csr", "make a certificate signing request for this key", changes=False),
    _form("selfsign", "make a certificate that this key signs for itself", changes=False),
    _form("set", "change attributes of this key"),
    _form("rename", "give this key another label"),
    _form("rotate", "make a successor of this key"),
    _form("disable", "take every use from the marked keys, or this one"),
    _form("enable", "give the marked keys, or this one, their uses back"),
    _form("delete", "destroy the marked keys, or this one"),
)
