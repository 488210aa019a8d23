"""A PKCS#11 module behind frames: login, the bulk listing, and the loop that answers.

Knows the C interface (PKCS#11 2.40, through ctypes) as far as a listing needs it. Refuses to know anything of hsmctl
but frames: it runs on Python 3.9 with the standard library alone, because it is also sent to client hosts. Everything
beyond the listing is an operation, or another listing, that is passed in. What a listed key is: `Reader.read`.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from hsmctl.agent.ckr import ckr_name, numbers
from hsmctl.agent.frame import LIMIT, LOGIN_LIMIT, PROTOCOL, Malformed, ReadExactly, Write, read_frame, write_frame


class Refused(Exception):
    """The module, or this conversation, said no; `ckr` is the return value's name, empty where no module was asked."""

    def __init__(self, ckr: str, what: str) -> None:
        super().__init__(f"{what} ({ckr})" if ckr else what)
        self.ckr = ckr
        self.what = what

    def reply(self, number: object) -> dict[str, object]:
        """The reply that tells it to the one who sent request `number`."""
        return {"id": number, "error": {"ckr": self.ckr, "what": self.what}}


class Slot(NamedTuple):
    """A token and the slot it sits in (C_GetTokenInfo)."""

    slot_id: int
    label: str
    serial: str
    manufacturer: str
    model: str
    initialized: bool

    def fits(self, token: Mapping[str, Any]) -> bool:
        """Whether it is ready and the one asked for; nothing asked for fits every slot."""
        known = {"label": self.label, "serial": self.serial, "slot": self.slot_id}
        return self.initialized and token.items() <= known.items()


class Session(NamedTuple):
    """An open session (C_OpenSession)."""

    slot_id: int
    handle: int


