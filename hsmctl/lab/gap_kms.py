"""KMS custom key stores on the lab's clusters: linked, connected and deleted by any AWS client.

KMS checks a cluster as the developer guide says (create-keystore): ACTIVE, two ACTIVE HSMs in two zones, used by no
other store. What KMS would do with keys is not emulated; an operation of keys is left to the service behind.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hsmctl.domain.cluster import ClusterState
from hsmctl.lab.cloudhsm_state import ClusterRecord
from hsmctl.lab.folder import write_private
from hsmctl.lab.routing import Gap
from hsmctl.lab.shapes import JsonModel, Members
from hsmctl.lab.wire import Answer, AwsError, Call

Store = dict[str, Any]
"""A key store as DescribeCustomKeyStores shows it."""


def kms_gaps(
    path: Path, region: str, clusters: Callable[[], list[ClusterRecord]], clock: Callable[[], float]
) -> Mapping[tuple[str, str], Gap]:
    """A handler for each operation on custom key stores; the stores are kept in a file."""
    stores = _Stores(path, region, clusters, clock)
    return {("kms", name): partial(stores.answer, name) for name in _OPERATIONS}


class _Stores:
    def __init__(
        self, path: Path, region: str, clusters: Callable[[], list[ClusterRecord]], clock: Callable[[], float]
    ) -> None:
        self._path = path
        self._region = region
        self._clusters = clusters
        self._clock = clock
        self._model = JsonModel("kms", "2014-11-01", "ValidationException")

    def answer(self, operation: str, call: Call) -> Answer:
        asked = self._model.request(operation, call.body)
        stores = self._read() if call.region == self._region else []
        if call.region != self._region and operation != "DescribeCustomKeyStores":
            raise _refused("CustomKeyStoreNotFoundException", "The lab keeps key stores in its home region only.")
        result = _OPERATIONS[operation](self, stores, asked)
        if operation == "DescribeCustomKeyStores":
            return self._model.answer(operation, result)
        self._write(stores)
        if not result:
            # The outputs of these operations have no members, and the model no shape to check.
            return Answer(body=b"{}", content_type="application/x-amz-json-1.1")
        return self._model.answer(operation, result)

    def describe(self, stores: list[Store], asked: Members) -> Members:
        wanted = {"CustomKeyStoreId", "CustomKeyStoreName"} & asked.keys()
        found = [store for store in stores if all(store[name] == asked[name] for name in wanted)]
        if wanted and not found:
            raise _refused("CustomKeyStoreNotFoundException", "There is no such custom key store.")
        return {"CustomKeyStores": found, "Truncated": False}

    def create(self, stores: list[Store], asked: Members) -> Members:
        missing = {"CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword"} - asked.keys()
        if missing:
            raise _refused("ValidationException", f"{', '.join(sorted(missing))} must be given.")
        if any(store["CustomKeyStoreName"] == asked["CustomKeyStoreName"] for store in stores):
            raise _refused("CustomKeyStoreNameInUseException", "The name is in use.")
        self._check_cluster(stores, asked["CloudHsmClusterId"])
        store = {
            "CustomKeyStoreId": f"cks-{secrets.token_hex(8)}0",
            "CustomKeyStoreName": asked["CustomKeyStoreName"],
            "CloudHsmClusterId": asked["CloudHsmClusterId"],
            "TrustAnchorCertificate": asked["TrustAnchorCertificate"],
            "ConnectionState": "DISCONNECTED",
            "CreationDate": self._clock(),
            "CustomKeyStoreType": "AWS_CLOUDHSM",
        }
        stores.append(store)
        return {"CustomKeyStoreId": store["CustomKeyStoreId"]}

    def connect(self, stores: list[Store], asked: Members) -> Members:
        return self._move(stores, asked, "DISCONNECTED", "CONNECTED")

    def disconnect(self, stores: list[Store], asked: Members) -> Members:
        return self._move(stores, asked, "CONNECTED", "DISCONNECTED")

    def delete(self, stores: list[Store], asked: Members) -> Members:
        store = _named(stores, asked)
        if store["ConnectionState"] != "DISCONNECTED":
            raise _refused("CustomKeyStoreInvalidStateException", f"It is {store['ConnectionState']}.")
        stores.remove(store)
        return {}

    def _move(self, stores: list[Store], asked: Members, before: str, after: str) -> Members:
        store = _named(stores, asked)
        if store["ConnectionState"] != before:
            raise _refused("CustomKeyStoreInvalidStateException", f"It is {store['ConnectionState']}.")
        store["ConnectionState"] = after
        return {}

    def _check_cluster(self, stores: list[Store], cluster_id: str) -> None:
        cluster = next((each for each in self._clusters() if each.cluster_id == cluster_id), None)
        if cluster is None:
            raise _refused("CloudHsmClusterNotFoundException", f"{cluster_id} is not in this account and region.")
        if cluster.state is not ClusterState.ACTIVE:
            raise _refused("CloudHsmClusterNotActiveException", f"{cluster_id} is {cluster.state.upper()}.")
        if len({hsm.zone for hsm in cluster.active_hsms}) < 2:
            raise _refused(
                "CloudHsmClusterInvalidConfigurationException",
                f"{cluster_id} needs at least two active HSMs in different Availability Zones.",
            )
        if any(store["CloudHsmClusterId"] == cluster_id for store in stores):
            raise _refused("CloudHsmClusterInUseException", f"{cluster_id} has a custom key store.")

    def _read(self) -> list[Store]:
        stores: list[Store] = json.loads(self._path.read_text()) if self._path.exists() else []
        return stores

    def _write(self, stores: list[Store]) -> None:
        write_private(self._path, json.dumps(stores).encode())


def _named(stores: list[Store], asked: Members) -> Store:
    for store in stores:
        if store["CustomKeyStoreId"] == asked["CustomKeyStoreId"]:
            return store
    raise _refused("CustomKeyStoreNotFoundException", "There is no such custom key store.")


def _refused(code: str, message: str) -> AwsError:
    return AwsError(code, message)


_OPERATIONS: Mapping[str, Callable[[_Stores, list[Store], Members], Members]] = {
    "DescribeCustomKeyStores": _Stores.describe,
    "CreateCustomKeyStore": _Stores.create,
    "ConnectCustomKeyStore": _Stores.connect,
    "DisconnectCustomKeyStore": _Stores.disconnect,
    "DeleteCustomKeyStore": _Stores.delete,
}
