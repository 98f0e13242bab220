"""The server that encrypts the keys of the tests' stacks answers as HashiCorp Vault does."""

import base64
import json
import urllib.request

from tests import vault


def test_a_key_is_encrypted_and_decrypted() -> None:
    key = base64.b64encode(b"a key of 32 bytes").decode()
    with vault.serving() as variables:

        def call(operation: str, given: dict[str, str]) -> dict[str, str]:
            url = f"{variables['VAULT_ADDR']}/v1/transit/{operation}/bluegreen"
            request = urllib.request.Request(url, json.dumps(given).encode(), method="PUT")
            with urllib.request.urlopen(request, timeout=10) as response:
                found: dict[str, str] = json.loads(response.read())["data"]
            return found

        encrypted = call("encrypt", {"plaintext": key})["ciphertext"]
        assert encrypted != key
        assert call("decrypt", {"ciphertext": encrypted}) == {"plaintext": key}


def test_a_stack_has_a_passphrase_when_the_server_is_not_there_or_not_wanted() -> None:
    with vault.serving() as variables:
        assert vault.secrets_provider(variables) == "hashivault://bluegreen"
        own = vault.by_passphrase(variables, "purple")
    assert vault.secrets_provider(own) == vault.secrets_provider({}) == "passphrase"
    assert own["PULUMI_CONFIG_PASSPHRASE"] == "purple"
