"""Return values of PKCS#11 (2.40, section 5.1; CloudHSM's library implements 2.40): numbers, names and what they mean.

Meanings are CloudHSM's where its user guide gives the value one of its own (known issues of the PKCS#11 library).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VENDOR_DEFINED = 0x80000000


class Meaning(NamedTuple):
    """What a return value means and what to do next."""

    means: str
    next: str


_NUMBERS = """
OK 000 CANCEL 001 HOST_MEMORY 002 SLOT_ID_INVALID 003 GENERAL_ERROR 005 FUNCTION_FAILED 006 ARGUMENTS_BAD 007
NO_EVENT 008 NEED_TO_CREATE_THREADS 009 CANT_LOCK 00A ATTRIBUTE_READ_ONLY 010 ATTRIBUTE_SENSITIVE 011
ATTRIBUTE_TYPE_INVALID 012 ATTRIBUTE_VALUE_INVALID 013 ACTION_PROHIBITED 01B DATA_INVALID 020 DATA_LEN_RANGE 021
DEVICE_ERROR 030 DEVICE_MEMORY 031 DEVICE_REMOVED 032 ENCRYPTED_DATA_INVALID 040 ENCRYPTED_DATA_LEN_RANGE 041
FUNCTION_CANCELED 050 FUNCTION_NOT_PARALLEL 051 FUNCTION_NOT_SUPPORTED 054 KEY_HANDLE_INVALID 060 KEY_SIZE_RANGE 062
KEY_TYPE_INCONSISTENT 063 KEY_NOT_NEEDED 064 KEY_CHANGED 065 KEY_NEEDED 066 KEY_INDIGESTIBLE 067
KEY_FUNCTION_NOT_PERMITTED 068 KEY_NOT_WRAPPABLE 069 KEY_UNEXTRACTABLE 06A MECHANISM_INVALID 070
MECHANISM_PARAM_INVALID 071 OBJECT_HANDLE_INVALID 082 OPERATION_ACTIVE 090 OPERATION_NOT_INITIALIZED 091
PIN_INCORRECT 0A0 PIN_INVALID 0A1 PIN_LEN_RANGE 0A2 PIN_EXPIRED 0A3 PIN_LOCKED 0A4 SESSION_CLOSED 0B0
SESSION_COUNT 0B1 SESSION_HANDLE_INVALID 0B3 SESSION_PARALLEL_NOT_SUPPORTED 0B4 SESSION_READ_ONLY 0B5
SESSION_EXISTS 0B6 SESSION_READ_ONLY_EXISTS 0B7 SESSION_READ_WRITE_SO_EXISTS 0B8 SIGNATURE_INVALID 0C0
SIGNATURE_LEN_RANGE 0C1 TEMPLATE_INCOMPLETE 0D0 TEMPLATE_INCONSISTENT 0D1 TOKEN_NOT_PRESENT 0E0
TOKEN_NOT_RECOGNIZED 0E1 TOKEN_WRITE_PROTECTED 0E2 UNWRAPPING_KEY_HANDLE_INVALID 0F0 UNWRAPPING_KEY_SIZE_RANGE 0F1
UNWRAPPING_KEY_TYPE_INCONSISTENT 0F2 USER_ALREADY_LOGGED_IN 100 USER_NOT_LOGGED_IN 101 USER_PIN_NOT_INITIALIZED 102
USER_TYPE_INVALID 103 USER_ANOTHER_ALREADY_LOGGED_IN 104 USER_TOO_MANY_TYPES 105 WRAPPED_KEY_INVALID 110
WRAPPED_KEY_LEN_RANGE 112 WRAPPING_KEY_HANDLE_INVALID 113 WRAPPING_KEY_SIZE_RANGE 114
WRAPPING_KEY_TYPE_INCONSISTENT 115 RANDOM_SEED_NOT_SUPPORTED 120 RANDOM_NO_RNG 121 DOMAIN_PARAMS_INVALID 130
CURVE_NOT_SUPPORTED 140 BUFFER_TOO_SMALL 150 SAVED_STATE_INVALID 160 INFORMATION_SENSITIVE 170 STATE_UNSAVEABLE 180
CRYPTOKI_NOT_INITIALIZED 190 CRYPTOKI_ALREADY_INITIALIZED 191 MUTEX_BAD 1A0 MUTEX_NOT_LOCKED 1A1 NEW_PIN_MODE 1B0
NEXT_OTP 1B1 EXCEEDED_MAX_ITERATIONS 1C0 FIPS_SELF_TEST_FAILED 1C1 LIBRARY_LOAD_FAILED 1C2 PIN_TOO_WEAK 1C3
PUBLIC_KEY_INVALID 1C4 FUNCTION_REJECTED 200
"""

_words = _NUMBERS.split()
NAMES: Mapping[int, str] = {
    int(number, 16): f"CKR_{name}" for name, number in zip(_words[::2], _words[1::2], strict=True)
}
"""Number to name."""

_BUSY = Meaning(
    "the call failed; with CloudHSM often a busy HSM (server code 187), and always for a read-only session",
    "open sessions read/write; try again with a pause; look in the SDK's log for `Response Code`",
)
_SESSION = Meaning(
    "the session is gone: the connection to its HSM dropped, or the process forked",
    "open a new session and log in again; after a fork initialize the library anew",
)
_PIN = Meaning(
    "the HSM refused the PIN; five wrong ones lock the user on that HSM",
    "do not try again: the PIN of CloudHSM is `user:password` of a crypto user; hsmctl user list, hsmctl login status",
)
_HANDLE = Meaning(
    "no such object for this user on the HSM that was asked: not logged in, not shared, or not copied there yet",
    "hsmctl sync check; look the key up again instead of keeping its handle",
)
_MEANINGS: Mapping[str, Meaning] = {
    "CKR_OK": Meaning("nothing is wrong", "look further up in the log"),
    "CKR_HOST_MEMORY": Meaning("this machine has no memory left for the library", "give the process more"),
    "CKR_SLOT_ID_INVALID": Meaning(
        "no such slot: slot numbers of CloudHSM are not fixed", "list the slots and choose by the token's label"
    ),
    "CKR_GENERAL_ERROR": Meaning(
        "the library gives no reason; at start it mostly means a configuration that reaches no HSM",
        "hsmctl client check, hsmctl net probe",
    ),
    "CKR_FUNCTION_FAILED": _BUSY,
    "CKR_DEVICE_ERROR": _BUSY,
    "CKR_ARGUMENTS_BAD": Meaning("an argument makes no sense", "compare the call with the library's list of functions"),
    "CKR_ATTRIBUTE_SENSITIVE": Meaning("the value never leaves the HSM", "ask for public attributes only"),
    "CKR_ATTRIBUTE_TYPE_INVALID": Meaning(
        "the library does not know the attribute for this object", "leave it out of the template"
    ),
    "CKR_ATTRIBUTE_VALUE_INVALID": Meaning(
        "the attribute may not have this value: RSA sizes are 2048 to 4096 in steps of 256, CKA_PRIVATE is true",
        "compare the template with the library's table of attributes",
    ),
    "CKR_DEVICE_MEMORY": Meaning("the HSM is full", "delete keys nobody needs; quotas are per HSM"),
    "CKR_DEVICE_REMOVED": Meaning("the HSM went away", "hsmctl hsm list; the client reconnects by itself"),
    "CKR_FUNCTION_NOT_SUPPORTED": Meaning("CloudHSM's library does not have this function", "use another way"),
    "CKR_KEY_HANDLE_INVALID": _HANDLE,
    "CKR_OBJECT_HANDLE_INVALID": _HANDLE,
    "CKR_KEY_FUNCTION_NOT_PERMITTED": Meaning(
        "the key's attributes do not allow this use", "hsmctl key list -o wide shows them"
    ),
    "CKR_KEY_UNEXTRACTABLE": Meaning("the key may not leave the HSM", "it stays: make another key for export"),
    "CKR_MECHANISM_INVALID": Meaning(
        "the HSM does not have this mechanism, or not in FIPS mode", "compare with the library's list of mechanisms"
    ),
    "CKR_OPERATION_ACTIVE": Meaning(
        "one operation at a time in a session", "finish the first, or open a second session"
    ),
    "CKR_PIN_INCORRECT": _PIN,
    "CKR_PIN_INVALID": _PIN,
    "CKR_PIN_LEN_RANGE": _PIN,
    "CKR_PIN_LOCKED": Meaning(
        "the user is locked on that HSM after five wrong PINs", "an admin sets a new password: hsmctl user unlock NAME"
    ),
    "CKR_SESSION_CLOSED": _SESSION,
    "CKR_SESSION_HANDLE_INVALID": _SESSION,
    "CKR_SESSION_COUNT": Meaning("1,024 sessions per application are the limit", "close sessions that are not used"),
    "CKR_SESSION_READ_ONLY": Meaning(
        "the session is read-only", "open it with CKF_RW_SESSION: CloudHSM takes no other"
    ),
    "CKR_TEMPLATE_INCOMPLETE": Meaning("an attribute is missing in the template", "add it"),
    "CKR_TEMPLATE_INCONSISTENT": Meaning("attributes of the template exclude each other", "compare them"),
    "CKR_TOKEN_NOT_PRESENT": Meaning(
        "the slot has no token: no HSM is reached", "hsmctl net probe, hsmctl client check"
    ),
    "CKR_USER_ALREADY_LOGGED_IN": Meaning("a process logs in once; its sessions share that", "go on without a login"),
    "CKR_USER_NOT_LOGGED_IN": Meaning("nobody is logged in, or the login died with its connection", "log in"),
    "CKR_USER_TYPE_INVALID": Meaning("only crypto users log in through PKCS#11", "use CKU_USER"),
    "CKR_CRYPTOKI_NOT_INITIALIZED": Meaning("C_Initialize was not called, or not again after a fork", "initialize"),
    "CKR_CRYPTOKI_ALREADY_INITIALIZED": Meaning("C_Initialize is called once a process", "go on without it"),
    "CKR_BUFFER_TOO_SMALL": Meaning("the caller's buffer is too small", "ask for the length first"),
    "CKR_SIGNATURE_INVALID": Meaning(
        "the signature does not belong to this data and key", "compare key, data and mechanism"
    ),
    "CKR_FUNCTION_REJECTED": Meaning("somebody, or a quorum, said no", "hsmctl quorum status"),
}


def meaning(name: str) -> Meaning:
    """What a return value means; its name has to speak for one of which CloudHSM says nothing special."""
    usual = f"PKCS#11's own words: {name.removeprefix('CKR_').replace('_', ' ').lower()}"
    return _MEANINGS.get(name, Meaning(usual, "the SDK's log says more: /opt/cloudhsm/run/cloudhsm-pkcs11.log"))
