"""KMS custom key stores: which CloudHSM clusters AWS itself depends on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from hsmctl.adapters.aws_error import translated
from hsmctl.domain.interlock import KeyStore


class AwsKeyStores:
    """ports_interlock.KeyStores over kms:DescribeCustomKeyStores."""

    def __init__(self, client: Callable[[], Any]) -> None:
        """Name what makes the client; nothing is asked yet."""
        self._new_client = client

    def all(self) -> tuple[KeyStore, ...]:
        """Every key store that is linked to a CloudHSM cluster; external ones have none.

        Raises:
            Denied: IAM does not allow kms:DescribeCustomKeyStores.
            Unreachable: KMS did not answer.
        """
        found: list[KeyStore] = []
        asked: dict[str, Any] = {}
        with translated("kms:DescribeCustomKeyStores"):
            while True:
                answer = self._client.describe_custom_key_stores(**asked)
                found += [_store(raw) for raw in answer["CustomKeyStores"] if raw.get("CloudHsmClusterId")]
                if not answer.get("Truncated"):
                    return tuple(found)
                asked["Marker"] = answer["NextMarker"]

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - a boto3 client without stubs
        return self._new_client()


def _store(raw: dict[str, Any]) -> KeyStore:
    return KeyStore(
        store_id=raw["CustomKeyStoreId"],
        name=raw.get("CustomKeyStoreName", raw["CustomKeyStoreId"]),
        cluster_id=raw["CloudHsmClusterId"],
        state=raw.get("ConnectionState", "unknown").lower(),
    )
