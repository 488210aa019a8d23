"""What PKCS#11 return values mean: a sentence each, the probable cause on CloudHSM, and a next step.

Sentences follow PKCS#11 3.1, section 5.1; causes follow the CloudHSM user guide (PKCS#11 library: APIs, attributes,
mechanisms, known issues, retries). Where the guide is silent the cause is the usual one and says so with "probably".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

VENDOR_DEFINED = 0x80000000
BUSY = 0xBB
"""CloudHSM's server code for a busy HSM, which no CKR_* has."""


class Meaning(NamedTuple):
    """What a return value means, in one text, and what to do next."""

    means: str
    next: str


class Ckr(NamedTuple):
    """One return value, explained."""

    name: str
    """CKR_*."""
    number: int
    says: str
    """What the library tells."""
    cause: str
    """Why, most probably, where CloudHSM says it."""
    next_step: str


def explain(name_or_number: str | int) -> Ckr | None:
    """The return value of this name (with or without CKR_) or number (decimal, or hex with 0x); None if unknown."""
    if isinstance(name_or_number, int):
        return _BY_NUMBER.get(name_or_number)
    word = name_or_number.strip()
    if re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", word):
        return _BY_NUMBER.get(int(word, 0))
    name = word.upper().removeprefix("CKR_")
    if name.startswith("0X"):
        return _BY_NUMBER.get(int(name, 16)) if re.fullmatch(r"0X[0-9A-F]+", name) else None
    return CATALOGUE.get(f"CKR_{name}")


def hint(ckr: str) -> str:
    """The next step after this return value; where there is none of its own, how it is explained."""
    known = explain(ckr)
    return known.next_step if known else "hsmctl token doctor"


RETRIED = frozenset({"CKR_FUNCTION_FAILED", "CKR_DEVICE_ERROR", "CKR_BUSY_187"})
"""How a busy HSM (server code 187, 0xBB) looks; what changes nothing is tried again (user guide, known issues)."""
LOST = frozenset({"CKR_SESSION_HANDLE_INVALID", "CKR_SESSION_CLOSED", "CKR_DEVICE_REMOVED", "CKR_USER_NOT_LOGGED_IN"})
"""How a session looks that is gone."""

