# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files of a local cluster's components, as text.

Pure: C(files(cluster)) gives path → content for everything but keys and certificates. JSON stands wherever a
component reads YAML, since every JSON text is YAML.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from functools import partial

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import pki
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.plan import MARKER, Cluster, Host, Node

CNI_BIN_DIR = "/usr/lib/cni"  # where Debian's containernetworking-plugins puts them

CONTAINERD = """\
version = 2
root = "{directory}/containerd/root"
state = "{directory}/containerd/state"

[grpc]
address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause_image}"
# Lowering a score needs CAP_SYS_RESOURCE, which root inside a container or a small VM often lacks.
restrict_oom_score_adj = true
# Below the state directory, so that removing the cluster finds and removes them.
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_bin_dir}"
conf_dir = "{directory}/cni"
"""


def kubeconfig(cluster: Cluster, file: str) -> str:
    """A kubeconfig that refers to the certificate files of one identity."""
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": cluster.name,
                    "cluster": {
                        "server": cluster.api_url,
                        "certificate-authority": pki.certificate_file(cluster, pki.AUTHORITY),
                    },
                }
            ],
            "users": [
                {
                    "name": file,
                    "user": {
                        "client-certificate": pki.certificate_file(cluster, file),
                        "client-key": pki.key_file(cluster, file),
                    },
                }
            ],
            "contexts": [{"name": cluster.name, "context": {"cluster": cluster.name, "user": file}}],
            "current-context": cluster.name,
        }
    )


def kubelet(cluster: Cluster, node: Node) -> str:
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": node.address,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": pki.certificate_file(cluster, pki.AUTHORITY)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": pki.certificate_file(cluster, node.name),
            "tlsPrivateKeyFile": pki.key_file(cluster, node.name),
            "clusterDNS": [cluster.dns_address],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{node.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            # Kubelets on one host would otherwise take each other's pod cgroups for orphans and delete them.
            "cgroupRoot": f"/{node.name}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "resolvConf": "",
            "podLogsDir": f"{node.directory}/logs",
            # The root file system cannot always be told apart (overlay, loop devices): no quota on it.
            "localStorageCapacityIsolation": False,
            "evictionHard": {"memory.available": "100Mi"},
            # Images come from the cache, not from a registry: collecting them as garbage could not be undone.
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": False,
        }
    )


def kube_proxy(cluster: Cluster, node: Node) -> str:
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "bindAddress": node.address,
            "healthzBindAddress": f"{node.address}:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "clusterCIDR": cluster.pod_network,
            "clientConnection": {"kubeconfig": cluster.path("etc", "kube-proxy.kubeconfig")},
            # conntrack limits are global kernel settings: not ours to change.
            "conntrack": {"maxPerCore": 0},
        }
    )


