"""Where secrets rest. One adapter, one file, one line in `STORES`."""
