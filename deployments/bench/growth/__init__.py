"""How cost grows: time against size, as the exponent of a power law, with a picture of each.

slopes     one line: its points, its exponent, what it has to be
pictures   all lines as one SVG
ledger     verifying and appending evidence, against the length of a stream
presence   live users, against rows of presence
restores   a restore, against the size of the database and against the WAL to replay
measure    all of them on scratch clusters
"""
