# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import os

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import pki, plan

pytest.importorskip("cryptography")
NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


def make(directory, nodes=2, network="10.250.0.0/24"):
    return plan.make_cluster("c", nodes, network, "10.244.0.0/16", "10.96.0.0/16", str(directory), "/bin")


@pytest.fixture
def cluster(tmp_path):
    cluster = make(tmp_path)
    pki.make_authority(cluster, NOW)
    for identity in pki.identities(cluster):
        pki.make_certificate(cluster, identity, NOW)
    return cluster


def names(identities):
    return [identity.file for identity in identities]


def test_nothing_is_outdated_once_made(cluster):
    assert pki.outdated(cluster, NOW) == []
    assert not pki.authority_is_outdated(cluster, NOW)


def test_keys_are_for_root_only(cluster):
    for file in os.listdir(cluster.path("pki")):
        if file.endswith(".key"):
            assert os.stat(cluster.path("pki", file)).st_mode & 0o077 == 0


def test_a_missing_or_broken_certificate_is_made_anew(cluster):
    os.unlink(pki.certificate_file(cluster, "admin"))
    with open(pki.certificate_file(cluster, "c-1"), "w", encoding="utf-8") as file:
        file.write("half a file")
    os.unlink(pki.key_file(cluster, "kube-proxy"))
    assert names(pki.outdated(cluster, NOW)) == ["admin", "kube-proxy", "c-1"]


def test_other_addresses_ask_for_other_certificates(cluster, tmp_path):
    moved = make(tmp_path, network="10.251.0.0/24")
    assert names(pki.outdated(moved, NOW)) == ["kube-apiserver", "c-1", "c-2"]


def test_one_more_node_asks_for_one_more_certificate(cluster, tmp_path):
    assert names(pki.outdated(make(tmp_path, nodes=3), NOW)) == ["c-3"]


def test_certificates_are_renewed_in_time(cluster):
    later = NOW + pki.LIFETIME - pki.RENEW_BEFORE + datetime.timedelta(days=1)
    assert pki.authority_is_outdated(cluster, later)
    assert len(pki.outdated(cluster, later)) == len(pki.identities(cluster))


def test_certificates_of_another_authority_are_outdated(cluster):
    pki.make_authority(cluster, NOW)
    assert len(pki.outdated(cluster, NOW)) == len(pki.identities(cluster))
