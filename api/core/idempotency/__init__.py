"""A request repeated with the same Idempotency-Key takes effect once: `models` · `queries` · `service`."""
