"""Signed webhooks to partners.

Pure: `signing` (Standard Webhooks) · `targets` (where they may go) · `events` (bodies) · `attempts` (results)
With the database: `models` · `queries` · `secrets` (rotation by overlap) · `trials` (test events)
"""
