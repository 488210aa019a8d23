"""Proves that every direction in which keys must not go is refused, and that a copy may do what its original may."""

from __future__ import annotations

import pytest

from hsmctl.domain.key import Identity, Key, ObjectClass
from hsmctl.domain.key_copy import End, Seen, directions, keys_may_go, template_of
from hsmctl.domain.mechanism import TokenFacts
from hsmctl.domain.sync import Replica

KEY = Key(
    identity=Identity(ObjectClass.SECRET, b"\x01", b"data"),
    key_type="AES",
    bits=256,
    attributes=frozenset({"extractable", "sensitive", "encrypt", "trusted"}),
)


def facts(serial: str, manufacturer: str = "Thales", model: str = "Luna K7") -> TokenFacts:
    return TokenFacts(
        label="token",
        serial=serial,
        manufacturer=manufacturer,
        model=model,
        slot_id=0,
        firmware="1",
        library=manufacturer,
        mechanisms=(),
    )


HARD, OTHER = Seen(facts=facts("1"), keys=()), Seen(facts=facts("2"), keys=())
SOFT = Seen(facts=facts("3", "SoftHSM project", "SoftHSM v2"), keys=())
FROM = End(replica=Replica(name="from"))


@pytest.mark.parametrize(
    ("source", "here", "target", "there", "refused"),
    [
        (FROM, HARD, End(replica=Replica(name="to"), serial="2"), OTHER, set()),
        (FROM, HARD, End(replica=Replica(name="to"), cluster_id="cluster-a"), OTHER, set()),
        (FROM, SOFT, End(replica=Replica(name="to"), serial="2"), OTHER, set()),
        (FROM, HARD, End(replica=Replica(name="to"), serial="3"), SOFT, {"no key of an HSM"}),
        (FROM, HARD, End(replica=Replica(name="to"), cluster_id="cluster-l", lab=True), OTHER, {"no key of an HSM"}),
        (FROM, HARD, End(replica=Replica(name="to")), OTHER, {"the context pins"}),
        (FROM, HARD, End(replica=Replica(name="to"), serial="9"), OTHER, {"the context pins"}),
        (FROM, HARD, End(replica=Replica(name="from"), serial="1"), HARD, {"from from"}),
    ],
)
def test_a_direction_is_free_or_says_what_forbids_it(
    source: End, here: Seen, target: End, there: Seen, refused: set[str]
) -> None:
    unmet = [each for each in directions(source, target, here, there) if not each.met]
    assert len(unmet) == len(refused)
    assert all(any(each.what.startswith(words) for words in refused) for each in unmet)
    assert all(each.way_out and each.why for each in unmet)


def test_a_key_that_only_a_trusted_key_may_wrap_is_not_copied() -> None:
    bound = Key(identity=KEY.identity, key_type="AES", attributes=KEY.attributes | {"wrap_with_trusted"})
    (unmet,) = keys_may_go((bound,), ())
    assert not unmet.met
    assert "trusted" in unmet.why
    assert [each.holds for each in keys_may_go((KEY,), (KEY,))] == [False]
    assert keys_may_go((KEY,), ()) == ()


def test_no_copy_is_made_trusted_and_it_may_no_more_than_its_original() -> None:
    template = template_of(KEY)
    assert "trusted" not in template
    assert template["encrypt"] is True
    assert template["sensitive"] is True
    assert not any(template[use] for use in ("decrypt", "sign", "verify", "wrap", "unwrap", "derive"))
