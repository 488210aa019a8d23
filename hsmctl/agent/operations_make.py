"""How objects come into being: generated, created from values, unwrapped, derived; always told as they are listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from hsmctl.agent.inventory import Module, Operation, Reader, Refused, Session
from hsmctl.agent.operations_mechanism import known, prepared
from hsmctl.agent.operations_token import MONTGOMERY, Template, data_of, only, opened, template

if TYPE_CHECKING:
    import pkcs11

T = TypeVar("T")
CURVES: Mapping[str, bytes] = {
    "P-256": bytes.fromhex("06082a8648ce3d030107"),
    "P-224": bytes.fromhex("06052b81040021"),
    "P-384": bytes.fromhex("06052b81040022"),
    "P-521": bytes.fromhex("06052b81040023"),
    "secp256k1": bytes.fromhex("06052b8104000a"),
}
"""CKA_EC_PARAMS, DER, of the curves by their usual names."""
ED25519 = bytes.fromhex("130c656477617264733235353139")
"""The curve's name as a PrintableString, which SoftHSM and PKCS#11 3.0 understand."""
_ED25519_OID = bytes.fromhex("06032b6570")
"""The curve's object identifier (RFC 8410), which is all that openCryptoki understands, and PKCS#11 3.0 too."""
_X25519 = bytes.fromhex("06032b656e")
"""The curve's object identifier (RFC 8410), which SoftHSM and PKCS#11 3.0 understand."""
_OCTETS = b"\x04\x20"
"""How the DER of 32 bytes begins."""
_ML_DSA = {"ML-DSA-44": 1, "ML-DSA-65": 2, "ML-DSA-87": 3}


