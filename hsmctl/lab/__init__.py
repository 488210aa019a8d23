"""CloudHSM on one machine: an AWS gateway, HSM nodes on SoftHSM, replication; nothing outside imports this package."""
