"""Backups as pure decisions: no file, clock, database or store is touched here.

wal         LSNs, segment names, contiguous runs and gaps
catalogue   what is known about one base backup
chains      full → incremental → …; which backup to take next
windows     the moments each backup can reach, and the choice of one for a target
retention   which backups and segments may go
"""
