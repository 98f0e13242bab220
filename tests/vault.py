"""A server that plays HashiCorp Vault, which encrypts the key of a stack's secrets.

With a passphrase each command of the CLI derives that key by a million iterations, a quarter of an update's CPU time. The
passphrase is tested by the pipelines of `examples/`, by the upgrade from an earlier version and by `make demo`.
"""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_ADDRESS = "VAULT_ADDR"
_SEALED = "vault:v1:"


class _Handler(BaseHTTPRequestHandler):
    """The two operations that Pulumi uses: `encrypt` and `decrypt` of the engine `transit`. Nothing is kept secret here."""

    def do_PUT(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/v1/transit/encrypt/"):
            result = {"ciphertext": _SEALED + given["plaintext"]}
        else:
            result = {"plaintext": given["ciphertext"].removeprefix(_SEALED)}
        body = json.dumps({"data": result}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Logs nothing."""


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """The variables with which the CLI finds the server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {_ADDRESS: f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()


def secrets_provider(variables: Mapping[str, str]) -> str:
    """What `pulumi stack init --secrets-provider` gets: the server if `variables` have its address, otherwise a passphrase."""
    return "hashivault://bluegreen" if variables.get(_ADDRESS) else "passphrase"


def by_passphrase(variables: Mapping[str, str], passphrase: str) -> dict[str, str]:
    """The variables of a stack whose secrets are encrypted by a passphrase."""
    return {**variables, _ADDRESS: "", "PULUMI_CONFIG_PASSPHRASE": passphrase}
