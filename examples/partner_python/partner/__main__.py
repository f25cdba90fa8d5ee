"""`python -m partner`: serve until SIGTERM, then say goodbye for everyone who is in."""

import logging

import uvicorn

from . import settings
from .app import create_app

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
logging.getLogger("httpx").setLevel(logging.WARNING)
found = settings.load()
uvicorn.run(create_app(found), host=found.host, port=found.port, access_log=False, log_config=None)