_ENTRIES = """\
0x000|OK|The call succeeded.|Nothing is wrong.|nothing to do
0x001|CANCEL|The call was cancelled by the application.|A callback of the application asked for it.|look at the application
0x002|HOST_MEMORY|This host has not enough memory for the call.|The machine, or the container's limit, is too small.|free memory, or raise the container's limit
0x003|SLOT_ID_INVALID|There is no slot of this number.|The slot number was written down somewhere: it changes with the configuration and with every cluster added.|choose the token by label or serial: hsmctl token list
0x005|GENERAL_ERROR|The library cannot go on, for a reason it does not tell.|The library could not read its configuration or reach an HSM when it was initialized.|look at /opt/cloudhsm/run/cloudhsm-pkcs11.log; then hsmctl net probe
0x006|FUNCTION_FAILED|The call could not be carried out.|The HSM is busy (server code 187, 0xBB), the session is read-only (CloudHSM refuses those), the data is larger than the HSM takes (16 KB for GCM), or a certificate quota is used up.|try again after a second; open sessions read/write; split the data
0x007|ARGUMENTS_BAD|An argument makes no sense.|Probably parameters of a mechanism: OAEP's hash and mask must agree, GCM's IV must be a buffer of 12 zero bytes.|compare the mechanism's parameters with the user guide, PKCS#11 mechanisms
0x008|NO_EVENT|No slot event has happened.|CloudHSM has no slot events.|do not wait for slot events
0x009|NEED_TO_CREATE_THREADS|The library needs threads that the application forbids.|C_Initialize was called with CKF_LIBRARY_CANT_CREATE_OS_THREADS.|initialize the library without that flag
0x00A|CANT_LOCK|The library cannot do the locking that was asked for.|C_Initialize named lock functions that the library does not use.|initialize the library with CKF_OS_LOCKING_OK
0x010|ATTRIBUTE_READ_ONLY|The attribute cannot be set, or not to this value.|CKA_TRUSTED is set by an admin only, and CKA_SENSITIVE, CKA_EXTRACTABLE and CKA_MODIFIABLE go one way.|use cloudhsm-cli key set-attribute
0x011|ATTRIBUTE_SENSITIVE|The attribute is secret and is not handed out.|Private and secret values never leave a CloudHSM in the clear.|hsmctl key wrap, if the key may leave at all
0x012|ATTRIBUTE_TYPE_INVALID|The object, or the token, does not know this attribute.|A probe for an attribute CloudHSM does not have, such as CKA_EC_POINT on a private key.|leave the attribute out; EC_POINT is on the public half
0x013|ATTRIBUTE_VALUE_INVALID|A value in the template is not allowed.|CKA_PRIVATE=False on a private or secret key, or an RSA size that is no multiple of 256 from 2048 to 4096.|set CKA_PRIVATE=True; choose a size that hsmctl key generate offers
0x01B|ACTION_PROHIBITED|The object's own attributes forbid this.|CKA_DESTROYABLE or CKA_MODIFIABLE is false.|hsmctl key show KEY tells its attributes
0x020|DATA_INVALID|The input does not suit the mechanism.|Probably data that was not hashed, or not padded, for a raw mechanism.|use a mechanism that hashes or pads
0x021|DATA_LEN_RANGE|The input is too long, too short, or no multiple of the block.|HMAC, CBC and GCM take 16 KB at once in the HSM; CBC without padding takes whole blocks; ECDSA takes a digest.|split the data, or hash it first
0x030|DEVICE_ERROR|Something went wrong in, or on the way to, the token.|The HSM is busy (before SDK 5.18 reading attributes says so in this way), was replaced, or the connection broke.|try again; then hsmctl hsm list and hsmctl net probe
0x031|DEVICE_MEMORY|The token has no room.|The cluster holds as many keys or sessions as its type allows (user guide, quotas).|hsmctl key list tells how many; delete what nobody uses
0x032|DEVICE_REMOVED|The token went away during the call.|The HSM was replaced or the connection broke.|open the session again; hsmctl hsm list
0x040|ENCRYPTED_DATA_INVALID|The ciphertext does not decrypt.|It was made by another key, with another IV or associated data, or was changed.|check the key with hsmctl key show, the IV and the data
0x041|ENCRYPTED_DATA_LEN_RANGE|The ciphertext has an impossible length.|It was cut off, or is still encoded (base64, hex).|check how the data travelled
0x050|FUNCTION_CANCELED|The call was cancelled.|Another thread closed the session.|use one session for each thread
0x051|FUNCTION_NOT_PARALLEL|No call runs in parallel in this session.|A function of old that nothing needs.|leave the call out
0x054|FUNCTION_NOT_SUPPORTED|The library does not have this function.|CloudHSM has no C_SetAttributeValue for keys, no C_CopyObject, no C_InitToken and no C_SetPIN.|use cloudhsm-cli for attributes, sharing and passwords
0x060|KEY_HANDLE_INVALID|There is no key of this handle.|The handle is of another process or session, or the key is gone, or not yet on the HSM that answered.|find the key again; hsmctl sync check
0x062|KEY_SIZE_RANGE|A key of this size does not go with the mechanism.|RSA goes from 2048 to 4096 in steps of 256; HMAC over PKCS#11 takes keys up to 64 bytes.|choose another size
0x063|KEY_TYPE_INCONSISTENT|The key is of another type than the mechanism needs.|An RSA mechanism on an EC key, or an HMAC mechanism on an AES key.|hsmctl key show KEY tells its type
0x064|KEY_NOT_NEEDED|A key was given that is not needed.|A leftover of another operation.|leave the key out
0x065|KEY_CHANGED|The key is not the one that was used before.|The operation's state was saved with another key.|begin the operation anew
0x066|KEY_NEEDED|A key is missing.|The operation's state was saved with a key.|give the key
0x067|KEY_INDIGESTIBLE|The key's value cannot be hashed.|C_DigestKey does not exist in CloudHSM.|derive with a mechanism the token offers
0x068|KEY_FUNCTION_NOT_PERMITTED|The key's attributes forbid this use.|CKA_SIGN, CKA_ENCRYPT, CKA_WRAP ... was not set when the key was made: all but sign and verify are off unless named.|hsmctl key show KEY; hsmctl key enable, or a new key with the right purpose
0x069|KEY_NOT_WRAPPABLE|The key may not be wrapped by this key.|It has CKA_WRAP_WITH_TRUSTED and the wrapping key is not trusted, or it is not the caller's own.|wrap with a key that an admin has made trusted
0x06A|KEY_UNEXTRACTABLE|The key may not leave the token.|It was made with CKA_EXTRACTABLE=False, which cannot be undone.|back the cluster up; copy it only within its own clones
0x070|MECHANISM_INVALID|The token does not offer this mechanism, or not for this.|C_EncryptUpdate with GCM, the standard AES key wraps (CloudHSM has its own), or something FIPS mode forbids.|hsmctl token show lists what is offered
0x071|MECHANISM_PARAM_INVALID|The mechanism's parameters make no sense.|An IV of the caller's for GCM (CloudHSM makes its own), or hash and mask that differ for OAEP or PSS.|leave the IV to the HSM; use one hash for both
0x082|OBJECT_HANDLE_INVALID|There is no object of this handle.|It was deleted, is a session key whose HSM is gone, or is not yet on the HSM that answered.|find it again; hsmctl sync check
0x090|OPERATION_ACTIVE|Another operation is under way in this session.|A search or a signature was begun and not ended, perhaps by another thread.|use one session for each thread; end what was begun
0x091|OPERATION_NOT_INITIALIZED|Nothing was begun that could go on.|The *Init call failed, or another thread ended the operation.|look at the return value of the *Init call
0x0A0|PIN_INCORRECT|The PIN is wrong.|On CloudHSM the PIN is USER:PASSWORD; a wrong password, a user that is no crypto user, or a user missing on the HSM that answered.|do not try again: five wrong PINs lock the user; hsmctl login status
0x0A1|PIN_INVALID|The PIN has characters it must not have.|The PIN lacks the colon between user and password.|give it as USER:PASSWORD
0x0A2|PIN_LEN_RANGE|The PIN is too long or too short.|A password has 8 to 32 characters.|check the password's source
0x0A3|PIN_EXPIRED|The PIN has expired.|CloudHSM passwords do not expire; another token's may.|set a new PIN with the token's own tool
0x0A4|PIN_LOCKED|The PIN is locked after too many wrong ones.|Five wrong passwords lock a CloudHSM user, and it may be the application's.|an admin sets a new password: hsmctl user unlock NAME
0x0B0|SESSION_CLOSED|The session was closed during the call.|The HSM was replaced, or the connection broke.|open the session again
0x0B1|SESSION_COUNT|There are too many sessions.|1,024 for each application; sessions were opened and never closed.|close sessions; use one for each thread
0x0B3|SESSION_HANDLE_INVALID|There is no session of this handle.|The process was forked, the library initialized anew, or the connection broke.|open the session again; initialize the library after a fork
0x0B4|SESSION_PARALLEL_NOT_SUPPORTED|There are no parallel sessions.|CKF_SERIAL_SESSION was not set.|open the session with CKF_SERIAL_SESSION and CKF_RW_SESSION
0x0B5|SESSION_READ_ONLY|The session may not change anything.|It was opened without CKF_RW_SESSION.|open the session read/write
0x0B6|SESSION_EXISTS|A session is open, which must not be.|A token is initialized while it is used.|close every session first
0x0B7|SESSION_READ_ONLY_EXISTS|A read-only session is open, so the security officer cannot log in.|CloudHSM has no security officer over PKCS#11.|log in as a crypto user
0x0B8|SESSION_READ_WRITE_SO_EXISTS|The security officer is logged in, so no read-only session can be opened.|CloudHSM has no security officer over PKCS#11.|log in as a crypto user
0x0BB|BUSY_187|The HSM is busy: CloudHSM's server code 187.|More requests than the HSM can answer; a backup being taken; a login storm.|try again with growing pauses; add an HSM: hsmctl cluster scale
0x0C0|SIGNATURE_INVALID|The signature is not of this data by this key.|Other data, another key, another hash, or a signature in DER where r and s are wanted.|check data, key and format
0x0C1|SIGNATURE_LEN_RANGE|The signature has an impossible length.|DER where r and s are wanted, or another key's size.|give r and s one after the other
0x0D0|TEMPLATE_INCOMPLETE|The template lacks something.|RSA pairs need MODULUS_BITS and PUBLIC_EXPONENT in the public template, AES and generic secrets VALUE_LEN; NSS unwraps EC and DSA keys only with CKA_NSS_DB, its own.|complete the template; for NSS, hsmctl key import
0x0D1|TEMPLATE_INCONSISTENT|The template contradicts itself, or the call.|VALUE_LEN when unwrapping, CKA_PRIVATE=False, or a curve that is not offered.|leave out what the call already says
0x0E0|TOKEN_NOT_PRESENT|There is no token in the slot.|The library is not configured, or reached no HSM.|run configure-pkcs11; hsmctl net probe
0x0E1|TOKEN_NOT_RECOGNIZED|The token is none the library knows.|The token's files are damaged, or of another version.|hsmctl token list
0x0E2|TOKEN_WRITE_PROTECTED|The token cannot be written.|The folder of a software token is read-only.|check the folder's owner and mode
0x0F0|UNWRAPPING_KEY_HANDLE_INVALID|The unwrapping key is not there.|It was deleted, or is not yet on the HSM that answered.|find it again
0x0F1|UNWRAPPING_KEY_SIZE_RANGE|The unwrapping key's size does not go with the mechanism.|Another key than the one that wrapped.|use the key that wrapped
0x0F2|UNWRAPPING_KEY_TYPE_INCONSISTENT|The unwrapping key's type does not go with the mechanism.|An AES mechanism with an RSA key, or the reverse.|use the mechanism that wrapped
0x100|USER_ALREADY_LOGGED_IN|The user is logged in already.|Login is once for a process and a slot, whatever the number of sessions.|do not log in again
0x101|USER_NOT_LOGGED_IN|Nobody is logged in.|The login failed, or the process was forked since.|log in; after a fork, initialize and log in again
0x102|USER_PIN_NOT_INITIALIZED|The token has no user PIN yet.|The cluster is not activated, or a software token has no user.|hsmctl cluster activate
0x103|USER_TYPE_INVALID|There is no user of this type.|Only crypto users log in over PKCS#11, as CKU_USER.|log in as CKU_USER
0x104|USER_ANOTHER_ALREADY_LOGGED_IN|Somebody else is logged in.|One user for a process and a slot.|use a process for each user
0x105|USER_TOO_MANY_TYPES|Too many users are logged in.|One user for a process and a slot.|use a process for each user
0x110|WRAPPED_KEY_INVALID|The wrapped data holds no key.|It was wrapped by another key or mechanism, or was changed.|use the key and the mechanism that wrapped
0x112|WRAPPED_KEY_LEN_RANGE|The wrapped data has an impossible length.|It was cut off, or is still encoded.|check how the data travelled
0x113|WRAPPING_KEY_HANDLE_INVALID|The wrapping key is not there.|It was deleted, or is not yet on the HSM that answered.|find it again
0x114|WRAPPING_KEY_SIZE_RANGE|The wrapping key's size does not go with the mechanism.|An RSA key too small for what is to be wrapped.|use RSA-AES or an AES wrap
0x115|WRAPPING_KEY_TYPE_INCONSISTENT|The wrapping key's type does not go with the mechanism.|An AES mechanism with an RSA key, or the reverse.|hsmctl key show KEY tells its type
0x120|RANDOM_SEED_NOT_SUPPORTED|The random generator takes no seed.|CloudHSM seeds itself.|leave the call out
0x121|RANDOM_NO_RNG|The token has no random generator.|Not a CloudHSM.|use another token
0x130|DOMAIN_PARAMS_INVALID|The curve, or the domain parameters, are not accepted.|A curve CloudHSM does not have; DSA and DH do not exist there.|hsmctl key generate EC --help lists the curves
0x140|CURVE_NOT_SUPPORTED|The curve is not offered.|secp224r1, P-256, P-384, P-521 and secp256k1 are; Ed25519 on hsm2m in non-FIPS mode.|choose one of these
0x150|BUFFER_TOO_SMALL|The output does not fit.|The length was guessed instead of asked for; the HSM was asked all the same.|ask for the length first
0x160|SAVED_STATE_INVALID|The saved state is none.|CloudHSM does not save operations.|begin the operation anew
0x170|INFORMATION_SENSITIVE|The information is secret.|The same as for attributes.|leave it out
0x180|STATE_UNSAVEABLE|The operation cannot be saved.|CloudHSM does not save operations.|finish the operation in one process
0x190|CRYPTOKI_NOT_INITIALIZED|The library is not initialized.|C_Initialize was not called, or the process was forked since.|initialize after the fork
0x191|CRYPTOKI_ALREADY_INITIALIZED|The library is initialized already.|Two parts of one process use the same library.|initialize it once for a process
0x1A0|MUTEX_BAD|A lock is none.|The application's own lock functions are wrong.|initialize the library with CKF_OS_LOCKING_OK
0x1A1|MUTEX_NOT_LOCKED|A lock was not held.|The application's own lock functions are wrong.|initialize the library with CKF_OS_LOCKING_OK
0x1B0|NEW_PIN_MODE|The token wants a new one-time PIN.|CloudHSM has no one-time PINs.|look at the token's own manual
0x1B1|NEXT_OTP|The token wants the next one-time PIN.|CloudHSM has no one-time PINs.|look at the token's own manual
0x1B5|EXCEEDED_MAX_ITERATIONS|An iterative computation did not end.|Probably a bad random generator.|make the key anew
0x1B6|FIPS_SELF_TEST_FAILED|The token's self-test failed.|The HSM is broken; CloudHSM replaces such a one.|hsmctl hsm list; AWS Support
0x1B7|LIBRARY_LOAD_FAILED|The library could not load another it needs.|An installation that is not whole.|install the client library again
0x1B8|PIN_TOO_WEAK|The new PIN is too weak.|A CloudHSM password has 8 to 32 characters.|choose a longer one
0x1B9|PUBLIC_KEY_INVALID|The public key is none.|A point that is not on its curve.|check the key's encoding
0x200|FUNCTION_REJECTED|The token's owner, or its policy, said no.|A quorum is needed for this key, or the user may not do this.|hsmctl quorum status
"""
CATALOGUE: Mapping[str, Ckr] = {
    f"CKR_{fields[1]}": Ckr(f"CKR_{fields[1]}", int(fields[0], 16), *fields[2:])
    for fields in (line.split("|") for line in _ENTRIES.strip().splitlines())
}
"""By name."""
_BY_NUMBER = {known.number: known for known in CATALOGUE.values()}
NAMES: Mapping[int, str] = {number: known.name for number, known in _BY_NUMBER.items() if number != BUSY}
"""Number to name, of PKCS#11's own return values."""


def meaning(name: str) -> Meaning:
    """What a return value means and what to do next; its name has to speak for one that is not in the catalogue."""
    known = CATALOGUE.get(name)
    if known is None:
        usual = f"PKCS#11's own words: {name.removeprefix('CKR_').replace('_', ' ').lower()}"
        return Meaning(usual, "the SDK's log says more: /opt/cloudhsm/run/cloudhsm-pkcs11.log")
    return Meaning(f"{known.says} On CloudHSM: {known.cause}", known.next_step)
