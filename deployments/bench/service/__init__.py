"""The service under load, against what else could do the same work: ratios within one run, on loopback.

ground     databases of two sizes with keys, people and unused codes
statements the SQL that the references send, a row each
servers    our API as production runs it, and the minimal Fastify server (`../fastify`)
load       the one load generator for all servers: wrk, sending what `requests.lua` makes
pgbench    the limit: PostgreSQL's own load generator with the same statements
measure    what is run against what, and the goals
"""
