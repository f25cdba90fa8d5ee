"""Other ways to run a job for each delivery, doing the same work: the same signed POST from the same client,
and its attempt on record (a Prefect task is its own record).

`pgqueuer_worker` and `procrastinate_worker` run in an environment of their own, which the bench installs from
`requirements.txt`; `prefect_tasks` in ours. Each is given a database and a `Load` as JSON, queues its jobs
and prints how long it took to work them off.
"""
