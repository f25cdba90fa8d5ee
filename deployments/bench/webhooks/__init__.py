"""Deliveries of webhooks under load, against the bare client, other queues and themselves on more data.

measure     all of it, and its size
rates       deliveries a second and WAL for each: `contenders` run as processes of their own
  bare      the same POSTs from the same client with no database
  pipeline  our dispatcher on a backlog
  peers/    pgqueuer, procrastinate and Prefect on the same work
  receiver  the partners' side: it answers at once, or never
queue       how long a claim takes on much data
soak        minutes of steady load while dispatchers are killed and endpoints fail
ground      a database with endpoints, a backlog of any size, and how much WAL was written
"""
