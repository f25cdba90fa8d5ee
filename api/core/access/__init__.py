"""Spaces, their integrations, and who gets in: waiting list entries, codes and grants.

`models` tables · `rules` pure decisions · `service` spaces and integrations, read
SQL: `queries` of those, `entry_queries`, `grant_queries`, `start_queries`, `exchange_queries`
`integrations` setting them up · `addresses` what may be registered · `milestones` what they really called
`waitlist` joining, positions, decisions · `entries` as the founder sees them
`starts` a visitor's way there and back · `codes` what an accepted one carries back
`deciding` a founder's decisions, audited · `grants` giving access · `holders` who has it
"""