def generate(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """The new objects as the token lists them: always token objects and private, and sensitive unless extractable.

    `attributes` may say more of the `secret` key, or of each half of a pair; what it does not allow is not allowed.

    Raises:
        Refused: the arguments describe no key, or the token does not make it.
    """
    with opened(module, session) as token:
        return _listed(module, session, *_generated(token, args))


def create(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """A token object with the values of `template`, as the token lists it.

    Raises:
        Refused: the template makes no sense, or the token does not take this in the clear.
    """
    wanted = {**template(args.get("template") or {}), **template({"token": True})}
    with opened(module, session) as token:
        return _listed(module, session, in_any_form(wanted, token.create_object))


def unwrap(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """The key that was in `data`, unwrapped by the one key that `by` means.

    Raises:
        Refused: the token does not unwrap it.
    """
    from pkcs11 import KeyType, ObjectClass

    data, wanted = data_of(args, "data"), template(args.get("template") or {})
    with opened(module, session) as token:
        by = only(token, Reader(module, session), args.get("by") or {})
        if not hasattr(by, "unwrap_key"):
            raise Refused("CKR_KEY_FUNCTION_NOT_PERMITTED", "the key may not unwrap")
        how = prepared(args.get("mechanism") or {})
        kind = ObjectClass(_number(args, "class")), KeyType(_number(args, "key_type"))
        wanted = {**_impossible(kind[0]), **wanted}
        made = by.unwrap_key(*kind, data, store=True, capabilities=0, template=wanted, **how.arguments)
        return _listed(module, session, made)


def derive(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """A secret key derived from the private key `by`; or, with `value`, its bytes, from an object that does not stay.

    Raises:
        Refused: the token does not derive it.
    """
    from pkcs11 import Attribute, KeyType

    bare = bool(args.get("value"))
    wanted = template(args.get("template") or {})
    if bare:
        wanted |= template({"sensitive": False, "extractable": True})
    with opened(module, session) as token:
        by = only(token, Reader(module, session), args.get("by") or {})
        if not hasattr(by, "derive_key"):
            raise Refused("CKR_KEY_FUNCTION_NOT_PERMITTED", "the key may not derive")
        how = prepared(args.get("mechanism") or {})
        kind = KeyType(_number(args, "key_type")), _number(args, "bits")
        made = by.derive_key(*kind, store=not bare, capabilities=0, template=wanted, **how.arguments)
        return {"data": made[Attribute.VALUE].hex()} if bare else _listed(module, session, made)


CREATING: Mapping[str, Operation] = {"generate": generate, "create": create, "unwrap": unwrap, "derive": derive}
"""The operations after which there may be a new token object."""


def in_any_form(wanted: Template, make: Callable[[Template], T]) -> T:
    """What is made of a template; a key of curve 25519 is tried in the forms that tokens differ in.

    A refused template has made nothing, so that the next try makes no second key.

    Raises:
        PKCS11Error: it is refused in every form.
    """
    from pkcs11 import PKCS11Error

    *others, last = _forms(wanted)
    for form in others:
        with suppress(PKCS11Error):
            return make(form)
    return make(last)


def _forms(wanted: Template) -> list[Template]:
    """As it is; with the curve's identifier instead of its name; and with the point as PKCS#11 3.0 has it, bare."""
    from pkcs11 import Attribute

    named, point = wanted.get(Attribute.EC_PARAMS), wanted.get(Attribute.EC_POINT, b"")
    forms = [wanted]
    if named == ED25519:
        forms.append({**wanted, Attribute.EC_PARAMS: _ED25519_OID})
    if named in (ED25519, _X25519) and point.startswith(_OCTETS):
        forms.append({**forms[-1], Attribute.EC_POINT: point[len(_OCTETS) :]})
    return forms


def _impossible(object_class: int) -> Template:
    """The uses that python-pkcs11 names in every template and a private key does not have: left out of it."""
    from pkcs11 import Attribute, ObjectClass
    from pkcs11.constants import DEFAULT

    if object_class != ObjectClass.PRIVATE_KEY:
        return {}
    return dict.fromkeys((Attribute.ENCRYPT, Attribute.VERIFY, Attribute.WRAP), DEFAULT)


def _listed(module: Module, session: Session, *made: Any) -> dict[str, object]:  # noqa: ANN401 - python-pkcs11's objects
    reader = Reader(module, session)
    return {"keys": [reader.read(item.handle) for item in made]}


def _number(args: Mapping[str, Any], name: str) -> int:
    value = args.get(name)
    if not isinstance(value, int):
        raise Refused("CKR_ARGUMENTS_BAD", f"{name} is no number")
    return value


def _generated(session: pkcs11.Session, args: Mapping[str, Any]) -> tuple[Any, ...]:
    """The objects of one C_GenerateKey or C_GenerateKeyPair."""
    from pkcs11 import Attribute, KeyType

    kind, size = args.get("kind"), str(args.get("size"))
    public, secret = _templates(args)
    told: dict[str, Any] = {} if args.get("attributes") is None else {"capabilities": 0}
    pair: dict[str, Any] = {"public_template": public, "private_template": secret, "store": True, **told}
    if kind == "aes" and size.isdecimal():
        return (session.generate_key(KeyType.AES, int(size), template=secret, store=True, **told),)
    if kind == "generic" and size.isdecimal():
        told = told or {"capabilities": 0}
        return (session.generate_key(KeyType.GENERIC_SECRET, int(size), template=secret, store=True, **told),)
    if kind == "rsa" and size.isdecimal():
        return session.generate_keypair(KeyType.RSA, int(size), **pair)
    if kind == "ec" and size in CURVES:
        return _on_curve(session, KeyType.EC, {Attribute.EC_PARAMS: CURVES[size]}, pair)
    if kind == "ed25519":
        domain: Template = {Attribute.EC_PARAMS: ED25519}
        return in_any_form(domain, lambda named: _on_curve(session, KeyType.EC_EDWARDS, named, pair))
    if kind == "x25519":
        return _agreeing(session, pair)
    if kind == "ml-dsa" and size in _ML_DSA:
        return _on_curve(session, KeyType.ML_DSA, {Attribute.PARAMETER_SET: _ML_DSA[size]}, pair)
    raise Refused("CKR_ARGUMENTS_BAD", f"no key of kind {kind} and size {size}")


def _agreeing(session: pkcs11.Session, pair: Mapping[str, Any]) -> tuple[Any, ...]:
    """An X25519 pair: under Montgomery curves, as PKCS#11 3.0 has it, or under Edwards curves, as SoftHSM does."""
    from pkcs11 import Attribute, KeyType, MechanismFlag

    standard = known("EC_MONTGOMERY_KEY_PAIR_GEN")
    offered = standard in set(map(int, session.token.slot.get_mechanisms()))
    key_type = KeyType(MONTGOMERY) if offered else KeyType.EC_EDWARDS
    how = standard if offered else known("EC_EDWARDS_KEY_PAIR_GEN")
    told = {"capabilities": MechanismFlag.DERIVE, **pair, "mechanism": how}
    return _on_curve(session, key_type, {Attribute.EC_PARAMS: _X25519}, told)


def _on_curve(
    session: pkcs11.Session, key_type: pkcs11.KeyType, domain: Template, pair: Mapping[str, Any]
) -> tuple[Any, ...]:
    """A pair with these domain parameters."""
    parameters = session.create_domain_parameters(key_type, domain, local=True)
    return parameters.generate_keypair(**pair)


def _templates(args: Mapping[str, Any]) -> tuple[Template, Template]:
    """The attributes of a public object, and those of a private or secret one."""
    from pkcs11 import Attribute

    label, key_id, extractable = data_of(args, "label"), data_of(args, "id"), args.get("extractable")
    if not isinstance(extractable, bool):
        raise Refused("CKR_ARGUMENTS_BAD", "extractable is needed")
    public: Template = {Attribute.LABEL: label, Attribute.ID: key_id, Attribute.PRIVATE: True}
    secret: Template = {**public, Attribute.SENSITIVE: not extractable, Attribute.EXTRACTABLE: extractable}
    told = args.get("attributes") or {}
    if told and told.get("secret") is None:
        return {**public, **template(told.get("public") or {})}, {**secret, **template(told.get("private") or {})}
    return public, {**secret, **template(told.get("secret") or {})}
