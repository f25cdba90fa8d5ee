"""What Prefect is told, on one machine as beyond it. Everything here can be done again and again.

`prefect_file`  `prefect.yaml`: its variables, and which of its schedules are wanted
`pools`         the work pool and the job template of its runs, by type
`automations`   what happens to runs that nobody speaks for any more
`deploying`     all of it in order, against a server
`connection`    Prefect's own variables, from our settings; `server` those of its server
`flow_run`      the process of one flow run beyond the embedded stack
`abandoned`     runs that a worker took, and then ended before it began them
`worker`        the worker's process: lets runs end, then ends them
"""
