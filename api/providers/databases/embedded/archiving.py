"""How WAL leaves the server: a shell script per segment, never an interpreter.

Directory store: the script copies the segment beside its place, syncs it and renames it. It succeeds again
for an identical segment and refuses one that differs, so two servers can never share an archive unnoticed.

S3: the archiver process (`archiver`) uploads finished segments ahead of being asked; the script only waits
for its note `done/<segment>` and passes on what `failed/<segment>` says.

Copies read back through `restore-segment`: by hard link, waiting only for segments that are on their way.
"""

import shlex
from collections.abc import Iterable
from pathlib import Path

from api.providers.databases.embedded.account import OsAccount
from api.providers.databases.embedded.home import PostgresHome
from api.providers.stores.location import directory_of
from api.settings.store import StoreSettings

_TO_DIRECTORY = """\
#!/bin/sh
# archive-to-directory <store>/wal <path> <name>
wal=$1 source=$2 name=$3
target=$wal/$name
if [ -e "$target" ]; then
    cmp -s "$source" "$target" && exit 0
    echo "archive: $target exists with other content; is another server archiving into this store?" >&2
    exit 1
fi
incoming=$wal/.$name.$$
trap 'rm -f "$incoming"' EXIT
said=$(dd if="$source" of="$incoming" bs=1048576 conv=fsync 2>&1) || {
    echo "archive: cannot write $incoming: $(echo "$said" | head -n 1)" >&2
    exit 1
}
mv "$incoming" "$target" && sync "$wal"
"""

_THROUGH_ARCHIVER = """\
#!/bin/sh
# archive-through-archiver <notes> <name>: waits for the archiver process while that is alive
notes=$1 name=$2
tries=0
while [ $tries -lt 600 ]; do
    [ -e "$notes/done/$name" ] && exec rm -f "$notes/done/$name" "$notes/failed/$name"
    if [ -e "$notes/failed/$name" ]; then
        cat "$notes/failed/$name" >&2
        rm -f "$notes/failed/$name"
        exit 1
    fi
    [ -e "$notes/alive" ] && [ -z "$(find "$notes/alive" -mmin +1)" ] || {
        echo "archive: no archiver process runs; start it with: firstuser run archiver" >&2
        exit 1
    }
    tries=$((tries + 1))
    sleep 0.05
done
echo "archive: the archiver process has not uploaded $name yet" >&2
exit 1
"""

_RESTORE = """\
#!/bin/sh
# restore-segment <folder> <name> <target>
# An absent file that nobody is fetching (a history file, the end of the WAL) is answered at once.
wal=$1 name=$2 target=$3
while :; do
    if [ -e "$wal/$name" ]; then
        ln "$wal/$name" "$target" 2>/dev/null && exit 0
        exec cp "$wal/$name" "$target"
    fi
    [ -e "$wal/.expected/$name" ] || [ -e "$wal/$name" ] || exit 1
    [ -z "$(find "$wal/.alive" -mmin +1 2>/dev/null)" ] || exit 1
    sleep 0.02
done
"""


def archive_command(home: PostgresHome, store: StoreSettings) -> str:
    """The setting's value; PostgreSQL replaces %p and %f."""
    folder = directory_of(store, home.store)
    if folder is not None:
        script, where = home.scripts / "archive-to-directory", folder / "wal"
        return f"/bin/sh {_word(script)} {_word(where)} %p %f"
    return f"/bin/sh {_word(home.scripts / 'archive-through-archiver')} {_word(home.archiver)} %f"


def restore_command(home: PostgresHome, wal: Path) -> str:
    """The setting of a copy that reads its WAL from the folder `wal`."""
    return f"/bin/sh {_word(home.scripts / 'restore-segment')} {_word(wal)} %f %p"


def install_scripts(home: PostgresHome, account: OsAccount, store: StoreSettings) -> None:
    """Write the scripts and create the folders they write into."""
    for name, text in (
        ("archive-to-directory", _TO_DIRECTORY),
        ("archive-through-archiver", _THROUGH_ARCHIVER),
        ("restore-segment", _RESTORE),
    ):
        script = home.scripts / name
        script.write_text(text)
        account.own(script)
    folder = directory_of(store, home.store)
    if folder is not None:
        _make_folders([folder, folder / "wal", folder / "backups"], account)
    make_note_folders(home, account)


def make_note_folders(home: PostgresHome, account: OsAccount) -> None:
    _make_folders([home.archiver / "done", home.archiver / "failed"], account)


def _make_folders(folders: Iterable[Path], account: OsAccount) -> None:
    for folder in folders:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            account.own(folder)


def _word(path: Path) -> str:
    """One word for the shell, with the percent signs that PostgreSQL would take for its own."""
    return shlex.quote(str(path)).replace("%", "%%")
