"""The command line: one file per noun; commands ask the façade and hand the answer to `output`."""
