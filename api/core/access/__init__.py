"""Spaces, their integrations, and who gets in: waiting list entries and grants.

`models` tables · `rules` pure decisions · `queries` SQL · `service` reading · `waitlist` joining, deciding ·
`integrations` setting them up · `addresses` what may be registered · `holders` who has access
"""
