"""The go-live preflight: is everything that a launch needs in place, proven and still true?

records     states, findings, results, what a GO is bound to
catalogue   the literal list of checks
judging     pure: facts → finding, a file for each numbered check of the runbook
runner      all independent checks at once, with timeout and retry; dependents are skipped by name
verdict     pure: results and waivers → GO, GO with warnings, NO-GO
standing    pure: whether a GO still stands
waivers     asked for by one person, approved by another, for a week at most
owners      who answers for incidents, rollbacks and the release; whether they were reached
service     a run's life in `ops.preflights`, its evidence and its sign-off
report      Markdown and rows; `exports`: JUnit and HTML
"""
