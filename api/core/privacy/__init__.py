"""Keeping, handing out, forgetting a person: `models` · `queries` · `told` · `service` · `tombstones`.

A person is a user of one space: `usr_…`, with their entry on its waiting list and all that hangs on it. The
entry's row is deleted and not scrubbed: whatever refers to it goes with it by its foreign key, also what is
added to the product later. Counters and places in line keep themselves (triggers); who was referred by the
person stays, referred by nobody. `told`: what went to partners by webhook, which no key leads to.
"""
