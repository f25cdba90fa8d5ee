"""Who is using a partner's product right now: `queries` (plain SQL, the hot path) · `rules` · `service` ·
`minutes` how many, over time"""