def cni(node: Node) -> str:
    """Routed veth pairs rather than a bridge: traffic between two pods of one node then always passes the node's
    packet filter, so that a ClusterIP works for them too without the br_netfilter kernel module."""
    return _json(
        {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": f"{node.directory}/cni-state",
                        "ranges": [[{"subnet": node.pod_network}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
    )


def files(cluster: Cluster, pause_image: str) -> dict[str, str]:
    """Every configuration file: path → content (supervisord's own apart, it is made from these)."""
    content = {
        cluster.path("kubeconfig"): kubeconfig(cluster, "admin"),
        **{
            cluster.path("etc", f"{file}.kubeconfig"): kubeconfig(cluster, file)
            for file in ("kube-controller-manager", "kube-scheduler", "kube-proxy")
        },
    }
    for node in cluster.nodes:
        content[f"{node.directory}/kubelet.kubeconfig"] = kubeconfig(cluster, node.name)
        content[f"{node.directory}/kubelet.yaml"] = kubelet(cluster, node)
        content[f"{node.directory}/kube-proxy.yaml"] = kube_proxy(cluster, node)
        content[f"{node.directory}/cni/10-pods.conflist"] = cni(node)
        content[f"{node.directory}/containerd.toml"] = CONTAINERD.format(
            directory=node.directory,
            socket=node.containerd_socket,
            pause_image=pause_image,
            cni_bin_dir=CNI_BIN_DIR,
        )
    return content


def override(command: list[str], flags: Mapping[str, str]) -> list[str]:
    """The command line with C(flags), which take the place of those of the same name.

    Not just after them: a flag that holds a list takes every mention of it together.
    """
    kept = [word for word in command if word.partition("=")[0].removeprefix("--") not in flags]
    return kept + [f"--{name}={value}" for name, value in flags.items()]


def programs(cluster: Cluster) -> dict[str, tuple[Host, list[str]]]:
    """Every process of the cluster: name → (the host it runs on, its command line)."""
    control = cluster.control_plane
    certificate, key = partial(pki.certificate_file, cluster), partial(pki.key_file, cluster)
    result: dict[str, tuple[Host, list[str]]] = {
        "etcd": (
            control,
            [
                f"{cluster.bin_dir}/etcd",
                f"--data-dir={cluster.path('etcd')}",
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                # A development cluster: faster, and a power cut costs no more than building it again.
                "--unsafe-no-fsync",
            ],
        ),
        "kube-apiserver": (
            control,
            [
                f"{cluster.bin_dir}/kube-apiserver",
                "--etcd-servers=http://127.0.0.1:2379",
                f"--service-cluster-ip-range={cluster.service_network}",
                f"--bind-address={control.address}",
                f"--advertise-address={control.address}",
                "--secure-port=6443",
                f"--tls-cert-file={certificate('kube-apiserver')}",
                f"--tls-private-key-file={key('kube-apiserver')}",
                f"--client-ca-file={certificate(pki.AUTHORITY)}",
                f"--kubelet-certificate-authority={certificate(pki.AUTHORITY)}",
                f"--kubelet-client-certificate={certificate('kube-apiserver-kubelet-client')}",
                f"--kubelet-client-key={key('kube-apiserver-kubelet-client')}",
                "--kubelet-preferred-address-types=InternalIP",
                f"--service-account-key-file={cluster.path('pki', pki.SERVICE_ACCOUNT_KEY + '.pub')}",
                f"--service-account-signing-key-file={key(pki.SERVICE_ACCOUNT_KEY)}",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                f"--requestheader-client-ca-file={certificate(pki.AUTHORITY)}",
                "--requestheader-allowed-names=front-proxy-client",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-username-headers=X-Remote-User",
                f"--proxy-client-cert-file={certificate('front-proxy-client')}",
                f"--proxy-client-key-file={key('front-proxy-client')}",
                # No kube-proxy runs beside the API server: reach metrics-server by its pod address.
                "--enable-aggregator-routing=true",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
            ],
        ),
        "kube-controller-manager": (
            control,
            [
                f"{cluster.bin_dir}/kube-controller-manager",
                f"--kubeconfig={cluster.path('etc', 'kube-controller-manager.kubeconfig')}",
                "--bind-address=127.0.0.1",
                f"--service-account-private-key-file={key(pki.SERVICE_ACCOUNT_KEY)}",
                f"--root-ca-file={certificate(pki.AUTHORITY)}",
                f"--cluster-signing-cert-file={certificate(pki.AUTHORITY)}",
                f"--cluster-signing-key-file={key(pki.AUTHORITY)}",
                "--use-service-account-credentials=true",
                "--leader-elect=false",
            ],
        ),
        "kube-scheduler": (
            control,
            [
                f"{cluster.bin_dir}/kube-scheduler",
                f"--kubeconfig={cluster.path('etc', 'kube-scheduler.kubeconfig')}",
                "--bind-address=127.0.0.1",
                "--leader-elect=false",
            ],
        ),
    }
    _host, command = result["kube-apiserver"]
    result["kube-apiserver"] = (control, override(command, cluster.api_server_args))
    for node in cluster.nodes:
        result[f"{node.name}-containerd"] = (node, ["containerd", "--config", f"{node.directory}/containerd.toml"])
        result[f"{node.name}-kubelet"] = (
            node,
            [
                f"{cluster.bin_dir}/kubelet",
                f"--config={node.directory}/kubelet.yaml",
                f"--kubeconfig={node.directory}/kubelet.kubeconfig",
                f"--root-dir={node.directory}/kubelet",
                f"--node-ip={node.address}",
                f"--hostname-override={node.name}",
            ],
        )
        result[f"{node.name}-kube-proxy"] = (
            node,
            [
                f"{cluster.bin_dir}/kube-proxy",
                f"--config={node.directory}/kube-proxy.yaml",
                f"--hostname-override={node.name}",
            ],
        )
    return result


def supervisord(cluster: Cluster, content: dict[str, str], path: str, fingerprint: str) -> str:
    """supervisord.conf: one program for each process.

    Args:
        content: the configuration files of :func:`files`.
        path: search path for programs that the machine provides (containerd, its shims, runc, iptables, mount).
        fingerprint: changes when the certificates do.

    A digest of everything a program is told and reads stands in its environment, so that C(supervisorctl update)
    restarts exactly the programs whose configuration has changed.
    """
    sections = [
        "[unix_http_server]",
        f"file={cluster.path('supervisor.sock')}",
        "chmod=0700",
        "",
        "[supervisord]",
        f"logfile={cluster.path('log', 'supervisord.log')}",
        f"pidfile={cluster.path('supervisord.pid')}",
        f"childlogdir={cluster.path('log')}",
        f"identifier={cluster.name}",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        "",
        "[supervisorctl]",
        f"serverurl=unix://{cluster.path('supervisor.sock')}",
    ]
    for name, (host, command) in programs(cluster).items():
        words = ["nsenter", f"--net=/run/netns/{host.namespace}", *command]
        read = [text for file, text in sorted(content.items()) if file in " ".join(command)]
        digest = hashlib.sha256("\n".join([fingerprint, *command, *read]).encode()).hexdigest()[:12]
        sections += [
            "",
            f"[program:{name}]",
            "command=" + shlex.join(words).replace("%", "%%"),
            f'environment={MARKER}="{cluster.state_dir}",RAYOPS_CONFIG="{digest}",PATH="{path}"',
            "autorestart=true",
            # A component that cannot start waits for another one (the API server for etcd, …): keep trying for
            # about two minutes (supervisor waits one second longer each time) before calling it fatal.
            "startretries=15",
            "stopwaitsecs=10",
            "redirect_stderr=true",
            f"stdout_logfile={cluster.path('log', name + '.log')}",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=1",
        ]
    return "\n".join(sections) + "\n"


def _json(value: dict) -> str:
    return json.dumps(value, indent=1) + "\n"
