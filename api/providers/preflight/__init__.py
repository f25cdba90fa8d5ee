"""What a preflight looks at from outside.

`outside`   plain HTTP: probes, redirect, pages
`tls`       the certificate that a host presents
`partner`   the smoke test: a partner's back end
`browsing`  its visitors, in a real browser or over HTTP
`receiver`  its webhook endpoint
"""
