"""Object stores, one file each, and `open_store`, which picks one by the settings.

A key holds a file or a tree (a whole folder). Trees are opaque: `list` names them, never what is inside.
"""

from pathlib import Path

from api.core.ports import ObjectStore
from api.providers.stores.directory import DirectoryStore
from api.providers.stores.location import bucket_of, directory_of
from api.providers.stores.s3 import S3Store
from api.settings.store import StoreSettings

__all__ = ["DirectoryStore", "S3Store", "open_store"]


def open_store(settings: StoreSettings, default: Path) -> ObjectStore:
    """The store of the settings; `default` is its folder when they name none. Nothing is contacted yet."""
    folder = directory_of(settings, default)
    if folder is not None:
        return DirectoryStore(folder)
    bucket, prefix = bucket_of(settings)
    return S3Store.connect(settings, bucket, prefix)
