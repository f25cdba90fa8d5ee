"""The incident watch: observations → pure verdicts → one episode a trip → an action whose effect is observed.

`exchange_rate`  R1: the error rate of access exchanges, by closed minutes
`readiness`      R2: `readyz`, by probes from outside
`exhaustion`     R3: exhausted deliveries across integrations and hosts
`cases`          series of minutes as text, for `firstuser incidents evaluate`
"""
