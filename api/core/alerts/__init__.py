"""Alerts that reach someone: the state of a condition, and at-least-once messages about it.

Pure: `catalogue` (what can go wrong, how bad, its runbook) · `messages` (what is said, the port of a channel)
· `rules` (dedup, grouping, repeat, resolve, retry)
· `probing` (the watcher's decisions) · `reports` (what it tells the API)
With the database: `models` · `queries` · `service` (raise, resolve, silence, acknowledge) · `watching`
(missed heartbeats, bursts, repeats) · `outbox` (claim and settle) · `desk` (claim → send → settle) · `views`

The watcher (`deployments.watcher`) uses the pure ones only: it works without a database.
"""
