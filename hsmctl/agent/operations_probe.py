"""Which mechanisms really work: each tried once on session keys, which are gone with the session.

A token may name what it does not do, and do what it does not name; only trying tells. Nothing of the token is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from hsmctl.agent.inventory import Module, Operation, Refused, Session
from hsmctl.agent.operations_make import CURVES
from hsmctl.agent.operations_mechanism import prepared
from hsmctl.agent.operations_token import ckr_of, opened

if TYPE_CHECKING:
    import pkcs11

_DATA = bytes(range(32))
_IV, _GCM = {"iv": bytes(16).hex()}, {"iv": bytes(range(12)).hex(), "tag_bits": 128}
_PSS = {"hash": "sha256", "salt": 32}
_SYMMETRIC: tuple[Mapping[str, Any], ...] = (
    *({"name": name, **_IV} for name in ("AES_CBC", "AES_CBC_PAD", "AES_CTR")),
    {"name": "AES_GCM", **_GCM},
    {"name": "AES_ECB"},
)
_WRAPS = ("AES_KEY_WRAP", "AES_KEY_WRAP_PAD", "CLOUDHSM_AES_KEY_WRAP_NO_PAD", "CLOUDHSM_AES_KEY_WRAP_ZERO_PAD")
_RSA: tuple[Mapping[str, Any], ...] = (
    {"name": "RSA_PKCS"},
    {"name": "SHA256_RSA_PKCS"},
    {"name": "RSA_PKCS_PSS", **_PSS},
)
_OAEP: tuple[Mapping[str, Any], ...] = (
    {"name": "RSA_PKCS_OAEP", "hash": "sha256"},
    {"name": "RSA_PKCS_OAEP", "hash": "sha1"},
)
_HMACS = ("SHA_1_HMAC", "SHA256_HMAC", "SHA384_HMAC", "SHA512_HMAC")

Try = tuple[str, str, Callable[[], bool]]
"""A mechanism, on what it is tried, and the attempt: whether it gave back what went in, or verified."""


def probe(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:  # noqa: ARG001 - an operation
    """Every attempt with how it ended: `ok`, `wrong`, or the return value's name."""
    with opened(module, session) as token:
        return {"tried": [_tried(*attempt) for attempt in _attempts(token)]}


PROBES: Mapping[str, Operation] = {"probe": probe}


def _tried(name: str, what: str, attempt: Callable[[], bool]) -> dict[str, str]:
    from pkcs11 import PKCS11Error

    try:
        ended = "ok" if attempt() else "wrong"
    except PKCS11Error as error:
        ended = ckr_of(error)
    except Refused as refused:
        ended = refused.ckr
    return {"mechanism": name, "on": what, "ended": ended}


def _attempts(token: pkcs11.Session) -> Iterator[Try]:
    yield from _with_aes(token)
    yield from _with_hmac(token)
    yield from _with_rsa(token)
    for curve in CURVES:
        yield from _with_curve(token, curve)


def _made(make: Callable[[], Any]) -> tuple[Any, Callable[[], bool]]:
    """What a generation makes, and the generation as an attempt of its own."""
    from pkcs11 import PKCS11Error

    try:
        made = make()
    except PKCS11Error as error:
        failed = error

        def fail() -> bool:
            raise failed

        return None, fail
    return made, lambda: True


def _with_aes(token: pkcs11.Session) -> Iterator[Try]:
    from pkcs11 import Attribute, KeyType, MechanismFlag

    uses = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT | MechanismFlag.SIGN | MechanismFlag.VERIFY
    uses |= MechanismFlag.WRAP | MechanismFlag.UNWRAP
    template = {Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False}
    key, attempt = _made(lambda: token.generate_key(KeyType.AES, 256, capabilities=uses, template=template))
    yield "AES_KEY_GEN", "AES-256", attempt
    if key is None:
        return
    for mechanism in _SYMMETRIC:
        yield str(mechanism["name"]), "AES-256", partial(_round, key, mechanism)
    yield "AES_CMAC", "AES-256", lambda: _signs(key, key, {"name": "AES_CMAC"})
    for name in _WRAPS:
        yield name, "AES-256", partial(_wraps, key, name)


def _with_hmac(token: pkcs11.Session) -> Iterator[Try]:
    from pkcs11 import KeyType, MechanismFlag

    uses = MechanismFlag.SIGN | MechanismFlag.VERIFY
    key, attempt = _made(lambda: token.generate_key(KeyType.GENERIC_SECRET, 512, capabilities=uses))
    yield "GENERIC_SECRET_KEY_GEN", "512 bits", attempt
    for name in _HMACS if key else ():
        yield name, "512 bits", partial(_signs, key, key, {"name": name})


def _with_rsa(token: pkcs11.Session) -> Iterator[Try]:
    from pkcs11 import KeyType

    pair, attempt = _made(lambda: token.generate_keypair(KeyType.RSA, 2048))
    yield "RSA_PKCS_KEY_PAIR_GEN", "RSA-2048", attempt
    if pair is None:
        return
    public, private = pair
    for mechanism in _RSA:
        yield str(mechanism["name"]), "RSA-2048", partial(_signs, private, public, mechanism)
    for mechanism in _OAEP:
        yield "RSA_PKCS_OAEP", f"RSA-2048 {mechanism['hash']}", partial(_round, public, mechanism, private)


def _with_curve(token: pkcs11.Session, curve: str) -> Iterator[Try]:
    from pkcs11 import Attribute, KeyType

    def make() -> Any:  # noqa: ANN401 - python-pkcs11's pair
        parameters = token.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: CURVES[curve]}, local=True)
        return parameters.generate_keypair()

    pair, attempt = _made(make)
    yield "EC_KEY_PAIR_GEN", curve, attempt
    if pair is None:
        return
    public, private = pair
    yield "ECDSA", curve, lambda: _signs(private, public, {"name": "ECDSA"})
    point = public[Attribute.EC_POINT].hex()
    yield "ECDH1_DERIVE", curve, lambda: _derives(private, point)


def _round(key: Any, mechanism: Mapping[str, Any], other: Any = None) -> bool:  # noqa: ANN401 - python-pkcs11's keys
    hidden = key.encrypt(_DATA, **prepared(mechanism).arguments)
    return bool((other or key).decrypt(hidden, **prepared(mechanism).arguments) == _DATA)


def _wraps(key: Any, name: str) -> bool:  # noqa: ANN401 - python-pkcs11's key
    return len(key.wrap_key(key, **prepared({"name": name}).arguments)) > 0


def _signs(key: Any, public: Any, mechanism: Mapping[str, Any]) -> bool:  # noqa: ANN401 - python-pkcs11's keys
    signature = key.sign(_DATA, **prepared(mechanism).arguments)
    return bool(public.verify(_DATA, signature, **prepared(mechanism).arguments))


def _derives(private: Any, point: str) -> bool:  # noqa: ANN401 - python-pkcs11's key
    from pkcs11 import KeyType

    how = prepared({"name": "ECDH1_DERIVE", "public": point})
    return private.derive_key(KeyType.AES, 192, capabilities=0, **how.arguments) is not None
