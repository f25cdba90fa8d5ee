"""PostgreSQL 18 on this machine: the default database, its backups, and the copies that drills restore.

binaries  account  home  passwords  processes     where things are, and as whom they run
configuration  cluster  roles                     the live server
archiving  archiver                               WAL leaves the server (sh only, or one process for S3)
base_backups  manifests  catalogue                full and incremental backups, verified and listed
wal_files  reach                                  what the stored WAL reaches, proved before a restore
fetching  recovery  copies                        a temporary copy: made, replayed, promoted, destroyed
facts                                             what only the provider can check about a copy
provider                                          `EmbeddedDatabase`, the port's implementation
"""
