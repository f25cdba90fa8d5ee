"""What people see: server-rendered pages, htmx where a part of one refreshes itself.

`rendering` the template environment · `format` times, sizes, durations in words · `charts` geometry for SVG ·
`joining` homepage · `public` login, outbox · `visits` what people on the list see · `spaces` which space a
tool shows · `dashboard` `waitlist` `live` `chat` `integrate` `webhooks` the founder's tools · `snippets` what
partners copy · `ops` backups and drills
"""
