"""The evidence ledger: append-only records, chained by hash per stream, each signed as it is written.

chain         pure: a record, its hash
signing       pure: Ed25519 keys, what they sign, and the key that an engine's writers sign with
trust         pure: which keys the ledger's own stream of keys vouches for
verification  pure: what is wrong with a stream, record by record
exports       pure: the whole ledger as JSON, CSV or HTML that verifies without us
offline       pure: an export verified
report        what a verification found
writing       one row: place, hash, signature
service       append, read, checkpoint and verify in the database
keyring       the life of signing keys in the ledger: introduced, endorsed, retired

A record and its signature are one row of one transaction: no crash comes between them. What a stream held at
some moment is told by checkpoints, signed records themselves, so that an end cut off is missed.
"""
