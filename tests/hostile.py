"""A world whose labels are everything a label should not be."""

from __future__ import annotations

from dataclasses import replace

from world import HSMS, World, aes


def hostile() -> World:
    """Every HSM holds the same six keys; the first may be extracted."""
    labels = ["=cmd()", "a[/x]b", "line\nbreak", "\x1b[31mred", "x" * 4096]
    keys = [aes(label, extractable=not place) for place, label in enumerate(labels)]
    keys.append(replace(keys[1], identity=keys[1].identity._replace(label=b"\xff\xfe")))
    world = World(keys=keys)
    for name in HSMS:
        world.tokens.held[name] = list(keys)
    return world
