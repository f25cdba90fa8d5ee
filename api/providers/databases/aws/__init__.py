"""Amazon RDS: `rds` for an instance, `aurora` for a cluster; `calls` and `tags` are what they share."""
