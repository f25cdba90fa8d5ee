"""What people see: server-rendered pages, htmx where a part of one refreshes itself.

`rendering` the template environment · `format` times, sizes, durations in words · `charts` geometry for SVG ·
`public` homepage, login, outbox · `tools` dashboard, integrate, live · `ops` backups and drills ·
`switches` flags and pauses
"""
