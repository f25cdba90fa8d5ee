"""Kinds of secrets that are rotated, each a `Kind` of `api.core.rotation.kinds`: one file, one line in
`api.rotating`. What rotation has to see happen, it does over HTTP like anybody else: `calls`."""
