"""Signed webhooks to partners, none of them lost.

Pure: `signing` (Standard Webhooks) · `targets` (where they may go) · `events` (types, bodies) · `attempts`
(results) · `schedule` (when again, when given up) · `breaker` (how an endpoint fares, how much it is given)
The queue: `outbox` (published with the change) · `liveness` (who came, who left) → `claiming` → `dispatcher`
sends → `settling`; `delivery_queries` is its SQL, `standing` says how it stands, `retention` what is kept
For people: `endpoints` · `deliveries` (with every attempt, send one again) · `replays`; `history_queries`
Secrets and test events: `secrets` (rotation by overlap) · `trials` (test events) · `queries`; `models`
"""
