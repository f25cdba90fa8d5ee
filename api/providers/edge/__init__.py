"""The edge: what stands between people and the product. `cloudflare`: the zone of the domain."""
