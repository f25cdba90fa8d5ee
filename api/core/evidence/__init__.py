"""The evidence ledger: append-only records, chained by hash per stream.

chain     pure: the hash of a record, and where a chain breaks
service   append, read and verify in the database
"""