class Module:
    """A PKCS#11 library in this process, and like all of them one for the whole process; a session is for one thread.

    Every method raises Refused where the library does not return CKR_OK.
    """

    def __init__(self, path: str) -> None:
        """Load the library; one that cannot be loaded, or is none, is Refused."""
        self.path = path
        function, self.table = ctypes.CFUNCTYPE(_WORD), ctypes.POINTER(ctypes.c_void_p)()
        try:
            ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(self.table))
            made = {name: function(self.table[place]) for name, place in _FUNCTIONS.items()}
            made["C_GetAttributeValue"].argtypes = (_WORD, _WORD, ctypes.c_void_p, _WORD)
            self.functions: dict[str, Callable[..., int]] = {**made}
        except (OSError, AttributeError, ValueError) as error:
            raise Refused("", f"cannot load {path}: {error}") from error

    def initialize(self) -> None:
        """C_Initialize with the operating system's locks: without them SoftHSM corrupts its memory and its files."""
        self.call("C_Initialize", (_WORD * 6)(0, 0, 0, 0, _CKF_OS_LOCKING_OK, 0))

    def finalize(self) -> None:
        """C_Finalize; every session is gone after it."""
        self.call("C_Finalize", None)

    def manufacturer(self) -> str:
        """Who made the library (C_GetInfo)."""
        info = ctypes.create_string_buffer(_CK_INFO_BYTES)
        self.call("C_GetInfo", info)
        return _text(info.raw[2:34])

    def slots(self) -> list[Slot]:
        """Every slot with a token in it."""
        count = _WORD()
        self.call("C_GetSlotList", 1, None, ctypes.byref(count))
        ids = (_WORD * count.value)()
        self.call("C_GetSlotList", 1, ids, ctypes.byref(count))
        return [self.slot(slot_id) for slot_id in ids[: count.value]]

    def slot(self, slot_id: int) -> Slot:
        """What a slot's token says about itself."""
        info = ctypes.create_string_buffer(_CK_TOKEN_INFO_BYTES)
        self.call("C_GetTokenInfo", slot_id, info)
        label, manufacturer, model, serial = (_text(info.raw[a:b]) for a, b in ((0, 32), (32, 64), (64, 80), (80, 96)))
        flags = _WORD.from_buffer(info, 96).value
        return Slot(slot_id, label, serial, manufacturer, model, bool(flags & _CKF_TOKEN_INITIALIZED))

    def open(self, slot_id: int) -> Session:
        """A session, always read/write: CloudHSM's library refuses the other kind."""
        handle = _WORD()
        self.call("C_OpenSession", slot_id, _CKF_RW_SERIAL_SESSION, None, None, ctypes.byref(handle))
        return Session(slot_id, handle.value)

    def login(self, session: Session, pin: str) -> None:
        """C_Login as the user, once; a token this process is logged in to stays so, whatever the PIN."""
        secret = pin.encode()
        try:
            self.call("C_Login", session.handle, _CKU_USER, secret, len(secret))
        except Refused as refused:
            if refused.ckr != "CKR_USER_ALREADY_LOGGED_IN":
                raise

    def close(self, session: Session) -> None:
        """C_CloseSession, without C_Logout, which would log out every session of the process."""
        self.call("C_CloseSession", session.handle)

    def batches(
        self, session: Session, size: int = 500, read: ReadPage | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Every token object the session may see, `size` at a time; one that disappears meanwhile is left out.

        Where more is gone at the end than was missed, the token itself is going, and what was read is no list: Refused.
        """
        handles, read, left = self.find(session), read or Reader(self, session).page, set()
        for start in range(0, len(handles), size):
            page = handles[start : start + size]
            keys = dict(zip(page, read(page)))  # noqa: B905 - `strict` is newer
            left |= {handle for handle, key in keys.items() if key}
            yield [key for key in keys.values() if key]
        if len(left) < len(handles) and not (left and left <= {*self.find(session)}):
            raise Refused("", "the token lost its objects while they were listed")

    def find(self, session: Session) -> list[int]:
        """The handles of all token objects, in one search that is always ended."""
        true, page, count = ctypes.c_ubyte(1), (_WORD * 1000)(), _WORD(1)
        handles: list[int] = []
        self.call("C_FindObjectsInit", session.handle, (_WORD * 3)(_FLAGS["token"], ctypes.addressof(true), 1), 1)
        try:
            while count.value:
                self.call("C_FindObjects", session.handle, page, len(page), ctypes.byref(count))
                handles += page[: count.value]
        finally:
            self.call("C_FindObjectsFinal", session.handle)
        return handles

    def call(self, name: str, *arguments: object, expected: tuple[int, ...] = (0,)) -> int:
        """Call a function, numbers as words; a return value that is not expected is Refused."""
        value = self.functions[name](*(_WORD(value) if isinstance(value, int) else value for value in arguments))
        if value not in expected:
            raise Refused(ckr_name(value), f"{name} failed")
        return value


ReadPage = Callable[[list[int]], "list[dict[str, Any] | None]"]
"""Objects as they are listed, by their handles; None in the place of one that is gone."""
Authenticate = Callable[[str, str, Mapping[str, Any]], tuple[int, str]]
"""User, password and the token asked for, to the slot to open and the PIN for it; raises Refused."""
Operation = Callable[[Module, Session, Mapping[str, Any]], Mapping[str, object]]
"""What an operation beyond this file does with its arguments in a logged-in session; raises Refused."""
Listing = Callable[[Module, Session, Mapping[str, Any]], Iterator[list[dict[str, Any]]]]
"""Lists as `inventory` does, in batches, and says more of each key; raises Refused."""
_Kind = TypeVar("_Kind")


@dataclass(eq=False)
class Conversation:
    """One connection to one token: a greeting, a login, then requests, one at a time."""

    module: Module
    """Initialized, and shared by every conversation of the process."""
    version: str
    """Of hsmctl; the peer must have the same."""
    operations: Mapping[str, Operation] = field(default_factory=dict)
    """What can be done beyond this file, by name; called with the lock held."""
    listings: Mapping[str, Listing] = field(default_factory=dict)
    """What else, or how else, can be listed, by name; each batch is made with the lock held."""
    authenticate: Authenticate | None = None
    """Makes user and password a slot and a PIN, where that is not the module's own business."""
    total: Callable[[], int | None] = lambda: None
    """Counts the token objects whoever owns them, where somebody can."""
    lock: AbstractContextManager[Any] = field(default_factory=nullcontext)
    """Held around every call into the module and nothing else; entered again and again."""
    hsm_id: str | None = None
    """Which HSM this is, if it is one."""
    closed: bool = field(default=False, init=False)
    """Whether nothing more will be answered."""
    limit: int = field(default=LOGIN_LIMIT, init=False)
    """Most bytes the next request may have."""
    _greeted: bool = field(default=False, init=False)
    _session: Session | None = field(default=None, init=False)

    def answer(self, request: Mapping[str, Any]) -> Iterator[dict[str, object]]:
        """The replies to one request; what is no request is Malformed."""
        number = request.get("id")
        try:
            replies = self._replies(request)
            reply = next(replies)
            for following in replies:
                yield {"id": number, "ok": reply, "more": True}
                reply = following
            yield {"id": number, "ok": reply}
        except Refused as refused:
            yield refused.reply(number)

    def close(self) -> None:
        """Close the session, if there is one and it is still there."""
        self.closed = True
        session, self._session = self._session, None
        if session:
            with self.lock, suppress(Refused):
                self.module.close(session)

    def _replies(self, request: Mapping[str, Any]) -> Iterator[Mapping[str, object]]:
        """The `ok` values that answer a request; at least one."""
        op, args = _field(request, "op", str), _field(request, "args", dict)
        if op == "hello":
            yield self._hello(args)
        elif not self._greeted:
            self.closed = True
            raise Refused("", f"{op} before hello")
        elif op == "ping":
            yield {}
        elif op == "login":
            yield self._login(args)
        elif self._session is None:
            raise Refused("CKR_USER_NOT_LOGGED_IN", f"{op} before login")
        elif op in self.listings:
            yield from self._in_batches(self.listings[op](self.module, self._session, args))
        elif op == "inventory":
            yield from self._in_batches(self.module.batches(self._session))
        elif op in self.operations:
            with self.lock:
                reply = self.operations[op](self.module, self._session, args)
            yield reply
        else:
            raise Refused("CKR_FUNCTION_NOT_SUPPORTED", f"no operation {op}")

    def _hello(self, args: Mapping[str, Any]) -> Mapping[str, object]:
        """Who we are; another protocol or version ends the conversation."""
        theirs = args.get("protocol"), args.get("version")
        if theirs != (PROTOCOL, self.version):
            self.closed = True
            raise Refused("", f"this is protocol {PROTOCOL} of hsmctl {self.version}, not {theirs[0]} of {theirs[1]}")
        self._greeted = True
        return {"protocol": PROTOCOL, "version": self.version, "hsm_id": self.hsm_id}

    def _login(self, args: Mapping[str, Any]) -> Mapping[str, object]:
        """Open a session and log it in, exactly once."""
        if self._session:
            raise Refused("CKR_USER_ALREADY_LOGGED_IN", "this conversation is logged in")
        user, password, token = _field(args, "user", str), _field(args, "password", str), args.get("token") or {}
        slot_id, pin = (self.authenticate or self._choose)(user, password, token)
        with self.lock:
            slot = self.module.slot(slot_id)
            session = self.module.open(slot_id)
            try:
                self.module.login(session, pin)
            except Refused:
                self.module.close(session)
                raise
        self._session, self.limit = session, LIMIT
        return {name: getattr(slot, name) for name in ("label", "serial", "manufacturer", "model")}

    def _choose(self, user: str, password: str, token: Mapping[str, Any]) -> tuple[int, str]:
        """The one initialized token that fits, and the PIN: in CloudHSM's form, or plain where there is no user."""
        with self.lock:
            slots = [slot for slot in self.module.slots() if slot.fits(token)]
        if len(slots) != 1:
            wanted = ", ".join(f"{name} {value}" for name, value in token.items()) or "any name"
            raise Refused("CKR_TOKEN_NOT_PRESENT", f"{len(slots) or 'no'} initialized tokens of {wanted}")
        return slots[0].slot_id, f"{user}:{password}" if user else password

    def _in_batches(self, batches: Iterator[list[dict[str, Any]]]) -> Iterator[Mapping[str, object]]:
        """A listing in batches, then the count; the lock is free while a batch is on its way."""
        while True:
            with self.lock:
                batch = next(batches, None)
            if batch is None:
                break
            yield {"keys": batch}
        yield {"keys": [], "total": self.total()}


def serve(read_exactly: ReadExactly, write: Write, conversation: Conversation) -> None:
    """Answer requests until the peer leaves, is Malformed, or the conversation is over."""
    try:
        while not conversation.closed and (request := read_frame(read_exactly, conversation.limit)) is not None:
            for reply in conversation.answer(request):
                write_frame(write, reply)
    finally:
        conversation.close()


def _field(message: Mapping[str, Any], name: str, kind: type[_Kind]) -> _Kind:
    """A field of a message, which must be of its kind."""
    value = message.get(name)
    if not isinstance(value, kind):
        raise Malformed(f"a request whose {name} is no {kind.__name__}")
    return value


_WORD = ctypes.c_ulong
"""CK_ULONG, and as wide as a pointer on every system with PKCS#11 modules of ours (LP64)."""
_UNAVAILABLE = _WORD(-1).value
"""CK_UNAVAILABLE_INFORMATION: the length of an attribute that is not handed out."""
_CK_INFO_BYTES, _CK_TOKEN_INFO_BYTES = 88, 208
_CKU_USER, _CKF_OS_LOCKING_OK, _CKF_RW_SERIAL_SESSION, _CKF_TOKEN_INITIALIZED = 1, 0x2, 0x6, 0x400


_FUNCTIONS = numbers("""
    C_Initialize 1 C_Finalize 2 C_GetInfo 3 C_GetSlotList 5 C_GetTokenInfo 7 C_OpenSession 0D C_CloseSession 0E
    C_Login 13 C_GetAttributeValue 19 C_FindObjectsInit 1B C_FindObjects 1C C_FindObjectsFinal 1D C_CreateObject 15
    C_DestroyObject 17 C_EncryptInit 1E C_Encrypt 1F C_DecryptInit 22 C_Decrypt 23 C_SignInit 2B C_Sign 2C C_WrapKey 3D
""")
"""The functions used, here or by a listing, and their places in CK_FUNCTION_LIST, in words; the version fills one."""
_FLAGS = numbers("""
    token 001 private 002 sensitive 103 always_sensitive 165 extractable 162 never_extractable 164 local 163
    modifiable 170 destroyable 172 copyable 171 encrypt 104 decrypt 105 sign 108 verify 10A wrap 106 unwrap 107
    derive 10C wrap_with_trusted 210 trusted 086 always_authenticate 202
""")
"""The boolean attributes listed, CKA_*."""
BITS = {name: 1 << place for place, name in enumerate(_FLAGS)}
"""What each of them is in a listing."""
_VALUES = numbers("""
    id 102 label 003 ec_params 180 ec_point 181 modulus 120 public_exponent 122 check_value 090
    key_type 100 value_len 161 class 000
""")
"""The other attributes read, CKA_*; never CKA_VALUE of a key, which may be in the clear. The class is last: where it is
untouched, the module stopped at an attribute before it."""
_ROOM = 1024
"""Bytes for each, more than most take."""
_ROOMS = {name: ctypes.sizeof(_WORD) if name in ("key_type", "value_len", "class") else _ROOM for name in _VALUES}
"""A number has just its own: NSS refuses it more."""
_UNTOUCHED = b"\xff" * ctypes.sizeof(_WORD)
_WORDS = 3 * len(_FLAGS)
"""How much of the template they take: a CK_ATTRIBUTE is three words."""
_CKA_VALUE = 0x011
_CKO_CERTIFICATE, _CKO_PUBLIC_KEY, _CKO_PRIVATE_KEY = 1, 2, 3
_CKK_RSA, _CURVE_TYPES = 0x00, (0x03, 0x40, 0x41)
"""CKK_RSA; CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY."""
_FINGERPRINTS: Mapping[tuple[int | None, int | None], tuple[str, tuple[str, ...]]] = {
    (_CKO_PUBLIC_KEY, _CKK_RSA): ("public", ("modulus", "public_exponent")),
    (_CKO_PRIVATE_KEY, _CKK_RSA): ("modulus", ("modulus", "public_exponent")),
    **{(_CKO_PUBLIC_KEY, curve): ("public", ("ec_point",)) for curve in _CURVE_TYPES},
}
"""By class and type, what a fingerprint is made of and what that is worth."""
_CKR_OBJECT_HANDLE_INVALID = 0x082
_ABOUT_THE_OBJECT = (0x000, 0x011, 0x012, 0x013, 0x150, _CKR_OBJECT_HANDLE_INVALID)
"""CKR_OK, CKR_ATTRIBUTE_SENSITIVE, _TYPE_INVALID, _VALUE_INVALID, CKR_BUFFER_TOO_SMALL: the others may be good."""


def _text(field: bytes) -> str:
    """A field of fixed length, padded with blanks or, by some, with zeros."""
    return field.rstrip(b" \0").decode("utf-8", "backslashreplace")


class Reader:
    """Reads an object with one C_GetAttributeValue wherever that does; `values` are the attributes it read last."""

    def __init__(self, module: Module, session: Session) -> None:
        self._function = module.functions["C_GetAttributeValue"]
        self._session = session.handle
        layout = [(code, 1) for code in _FLAGS.values()] + [(code, _ROOMS[name]) for name, code in _VALUES.items()]
        self._template = (_WORD * (3 * len(layout)))()
        self._buffer = ctypes.create_string_buffer(sum(room for _, room in layout))
        address = ctypes.addressof(self._buffer)
        for place, (code, room) in enumerate(layout):
            self._template[3 * place : 3 * place + 3] = [code, address, room]
            address += room
        self._pristine, self._asked = bytes(self._template), memoryview(self._template).cast("B")
        self._data = memoryview(self._buffer).cast("B")
        self._flags: dict[bytes, tuple[int, int]] = {}
        self.values: dict[str, bytes | None] = {}

    def page(self, handles: list[int]) -> list[dict[str, Any] | None]:
        """Several objects, in order."""
        return [self.read(handle) for handle in handles]

    def read(self, handle: int) -> dict[str, Any] | None:
        """The object as it is listed, bytes in hex and flags as sums of BITS, or None if it is gone."""
        if not self._filled(handle):
            return None
        values = self.values = self._values()
        if values["class"] is None:  # NSS hands numbers out only where the room is exactly theirs.
            values.update({name: self._single(handle, _VALUES[name]) for name in ("class", "key_type", "value_len")})
        object_class, key_type = _number(values["class"]), _number(values["key_type"])
        kind, parts = _FINGERPRINTS.get((object_class, key_type), ("", ()))
        for name in ("id", "label", *parts):
            if values[name] is None:
                values[name] = self._single(handle, _VALUES[name])
        if object_class == _CKO_CERTIFICATE:
            kind, parts = "public", ("value",)
            values["value"] = self._single(handle, _CKA_VALUE)
        length, modulus = _number(values["value_len"]), values["modulus"]
        attributes, unknown = self._booleans()
        return {
            "class": object_class,
            "key_type": key_type,
            "id": (values["id"] or b"").hex(),
            "label": (values["label"] or b"").hex(),
            "bits": length * 8 if length else int.from_bytes(modulus or b"", "big").bit_length() or None,
            "ec_params": (values["ec_params"] or b"").hex() or None,
            "attributes": attributes,
            "unknown": unknown,
            "material": _material(kind, [values[name] for name in parts], values["check_value"]),
        }

    def _filled(self, handle: int) -> bool:
        """Whether the object is there; its attributes are in the buffer then, if need be asked for one by one."""
        self._asked[:], self._data[-len(_UNTOUCHED) :] = self._pristine, _UNTOUCHED
        if self._get(handle, self._template, len(_FLAGS) + len(_VALUES)) == _CKR_OBJECT_HANDLE_INVALID:
            return False
        if self._template[-1] != _UNAVAILABLE and self._data[-len(_UNTOUCHED) :] == _UNTOUCHED:
            for place in range(2, len(self._template), 3):
                if self._get(handle, ctypes.byref(self._template, (place - 2) * ctypes.sizeof(_WORD)), 1):
                    self._template[place] = _UNAVAILABLE
        return True

    def _values(self) -> dict[str, bytes | None]:
        """The attributes that are no flags, None where the object has none or it did not fit."""
        place, values = len(_FLAGS), {}
        for name, length in zip(_VALUES, self._template[_WORDS + 2 :: 3]):  # noqa: B905 - `strict` is newer
            values[name] = self._data[place : place + length].tobytes() if length <= _ROOMS[name] else None
            place += _ROOMS[name]
        return values

    def _booleans(self) -> tuple[int, int]:
        """Which flags are set, and which are not told; worked out once for all objects that say the same."""
        data = self._data[: len(_FLAGS)].tobytes()
        said = self._asked[: _WORDS * ctypes.sizeof(_WORD)].tobytes() + data
        if said not in self._flags:
            silent = sum(bit for bit, length in zip(BITS.values(), self._template[2:_WORDS:3]) if length != 1)  # noqa: B905
            self._flags[said] = sum(bit for bit, byte in zip(BITS.values(), data) if byte == 1) & ~silent, silent  # noqa: B905
        return self._flags[said]

    def _single(self, handle: int, code: int) -> bytes | None:
        """An attribute of any length, asked for by itself; None where the object has none or does not hand it out."""
        attribute = (_WORD * 3)(code, 0, 0)
        if self._get(handle, attribute, 1) or attribute[2] == _UNAVAILABLE:
            return None
        buffer = ctypes.create_string_buffer(attribute[2])
        attribute[1] = ctypes.addressof(buffer)
        return None if self._get(handle, attribute, 1) else buffer.raw[: attribute[2]]

    def _get(self, handle: int, template: object, count: int) -> int:
        """C_GetAttributeValue; return values that concern single attributes or this object are answers."""
        value = self._function(self._session, handle, template, count)
        if value not in _ABOUT_THE_OBJECT:
            raise Refused(ckr_name(value), "C_GetAttributeValue failed")
        return value


def _number(value: bytes | None) -> int | None:
    """A CK_ULONG attribute, or None where the object has none."""
    return int.from_bytes(value, sys.byteorder) if value and len(value) == ctypes.sizeof(_WORD) else None


def _material(kind: str, parts: list[bytes | None], check_value: bytes | None) -> dict[str, str] | None:
    """The fingerprint: of the public parts, or a check value of 3 bytes or more; None without either in full."""
    whole = [part for part in parts if part]
    if whole and len(whole) == len(parts):
        return {"kind": kind, "digest": hashlib.sha256(b"".join(whole)).hexdigest()}
    if check_value and len(check_value) >= 3:
        return {"kind": "check-value", "digest": check_value.hex()}
    return None
