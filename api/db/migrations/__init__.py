"""Schema history. One file per step under `versions/`; `api.db.migrate` runs them."""
