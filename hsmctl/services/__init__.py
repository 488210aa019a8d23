"""Use cases: queries return values, changes are plan then apply; no library of the outside world."""
