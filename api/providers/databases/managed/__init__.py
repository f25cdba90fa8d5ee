"""Databases that a vendor keeps: what their adapters have in common. The vendors' own files lie beside.

vendor     what an adapter says of its vendor, and `Copy`, a temporary database as the vendor shows it
labels     a copy's name, moment and expiry in one word, for vendors that know no tags
addresses  production's URL, made to lead to a copy
opening    the copy's own login
checks     what SQL alone can prove about a copy
database   `ManagedDatabase`, the port's implementation over a `Vendor`
"""
