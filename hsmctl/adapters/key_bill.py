"""A CycloneDX bill of cryptographic materials (CBOM, 1.6) of a token's objects, by `cyclonedx-python-lib`.

Nothing secret is in it: names, kinds, sizes and what keys may do. The library is an extra and imported here alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from hsmctl import __version__
from hsmctl.domain.key import Key, ObjectClass, text
from hsmctl.domain.uri import uri_of
from hsmctl.errors import UsageError

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

_MATERIALS = {
    ObjectClass.PRIVATE: "private-key",
    ObjectClass.PUBLIC: "public-key",
    ObjectClass.SECRET: "secret-key",
}
_PRIMITIVES = {
    "RSA": "pke",
    "EC": "signature",
    "EDWARDS": "signature",
    "ML-DSA": "signature",
    "AES": "block-cipher",
    "DES3": "block-cipher",
}
_FUNCTIONS = {
    "encrypt": "encrypt",
    "decrypt": "decrypt",
    "sign": "sign",
    "verify": "verify",
    "wrap": "encapsulate",
    "unwrap": "decapsulate",
    "derive": "keyderive",
}


def bill_of_keys(token: str, keys: Iterable[Key], moment: datetime) -> bytes:
    """The bill as JSON.

    Raises:
        UsageError: the library is not installed.
    """
    try:
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
    except ImportError as error:
        raise UsageError("no CycloneDX", f"{error.name} is not installed", "pip install 'hsmctl[cbom]'") from error
    bom = Bom()
    bom.metadata.timestamp = moment
    bom.metadata.component = Component(type=ComponentType.DEVICE, name=token, bom_ref=f"token:{token}")
    bom.metadata.tools.components.add(Component(type=ComponentType.APPLICATION, name="hsmctl", version=__version__))
    algorithms: dict[str, Component] = {}
    for place, key in enumerate(keys):
        if key.identity.object_class in _MATERIALS:
            bom.components.add(_material(key, place, _algorithm(key, algorithms)))
        elif key.identity.object_class is ObjectClass.CERTIFICATE:
            bom.components.add(_certificate(key, place))
    bom.components.update(algorithms.values())
    bom.register_dependency(bom.metadata.component, bom.components)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2).encode()


def _material(key: Key, place: int, algorithm: Component) -> Component:
    """A key as a component; its reference is its place, because two keys may share every name."""
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.crypto import (
        CryptoAssetType,
        CryptoProperties,
        RelatedCryptoMaterialProperties,
        RelatedCryptoMaterialState,
        RelatedCryptoMaterialType,
    )

    related = RelatedCryptoMaterialProperties(
        type=RelatedCryptoMaterialType(_MATERIALS[key.identity.object_class]),
        id=key.identity.key_id.hex() or None,
        state=RelatedCryptoMaterialState.ACTIVE,
        algorithm_ref=algorithm.bom_ref,
        size=key.bits,
    )
    attributes = [Property(name="hsmctl:attributes", value=" ".join(sorted(key.attributes)))]
    return Component(
        type=ComponentType.CRYPTOGRAPHIC_ASSET,
        name=text(key.identity.label) or "(no label)",
        bom_ref=f"key:{place}",
        description=uri_of(key.identity),
        properties=attributes,
        crypto_properties=CryptoProperties(
            asset_type=CryptoAssetType.RELATED_CRYPTO_MATERIAL, related_crypto_material_properties=related
        ),
    )


def _primitive(key: Key) -> str:
    """What CycloneDX calls what it does; Edwards keys of the curve of X25519 agree, and do not sign."""
    return "key-agree" if key.curve == "X25519" else _PRIMITIVES.get(key.key_type, "unknown")


def _algorithm(key: Key, known: dict[str, Component]) -> Component:
    """The algorithm of a key, one component for all keys of a kind, size and use."""
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.crypto import (
        AlgorithmProperties,
        CryptoAssetType,
        CryptoFunction,
        CryptoPrimitive,
        CryptoProperties,
    )

    functions = sorted({_FUNCTIONS[use] for use in key.attributes if use in _FUNCTIONS})
    name = key.algorithm or "unknown"
    reference = f"algorithm:{name}:{'+'.join(functions)}"
    if reference not in known:
        mac = key.key_type == "GENERIC" or key.key_type.endswith("HMAC")
        properties = AlgorithmProperties(
            primitive=CryptoPrimitive("mac" if mac else _primitive(key)),
            parameter_set_identifier=str(key.bits) if key.bits else None,
            curve=key.curve,
            crypto_functions=[CryptoFunction(each) for each in functions],
        )
        known[reference] = Component(
            type=ComponentType.CRYPTOGRAPHIC_ASSET,
            name=name,
            bom_ref=reference,
            crypto_properties=CryptoProperties(asset_type=CryptoAssetType.ALGORITHM, algorithm_properties=properties),
        )
    return known[reference]


def _certificate(key: Key, place: int) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.crypto import CertificateProperties, CryptoAssetType, CryptoProperties

    return Component(
        type=ComponentType.CRYPTOGRAPHIC_ASSET,
        name=text(key.identity.label) or "(no label)",
        bom_ref=f"certificate:{place}",
        description=uri_of(key.identity),
        crypto_properties=CryptoProperties(
            asset_type=CryptoAssetType.CERTIFICATE,
            certificate_properties=CertificateProperties(certificate_format="X.509"),
        ),
    )
