"""The web door: thin routes that compose core's capabilities, commit, and speak HTTP.

`services`    what every route works with          `deps`        who is calling
`middleware`  request id, log, headers, origin     `errors`      error class → status
`readiness`   can this process serve?              `probes`      healthz, readyz
`draining`    how it goes away                     `client_address`  whose request it is
`cookies`     browser and session                  `destinations`    where a login leads
`auth` `founder` `integration` `ops`  the surfaces `pages/`      what people see
"""
