"""The settings of a copy: what it replays, where it halts, and how it is kept away from the live archive."""

from collections.abc import Mapping

from api.core.backups.wal import format_lsn
from api.core.backups.windows import Commit
from api.core.ports import RestoreTarget

_FOLLOWED = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}


def copy_settings(
    name: str, port: int, restore_command: str, target: RestoreTarget, last: Commit | None, *, fsync: bool
) -> dict[str, str]:
    """What the copy changes in the configuration that came with the backup."""
    return {
        "cluster_name": name[:63],
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "logging_collector": "off",
        # the backup carries the live server's archive_command
        "archive_mode": "off",
        "archive_command": "",
        "archive_library": "",
        "archive_cleanup_command": "",
        "recovery_end_command": "",
        "primary_conninfo": "",
        "primary_slot_name": "",
        "synchronous_standby_names": "",
        "restore_command": restore_command,
        "hot_standby": "on",
        # segments are hard links into the archive: they may be unlinked, never overwritten
        "wal_recycle": "off",
        "wal_keep_size": "0",
        "summarize_wal": "off",
        # a throw-away server needs no restartpoints on the way and no vacuum afterwards
        "checkpoint_timeout": "1h",
        "max_wal_size": "64GB",
        "autovacuum": "off",
        # replay may halt inside a transaction that holds locks: whoever asks for them must not wait for ever
        "lock_timeout": "20s",
        "fsync": "on" if fsync else "off",
        **target_settings(target, last),
    }


def target_settings(target: RestoreTarget, last: Commit | None) -> dict[str, str]:
    """By LSN: everything before that position. By time: everything committed up to and at the moment.

    With the `last` commit before that moment known, replay halts right behind it instead of in front of the
    next one. The data is the same, but by then that next transaction holds its locks: after a DROP TABLE the
    table could not even be read.
    """
    if target.lsn:
        where = {"recovery_target_lsn": target.lsn, "recovery_target_inclusive": "off"}
    elif last:
        where = {"recovery_target_lsn": format_lsn(last.lsn), "recovery_target_inclusive": "on"}
    else:
        where = {"recovery_target_time": target.at.isoformat(), "recovery_target_inclusive": "on"}
    return {**where, "recovery_target_action": "pause", "recovery_target_timeline": "current"}


def followed_settings(*controls: Mapping[str, str]) -> dict[str, str]:
    """The largest value anywhere: recovery halts when the primary had more than the copy."""
    return {
        setting: str(max(int(control[line]) for control in controls)) for setting, line in _FOLLOWED.items()
    }
