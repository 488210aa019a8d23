"""Pure values and decisions of the field; standard library only."""
