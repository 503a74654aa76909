"""Issues a lab's certificates and writes its kubeconfigs.

One authority for each lab signs them all; they live for as long as a throw-away cluster may.
"""

import base64
import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = dt.timedelta(days=30)
CLOCK_TOLERANCE = dt.timedelta(hours=1)


class Authority:
    """A certificate authority with its files in one folder.

    For each name it writes NAME.crt and NAME.key; `ca` is the authority itself, `sa` the pair of
    keys for service account tokens.
    """

    def __init__(self, folder: Path) -> None:
        """Load the authority of a folder, or make a new one there."""
        self.folder = folder
        if not self.certificate("ca").exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._make_authority()
            self._make_token_keys()
        pem = self.key("ca").read_bytes()
        key = serialization.load_pem_private_key(pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(self.certificate("ca").read_bytes())

    def certificate(self, name: str) -> Path:
        """Return the file of a certificate."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the file of a private key."""
        return self.folder / f"{name}.key"

    def issue(self, name: str, user: str, group: str = "", hosts: Sequence[str] = ()) -> None:
        """Issue a certificate.

        Args:
            name: Of its files.
            user: Common name; to the API server, the user.
            group: Organisation; to the API server, the user's group.
            hosts: Addresses and names that a server with this certificate has.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_subject(user, group), self._certificate.subject, key.public_key())
            .add_extension(_usages(), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        _write_key(self.key(name), key)
        _write_certificate(self.certificate(name), builder.sign(self._key, hashes.SHA256()))

    def write_kubeconfig(self, path: Path, server: str, name: str) -> None:
        """Write a kubeconfig, complete in itself, for the user of an issued certificate."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}],
            "clusters": [
                {
                    "name": "lab",
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": _base64(self.certificate("ca")),
                    },
                }
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "client-certificate-data": _base64(self.certificate(name)),
                        "client-key-data": _base64(self.key(name)),
                    },
                }
            ],
        }
        _write_secret(path, yaml.safe_dump(config).encode())

    def _make_authority(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject("lab-ca", "")
        builder = _builder(subject, subject, key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        _write_key(self.key("ca"), key)
        _write_certificate(self.certificate("ca"), builder.sign(key, hashes.SHA256()))

    def _make_token_keys(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_key(self.key("sa"), key)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / "sa.pub").write_bytes(public)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + LIFETIME)
    )


def _subject(user: str, group: str) -> x509.Name:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group:
        names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(names)


def _usages() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_secret(path, pem)


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
