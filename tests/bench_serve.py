# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the `cpu` profile: what Ray Serve and HTTP cost beside the same llama.cpp called directly.

Usage: PYTHONPATH=.collections python tests/bench_serve.py

Says of each limit whether it is met, and ends with 1 if one is not; so it does if a request is not answered.

Runs in a container of the image ray-cpu (buildah, chroot), on a Ray of one machine, with the role's own application and the
profile's own limits. The model has random weights: of the size at which a token takes milliseconds, as a real model's does,
where llama.cpp is measured; the image's tiny one, which costs next to nothing, where Serve is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL, CONTEXT, TOKENS = "bench", 4096, 200
WARM_UP = 3
#: What Serve may take: seconds of a request, and the part of the throughput that has to be left at full concurrency.
MOST_OVERHEAD, LEAST_THROUGHPUT = 0.010, 0.90


# Outside: the container


def outside() -> None:
    import yaml
    from ansible_collections.rayops.serve_ha.plugins.modules.container_image import Builder, plan

    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    image = {"name": "ray-cpu", "context": f"{PROJECT}/images/ray-cpu", "files": {}}
    params = {
        "images": [image],
        "cache_dir": f"{cache}/rayops.serve_ha",
        "debian_suite": "bookworm",
        "debian_packages": ["ca-certificates", "python3", "python3-venv"],
    }
    archive = plan(params)["ray-cpu"]["archive"]
    if not os.path.exists(archive):
        sys.exit(f"there is no {archive}: run site.yml once, which builds the image")
    with open(f"{PROJECT}/roles/ray_service/vars/profiles/cpu.yml", encoding="utf-8") as file:
        profile = yaml.safe_load(file)["ray_service__profile"]
    environment = {"PYTHONPATH": "/app", "RAY_USAGE_STATS_ENABLED": "0"} | profile.get("env", {})
    buildah = Builder(params).command
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o777)
        big = ["--width", "512", "--blocks", "4", f"{work}/model.gguf"]
        subprocess.run([sys.executable, f"{PROJECT}/images/ray-cpu/tiny_gguf.py", *big], check=True)
        made = [*buildah, "from", "--quiet", f"docker-archive:{archive}"]
        container = subprocess.run(made, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]
        volumes = {f"{PROJECT}/roles/ray_service/files/apps": "/app:ro", f"{PROJECT}/tests": "/tests:ro", work: "/work"}
        try:
            measured = subprocess.run(
                [*buildah, "run", "--isolation", "chroot", "--network", "host"]
                + [option for source, target in volumes.items() for option in ("--volume", f"{source}:{target}")]
                + [option for name, value in environment.items() for option in ("--env", f"{name}={value}")]
                + [container, "--", "python", "-B", "/tests/bench_serve.py", json.dumps(profile["deployments"])],
                check=False,
            )
        finally:
            subprocess.run([*buildah, "rm", container], check=True, stdout=subprocess.DEVNULL)
    sys.exit(measured.returncode)


# Inside: the measurement


@contextlib.contextmanager
def service(deployments: list[dict], model_path: str, replicas: int) -> Iterator[int]:
    """Ray Serve with the application of the profile; gives the port when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {
        "http_options": {"host": "127.0.0.1", "port": port},
        "applications": [
            {
                "name": "bench",
                "import_path": "serve_mistral:build",
                "args": {"model_path": model_path, "model": MODEL, "context": CONTEXT},
                "deployments": [deployment | {"num_replicas": replicas} for deployment in deployments],
            }
        ],
    }
    with open("/work/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    with open("/work/serve.log", "w", encoding="utf-8") as log:
        serve = subprocess.Popen(["serve", "run", "/work/config.json"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/v1/models"):
            if serve.poll() is not None or time.monotonic() > deadline:
                with open("/work/serve.log", encoding="utf-8") as log:
                    sys.exit(f"Ray Serve does not answer:\n{log.read()[-5000:]}")
            time.sleep(0.5)
        yield port
    finally:
        serve.send_signal(signal.SIGINT)
        serve.wait(60)


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


def by_serve(port: int, question: str, tokens: int) -> tuple[float, int]:
    """Ask by HTTP, on a connection of its own: seconds to the first text, number of tokens."""
    start, first, used = time.perf_counter(), 0.0, 0
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/v1/chat/completions", json.dumps(asked), {"content-type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"{response.status}: {response.read().decode()}")
    for line in response:
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        if not first and any(choice["delta"].get("content") for choice in chunk["choices"]):
            first = time.perf_counter() - start
        used = (chunk["usage"] or {}).get("completion_tokens", 0)
    connection.close()
    return first, used


class Direct:
    """llama.cpp in this process, with nothing around it."""

    def __init__(self, model_path: str) -> None:
        from llama_cpp import Llama

        threads = max(1, (os.cpu_count() or 1) // 2)
        self.llama = Llama(
            model_path=model_path, n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False
        )

    def ask(self, question: str, tokens: int) -> float:
        """Seconds to the first text."""
        start, first = time.perf_counter(), 0.0
        # The chat template of the model, written out.
        prompt = self.llama.tokenize(f"<s>[INST] {question} [/INST]".encode(), add_bos=False, special=True)
        for _number, token in zip(range(tokens), self.llama.generate(prompt, temp=0.0), strict=False):
            self.llama.detokenize([token]).decode(errors="replace")
            first = first or time.perf_counter() - start
        return first


def together(count: int, call: Callable[[int], object]) -> float:
    """Call `call(number)` from `count` threads at once: seconds until all are done. Raises what one of them raises."""
    with ThreadPoolExecutor(count) as pool:
        start = time.perf_counter()
        for done in [pool.submit(call, number) for number in range(count)]:
            done.result()
        return time.perf_counter() - start


def without_model(port: int) -> float:
    """Seconds of a request that is read and refused: what Serve and HTTP take for themselves."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/v1/chat/completions", '{"model": "another"}')
    response = connection.getresponse()
    said = response.read().decode()
    connection.close()
    if response.status != 404:
        sys.exit(f"{response.status} instead of 404: {said}")
    return time.perf_counter() - start


