"""The embedded stack: every part of FirstUser on one machine, under one supervisor, in one state folder.

`layout`       where everything lies in the state folder
`ports`        which ports it takes
`environment`  the secrets it makes up once, and the environment files that its processes read
`prefect`      the profile that Prefect's server, worker and clients read
`parts`        what runs: order, dependencies, stop signals
`run`          what one part's process does before it is that part; `lifeline`, `records` serve it
`supervision`  supervisord: its configuration, its start
`probes`       how each part proves that it serves
`start` `stop` `status`   the three commands (`gates`, `data`, `ending`, `lock` serve them)
`health`       restarts what hangs
`bootstrap`    work pool, deployments, limits and automations in Prefect
`stack`        the handle through which other commands reach a stack
"""
