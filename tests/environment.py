"""The environment of a test run, set before Django reads its settings (loaded with -p)."""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="avrop-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

os.environ["HUB_STATE_DIR"] = _folder
os.environ["HUB_BROKER_URL"] = "memory://"
os.environ["HUB_SECRET_KEY"] = "tests-only-" + "0123456789abcdef" * 4
os.environ["HUB_DEBUG"] = "off"
os.environ["HUB_MINIMUM_FREE_BYTES"] = "1000000"
for name in ("HUB_STORAGE_URL", "HUB_HTTPS", "HUB_QUIET_SECONDS", "HUB_ALLOW_PROCESS_PERFORMER"):
    os.environ.pop(name, None)
if url := os.environ.get("HUB_TEST_DATABASE_URL"):
    os.environ["HUB_DATABASE_URL"] = url
else:
    os.environ.pop("HUB_DATABASE_URL", None)
