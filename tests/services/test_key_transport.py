"""Proves that keys are wrapped by what a token calls it, and that the IV of GCM is where whoever unwraps looks."""

from __future__ import annotations

import pytest

from hsmctl.domain.mechanism import Mechanism, MechanismInfo, Output, TokenFacts
from hsmctl.errors import Conflict
from hsmctl.services.key_transport import as_offered, sealed, unsealed


def facts(*offered: tuple[str, str]) -> TokenFacts:
    """A token with these mechanisms, each with its uses."""
    mechanisms = tuple(
        MechanismInfo(number=number, name=name, least=None, most=None, uses=tuple(uses.split()))
        for number, (name, uses) in enumerate(offered)
    )
    texts = dict.fromkeys(("label", "serial", "manufacturer", "model", "firmware", "library"), "token")
    return TokenFacts(slot_id=0, mechanisms=mechanisms, **texts)


CLOUDHSM = facts(("AES_GCM", "encrypt wrap"), ("CLOUDHSM_AES_GCM", "wrap"), ("CLOUDHSM_AES_KEY_WRAP_NO_PAD", "wrap"))
STANDARD = facts(("AES_GCM", "encrypt wrap"), ("AES_KEY_WRAP", "wrap"))


@pytest.mark.parametrize(
    ("token", "asked", "called"),
    [
        (CLOUDHSM, "AES_GCM", "CLOUDHSM_AES_GCM"),
        (CLOUDHSM, "AES_KEY_WRAP", "CLOUDHSM_AES_KEY_WRAP_NO_PAD"),
        (STANDARD, "AES_GCM", "AES_GCM"),
        (STANDARD, "AES_KEY_WRAP", "AES_KEY_WRAP"),
        (STANDARD, "RSA_PKCS_OAEP", "RSA_PKCS_OAEP"),
    ],
)
def test_a_wrap_is_asked_for_by_the_tokens_own_name(token: TokenFacts, asked: str, called: str) -> None:
    assert as_offered(token, Mechanism(name=asked)).name == called


def test_a_token_that_only_encrypts_with_gcm_is_asked_for_no_wrap() -> None:
    with pytest.raises(Conflict, match="AES-GCM"):
        as_offered(facts(("AES_GCM", "encrypt decrypt")), Mechanism(name="AES_GCM"))


def test_the_iv_of_gcm_stands_in_front_whoever_puts_it_there() -> None:
    standard, own, iv = Mechanism(name="AES_GCM"), Mechanism(name="CLOUDHSM_AES_GCM"), bytes(range(12))
    data = sealed(standard, Output(b"wrapped", iv))
    assert data == iv + b"wrapped"
    assert unsealed(standard, data) == (Mechanism(name="AES_GCM", iv=iv), b"wrapped")
    assert unsealed(own, data) == (own, data) == (own, sealed(own, Output(data)))
