# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a local cluster: one authority, one certificate for each identity, as Kubernetes names them."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    pass  # the module that uses this reports the missing library

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.plan import Cluster

LIFETIME = datetime.timedelta(days=365)
#: A certificate that ends sooner than this is made anew.
RENEW_BEFORE = datetime.timedelta(days=30)
AUTHORITY = "ca"
#: Key that signs service account tokens; no certificate belongs to it.
SERVICE_ACCOUNT_KEY = "service-account"


@dataclass(frozen=True)
class Identity:
    """Who a certificate speaks for: file name, subject, and the names and addresses it is valid for."""

    file: str
    common_name: str
    organization: str = ""
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def identities(cluster: Cluster) -> list[Identity]:
    """Every identity of the cluster. The subjects are those that Kubernetes' built-in RBAC rules name."""
    return [
        Identity(
            "kube-apiserver",
            "kube-apiserver",
            names=(
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "localhost",
            ),
            addresses=("127.0.0.1", cluster.service_gateway, cluster.control_plane.address),
        ),
        Identity("kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        Identity("front-proxy-client", "front-proxy-client"),
        Identity("admin", "kubernetes-admin", "system:masters"),
        Identity("kube-controller-manager", "system:kube-controller-manager"),
        Identity("kube-scheduler", "system:kube-scheduler"),
        Identity("kube-proxy", "system:kube-proxy"),
        *(
            Identity(
                node.name, f"system:node:{node.name}", "system:nodes", names=(node.name,), addresses=(node.address,)
            )
            for node in cluster.nodes
        ),
    ]


def certificate_file(cluster: Cluster, file: str) -> str:
    return cluster.path("pki", f"{file}.crt")


def key_file(cluster: Cluster, file: str) -> str:
    return cluster.path("pki", f"{file}.key")


def outdated(cluster: Cluster, now: datetime.datetime) -> list[Identity]:
    """Identities whose certificate is missing, ends soon, or was made for other names or by another authority."""
    authority = _load(certificate_file(cluster, AUTHORITY))
    if authority is None or authority.not_valid_after_utc < now + RENEW_BEFORE:
        return identities(cluster)
    return [
        identity
        for identity in identities(cluster)
        if not _is_current(_load(certificate_file(cluster, identity.file)), identity, authority, now)
        or not os.path.exists(key_file(cluster, identity.file))
    ]


def authority_is_outdated(cluster: Cluster, now: datetime.datetime) -> bool:
    authority = _load(certificate_file(cluster, AUTHORITY))
    return (
        authority is None
        or authority.not_valid_after_utc < now + RENEW_BEFORE
        or not os.path.exists(key_file(cluster, AUTHORITY))
        or not os.path.exists(key_file(cluster, SERVICE_ACCOUNT_KEY))
    )


def make_authority(cluster: Cluster, now: datetime.datetime) -> None:
    """Make the authority and the key for service account tokens."""
    os.makedirs(cluster.path("pki"), mode=0o700, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{cluster.name} authority")])
    certificate = (
        _builder(subject, subject, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_file(cluster, AUTHORITY), key)
    _write(certificate_file(cluster, AUTHORITY), certificate.public_bytes(serialization.Encoding.PEM))
    # kube-apiserver signs service account tokens with RS256 or ES256; clients everywhere know RS256.
    token_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_key(key_file(cluster, SERVICE_ACCOUNT_KEY), token_key)
    _write(
        cluster.path("pki", f"{SERVICE_ACCOUNT_KEY}.pub"),
        token_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )


def make_certificate(cluster: Cluster, identity: Identity, now: datetime.datetime) -> None:
    """Make a key and a certificate, signed by the authority, for clients and servers alike."""
    authority = _load(certificate_file(cluster, AUTHORITY))
    with open(key_file(cluster, AUTHORITY), "rb") as file:
        authority_key = serialization.load_pem_private_key(file.read(), password=None)
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, identity.common_name)]
    if identity.organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.organization))
    builder = (
        _builder(x509.Name(attributes), authority.subject, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
    )
    if identity.names or identity.addresses:
        builder = builder.add_extension(_alternative_names(identity), critical=False)
    _write_key(key_file(cluster, identity.file), key)
    _write(
        certificate_file(cluster, identity.file),
        builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
    )


def _builder(subject, issuer, public_key, now):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _alternative_names(identity: Identity):
    return x509.SubjectAlternativeName(
        [x509.DNSName(name) for name in identity.names]
        + [x509.IPAddress(ipaddress.ip_address(address)) for address in identity.addresses]
    )


def _is_current(certificate, identity: Identity, authority, now: datetime.datetime) -> bool:
    if certificate is None or certificate.not_valid_after_utc < now + RENEW_BEFORE:
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # the library raises one of three types, all of which mean "not by this authority"
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not identity.names and not identity.addresses
    return names == _alternative_names(identity)


def _load(path: str):
    try:
        with open(path, "rb") as file:
            return x509.load_pem_x509_certificate(file.read())
    except (FileNotFoundError, ValueError):
        return None


def _write_key(path: str, key) -> None:
    _write(
        path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        mode=0o600,
    )


def _write(path: str, content: bytes, mode: int = 0o644) -> None:
    # Written aside and renamed, so that a killed run leaves either the old file or the new one.
    temporary = f"{path}.new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    os.replace(temporary, path)
