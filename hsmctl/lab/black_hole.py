"""A listening socket that is not there for some: packets from outside the lab's own side are dropped by the kernel.

A classic BPF program on the listener sees every packet before TCP does, so a connection attempt meets silence, as
behind a security group, and no refusal. Linux only, as the lab is; needs no privilege (socket(7), SO_ATTACH_FILTER).
"""

from __future__ import annotations

import ctypes
import socket
import struct
from ipaddress import IPv4Address

_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27
_NETWORK_HEADER = 0xFFF00000
"""Where offsets count from the IP header (linux/filter.h, SKF_NET_OFF)."""
_SOURCE = 12
"""The offset of the source address in an IPv4 header (RFC 791)."""
_OWN_SIDE = 0xFFFFFF00
_LOAD_WORD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_EVERYTHING = 0xFFFFFFFF


def own_side(address: str) -> str:
    """The address that the lab's own connections to a node come from: 127.X.0.1 for any of 127.X.0.0/16."""
    first, second, *_ = address.split(".")
    return f"{first}.{second}.0.1"


def close_to_clients(listening: socket.socket) -> None:
    """Drop everything that does not come from the lab's own side, 127.X.0.0/24."""
    near = int(IPv4Address(own_side(listening.getsockname()[0]))) & _OWN_SIDE
    program = (
        (_LOAD_WORD, 0, 0, _NETWORK_HEADER + _SOURCE),
        (_AND, 0, 0, _OWN_SIDE),
        (_JUMP_IF_EQUAL, 0, 1, near),
        (_RETURN, 0, 0, _EVERYTHING),
        (_RETURN, 0, 0, 0),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(code)))


def open_to_clients(listening: socket.socket) -> None:
    """Take what comes again; harmless when it was never closed."""
    close_to_clients(listening)  # there must be a filter to take away
    listening.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
