# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis as ElastiCache's is with encryption in transit and AUTH: TLS only, one password, a certificate of a private CA.

Usage: tls_redis.py DIRECTORY ADDRESS PORT PASSWORD_FILE [NAME...]

DIRECTORY takes everything that is written: ca.pem (which clients have to trust), the server's certificate for ADDRESS
and each NAME, redis.conf. What is there is used again, so that a restart keeps its clients. Runs in the foreground.

Pods reach the control plane's network namespace, and no other of the machine: start it by
C(nsenter --net=/run/netns/CLUSTER-cp).
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=30)
# Persistence and eviction as the production setting of the role elasticache_redis has them.
CONFIGURATION = """\
port 0
tls-port {port}
bind {address}
protected-mode no
tls-cert-file {directory}/server.pem
tls-key-file {directory}/server.key
tls-ca-cert-file {directory}/ca.pem
tls-auth-clients no
requirepass "{password}"
dir {directory}
maxmemory-policy noeviction
"""


def certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    """A builder with what both certificates have."""
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


def usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def make_certificates(address: str, names: list[str]) -> dict[str, bytes]:
    """File name → PEM of an authority, and of a server's certificate and key that it has signed."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = "test authority of Redis"
    authority = (
        certificate(issuer, authority_key, issuer, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(authority=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    places = [x509.IPAddress(ipaddress.ip_address(address)), *map(x509.DNSName, names)]
    server = (
        certificate("redis", key, issuer, authority_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(places), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return {
        "ca.pem": authority.public_bytes(pem),
        "server.pem": server.public_bytes(pem),
        "server.key": key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    }


def prepare(directory: Path, address: str, port: int, password: str, names: list[str]) -> list[str]:
    """Write what is missing, and the configuration; return the command that runs the server."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / "server.key").exists():
        for name, content in make_certificates(address, names).items():
            write(directory / name, content)
    values = {"directory": directory, "address": address, "port": port, "password": password}
    write(directory / "redis.conf", CONFIGURATION.format(**values).encode())
    return ["redis-server", str(directory / "redis.conf")]


def write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def main() -> None:
    directory, address, port, password_file, *names = sys.argv[1:]
    password = Path(password_file).read_text(encoding="utf-8").strip()
    command = prepare(Path(directory).resolve(), address, int(port), password, names)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
