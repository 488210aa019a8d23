"""hsmctl, the operator's console for AWS CloudHSM estates; importing this costs nothing."""

__version__ = "0.1.0"
