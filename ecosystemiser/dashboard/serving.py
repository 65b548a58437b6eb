"""Starting the dashboard: Streamlit on the loopback address, with nothing open that need not be."""

from __future__ import annotations

import importlib.util
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from schema.errors import Finding, InputError

HOST: Final = "127.0.0.1"
USUAL_PORT: Final = 8501
_TRIED: Final = 20
_EXTRA: Final = {"streamlit": "Streamlit", "plotly": "Plotly", "xlsxwriter": "XlsxWriter"}
_OPTIONS: Final[dict[str, Any]] = {
    "server_address": HOST,
    "server_headless": True,
    # A name of somebody else's that leads here is not served: no strange page reads the results.
    "server_allowedHosts": ("localhost", HOST),
    "server_enableXsrfProtection": True,
    "server_enableCORS": True,
    "server_enableStaticServing": False,
    "server_enableAgentApi": False,
    "server_fileWatcherType": "none",
    "browser_serverAddress": HOST,
    "browser_gatherUsageStats": False,
    "client_showErrorDetails": "none",
    "client_showErrorLinks": "false",
    "client_toolbarMode": "minimal",
    "logger_hideWelcomeMessage": True,
    "logger_level": "error",
    "theme_primaryColor": "#0072B2",
}


def require_extra() -> None:
    """See that what the pages need is installed.

    Raises:
        InputError: it is not.
    """
    missing = [name for module, name in _EXTRA.items() if importlib.util.find_spec(module) is None]
    if missing:
        told = " and ".join(missing)
        message = f"the dashboard needs {told}: install the project with its extra, '.[dashboard]'"
        raise InputError(Finding("", "", f"no {told}", "the extra dashboard", message))


def free_port(asked: int | None) -> int:
    """The port asked for (0: any free one), else the usual one or the next that is free.

    Raises:
        InputError: it is taken.
    """
    tried = range(USUAL_PORT, USUAL_PORT + _TRIED) if asked is None else [asked]
    for port in tried:
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    told = f"{HOST}:{tried[0]}"
    message = f"{told} cannot be served on: name another --port, or 0 for any that is free"
    raise InputError(Finding("", "--port", told, "a port that is free", message))


def serve(results: Path, port: int | None, told: Callable[[str], None]) -> None:
    """Serve until stopped.

    Args:
        results: the results folder; it may be empty still.
        port: see `free_port`.
        told: is given the URL once the server listens.

    Raises:
        InputError: the port is taken, or the extra is not installed.
    """
    require_extra()
    chosen = free_port(port)
    os.environ["ECOSYSTEMISER_RESULTS"] = str(results.resolve())
    from streamlit.web import bootstrap

    options = {**_OPTIONS, "server_port": chosen}
    bootstrap.load_config_options(options)
    from ecosystemiser.dashboard import app  # the first page needs not wait for it

    threading.Thread(target=_tell, args=(chosen, told), daemon=True).start()
    bootstrap.run(str(app.__file__), False, [], options)


def _tell(port: int, told: Callable[[str], None]) -> None:
    while True:
        with suppress(OSError), closing(socket.create_connection((HOST, port), timeout=1)):
            told(f"http://{HOST}:{port}")
            return
        time.sleep(0.05)