def verdict(met: bool) -> str:
    return "met" if met else "NOT MET"


def overhead(served: list[float], alone: list[float]) -> tuple[str, bool]:
    """What the seconds to the first text say, and whether the limit is met."""
    s, a = statistics.median(served), statistics.median(alone)
    met = s - a <= MOST_OVERHEAD
    return (
        f"time to first token: {1000 * s:.1f} ms through Serve, {1000 * a:.1f} ms directly: {1000 * (s - a):+.1f} ms; "
        f"limit {1000 * MOST_OVERHEAD:.0f} ms: {verdict(met)}"
    ), met


def share(streams: int, served: list[float], alone: list[float]) -> tuple[str, bool]:
    """What the tokens a second of each round say, and whether the limit is met."""
    ratio = statistics.median(s / a for s, a in zip(served, alone, strict=True))
    met = ratio >= LEAST_THROUGHPUT
    return (
        f"{streams} streams at once: {statistics.median(served):.0f} tokens/s through Serve, "
        f"{statistics.median(alone):.0f} directly: {ratio:.2f} x; limit {LEAST_THROUGHPUT:.2f} x: {verdict(met)}"
    ), met


def first_token(direct: Direct, port: int, rounds: int = 100) -> bool:
    """Whether the limit is met. All in turn, so that a busy machine is as busy for the one as for the other."""
    alone, served, refused = [], [], []
    for number in range(WARM_UP + rounds):
        alone.append(direct.ask(f"question {number}", 5))
        served.append(by_serve(port, f"question {number}", 5)[0])
        refused.append(without_model(port))
    line, met = overhead(served[WARM_UP:], alone[WARM_UP:])
    print(
        f"{line}\n  a request that needs no model takes {1000 * statistics.median(refused[WARM_UP:]):.1f} ms",
        flush=True,
    )
    return met


def throughput(direct: Direct, port: int, streams: int, rounds: int = 5) -> bool:
    """Whether the limit is met."""
    alone, served = [], []
    for number in range(1 + rounds):
        start = time.perf_counter()
        for stream in range(streams):
            direct.ask(f"tell {number} {stream}", TOKENS)
        alone.append(streams * TOKENS / (time.perf_counter() - start))
        used: list[int] = []
        seconds = together(
            streams, lambda stream, n=number, u=used: u.append(by_serve(port, f"tell {n} {stream}", TOKENS)[1])
        )
        served.append(sum(used) / seconds)
    line, met = share(streams, served[1:], alone[1:])
    print(line, flush=True)
    return met


def requests(port: int, replicas: int, streams: int, seconds: float = 10) -> None:
    """Short answers, from as many clients as the replicas take at once."""
    done: list[float] = []
    end = time.perf_counter() + seconds

    def client(_number: int) -> None:
        while time.perf_counter() < end:
            start = time.perf_counter()
            urllib.request.urlopen(f"http://127.0.0.1:{port}/infer?sentence=Hello", timeout=60).read()
            done.append(time.perf_counter() - start)

    took = together(streams * replicas, client)
    median = statistics.median(done) * 1000
    print(
        f"{replicas} replicas, {streams * replicas} clients: {len(done) / took:.0f} requests/s, median {median:.0f} ms",
        flush=True,
    )


def inside(deployments: list[dict]) -> None:
    streams = deployments[0]["max_ongoing_requests"]
    print(f"Ray Serve and llama.cpp on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with service(deployments, "/work/model.gguf", 1) as port:
        direct = Direct("/work/model.gguf")
        met = [first_token(direct, port), throughput(direct, port, streams)]
    for replicas in (2, 4):
        with service(deployments, "/models/tiny-mistral.gguf", replicas) as port:
            requests(port, replicas, streams)
    if not all(met):
        sys.exit("Ray Serve takes more than it may")


if __name__ == "__main__":
    inside(json.loads(sys.argv[1])) if len(sys.argv) > 1 else outside()
