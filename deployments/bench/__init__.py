"""Benches: ratios against a peer or a physical limit, measured in one run.

measures      a measurement, its table and its file
ground        a scratch cluster with data and WAL to restore
by_hand       the limit (`cp -r`) and the recovery that a person would run with stock settings
pgbackrest    the peer, when Debian's package is installed
restore       ours against all of them
orchestration what the drill adds to restoring and verifying
service       the API under load, against Fastify and pgbench (fastify/ is the reference server)
"""
