"""Database providers. `registry.DATABASES` names them; `embedded` is the default."""
