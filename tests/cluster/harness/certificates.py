"""Keys and certificates of the cluster, made with openssl; valid for a year."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import Layout
from tests.cluster.harness.node import serving_names
from tests.cluster.harness.settings import Settings

_DAYS = "365"


def make(layout: Layout, settings: Settings) -> None:
    """The authority, the API server's two certificates, and the key of service accounts."""
    folder = layout.certificates
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (folder / "ca.crt").exists():
        _openssl(
            *("req", "-x509", "-nodes", *_new_key(folder / "ca.key")),
            *("-subj", "/CN=despejado-cluster", "-days", _DAYS, "-out", str(folder / "ca.crt")),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
        )
    names = f"subjectAltName={serving_names(settings)}"
    _certificate(folder, "apiserver", "/CN=kube-apiserver", names)
    # As whom the API server comes to the kubelet for logs and exec.
    _certificate(folder, "kubelet-client", "/O=system:masters/CN=apiserver", "")
    accounts = folder / "accounts.key"
    if not accounts.exists():
        _openssl("genrsa", "-out", str(accounts), "2048")
    _openssl("rsa", "-in", str(accounts), "-pubout", "-out", str(folder / "accounts.pub"))


def _certificate(folder: Path, name: str, subject: str, extension: str) -> None:
    certificate, request = folder / f"{name}.crt", folder / f"{name}.csr"
    if certificate.exists():
        return
    key = _new_key(folder / f"{name}.key")
    _openssl("req", "-new", "-nodes", *key, "-subj", subject, "-out", str(request))
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"extendedKeyUsage=serverAuth,clientAuth\n{extension}\n")
    _openssl(
        *("x509", "-req", "-in", str(request), "-out", str(certificate), "-days", _DAYS),
        *("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial"),
        *("-extfile", str(extensions)),
    )


def _new_key(path: Path) -> tuple[str, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", str(path))


def _openssl(*arguments: str) -> None:
    result = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise HarnessError(f"openssl {' '.join(arguments)} failed:\n{result.stderr.strip()}")
