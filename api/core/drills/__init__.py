"""Restore drills: can we get the data back, to which moment, in what time, and does the product work on it?

records     the values that travel: CheckResult, DrillSummary
targets     pure: which moment a drill restores to
verdict     pure: checks and targets → passed or failed, why, and what to do next
compare     pure: what the restored product says against what the source held
beacons     the canary rows and fingerprints that the source writes about itself
database    the checks that read the restored copy by SQL
product     the checks that use the restored product as a person would
service     the drill's life in `ops.drills`; queries and models under it
runner      the drill step by step, over ports; `drilling` says what it needs, `undo` puts everything back
report      a drill as Markdown
"""
