"""`key`: the keys one user sees, and new ones; each family of verbs has a file of its own, imported when it is used."""

from __future__ import annotations

from hsmctl.cli.verb import Noun

_FAMILIES = {
    "hsmctl.cli.key_list": ("list", "find", "show"),
    "hsmctl.cli.key_generate": ("generate",),
    "hsmctl.cli.key_move": ("import", "export", "wrap", "unwrap"),
    "hsmctl.cli.key_change": ("copy", "disable", "enable", "set", "rename", "rotate", "delete"),
    "hsmctl.cli.key_sign": ("sign", "verify", "mac"),
    "hsmctl.cli.key_cipher": ("encrypt", "decrypt"),
    "hsmctl.cli.key_derive": ("derive",),
    "hsmctl.cli.key_lint": ("lint",),
    "hsmctl.cli.key_inventory": ("inventory",),
    "hsmctl.cli.key_bench": ("bench",),
    "hsmctl.cli.key_certificate": ("csr", "selfsign", "cert"),
}

noun = Noun(
    "key",
    "Keys: list them, make them, use them, move them, change them.",
    later={verb: family for family, verbs in _FAMILIES.items() for verb in verbs},
)
