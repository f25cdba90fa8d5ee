"""Vendors of managed databases on loopback: they play their part in a restore, and hand out real PostgreSQL.

places    where the PostgreSQL of a copy comes from: restored from a real backup, or lent
vendor    the base: copies that take their time, and a blow at any effect
neon …    one file per vendor
"""
