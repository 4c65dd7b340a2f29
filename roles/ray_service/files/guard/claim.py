# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fence: makes this pod the one head that Redis serves. Runs at every start of the head's container, before C(ray start).

A head whose node is lost is replaced while nobody knows whether it still runs. So the new one puts the old one out of Redis, first:

1. It writes itself down as the holder, and the one before as fenced, in one step. Who is fenced is refused here, for ever.
2. It ends the connections of the one before, at the server, however that one's machine is: cut off, slow, or frozen until tomorrow.
   A GCS does not make its connection to Redis again. It ends, its container is started again, and is refused.
3. The one before may have passed this script and not be connected yet: for two minutes its connections are ended as they come.

The record is the hash C(RAY<namespace>@rayops_head): what cleans up after Ray (KubeRay, ray_redis_keys) takes it too, and what
a user of Redis needs for Ray's keys allows it. Ray itself only looks at tables that it knows.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
import sys
import time

from redis_script import RedisError, decode, encode, split_address

#: For so long Ray too waits for Redis, and then the container ends.
PATIENCE_SECONDS = 60
#: The start of Ray, and its patience.
WATCH_SECONDS = 120
LOOK_SECONDS = 0.5
TIMEOUT_SECONDS = 5

# Nothing if this pod (ARGV[1], at address ARGV[2]) is fenced; otherwise Redis' time and the record, of which it is the holder now.
CLAIM = """
local now = redis.call('TIME')[1]
if redis.call('HEXISTS', KEYS[1], 'fenced:' .. ARGV[1]) == 1 then return false end
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder and holder ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'fenced:' .. holder, now .. ' ' .. redis.call('HGET', KEYS[1], 'address'))
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'address', ARGV[2])
return {now, redis.call('HGETALL', KEYS[1])}
"""


class Refused(Exception):
    """There must be no GCS in this pod."""


@contextlib.contextmanager
def session(environment):
    """A function that sends a command to Redis and returns the answer; what it needs to know is what Ray knows."""
    host, port, tls = split_address(environment["RAY_REDIS_ADDRESS"])
    with socket.create_connection((host, port), TIMEOUT_SECONDS) as plain:
        connection = plain
        if tls:
            # Ray asks who signed the certificate, and not for which host.
            context = ssl.create_default_context(cafile=environment["RAY_REDIS_CA_CERT"])
            context.check_hostname = False
            connection = context.wrap_socket(plain, server_hostname=host)
        with connection, connection.makefile("rb") as stream:

            def send(*words):
                connection.sendall(encode(*words))
                return decode(stream)

            if environment.get("REDIS_PASSWORD"):
                user = [environment["REDIS_USERNAME"]] if environment.get("REDIS_USERNAME") else []
                send("AUTH", *user, environment["REDIS_PASSWORD"])
            yield send


def clients(send):
    """{id: IP address} of all that are connected."""
    found = {}
    for line in send("CLIENT", "LIST").decode().splitlines():
        fields = dict(word.partition("=")[::2] for word in line.split(" "))
        found[int(fields["id"])] = fields["addr"].rpartition(":")[0].strip("[]")
    return found


def fenced_lately(now, record, own):
    """Addresses of heads that were fenced less than WATCH_SECONDS ago; without this pod's own, which had another pod then."""
    fenced = [index for index in range(0, len(record), 2) if record[index].startswith(b"fenced:")]
    marks = [record[index + 1].decode().split(" ") for index in fenced]
    return {address for at, address in marks if int(now) - int(at) < WATCH_SECONDS and address != own}


def claim(send, namespace, uid, addresses):
    """Become the holder; C(addresses): of this pod. Returns those whose connections have to be ended. Raises Refused."""
    own = send("CLIENT", "ID")
    address = clients(send)[own]
    if ipaddress.ip_address(address) not in map(ipaddress.ip_address, addresses):
        raise Refused(f"Redis sees this pod, {addresses}, as {address}, and could not tell an old head's connections from others'")
    # Ends nobody: only to know, before anything is written, that it is allowed.
    send("CLIENT", "KILL", "ID", own, "SKIPME", "yes")
    answer = send("EVAL", CLAIM, 1, f"RAY{namespace}@rayops_head", uid, address)
    if answer is None:
        raise Refused("another head has taken over from this one, which must not write to Redis any more")
    return fenced_lately(*answer, address)


def end(send, addresses):
    """End what comes from these addresses."""
    for number, address in clients(send).items():
        if address in addresses and send("CLIENT", "KILL", "ID", number):
            print(f"Ended a connection of the head before, at {address}, to Redis", flush=True)


def watch(environment, addresses, seconds):
    """End for so long what comes from these addresses still."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        # A Redis that is away has no connections.
        with contextlib.suppress(OSError, RedisError), session(environment) as send:
            end(send, addresses)
        time.sleep(LOOK_SECONDS)


def attempt(environment):
    """Claim, and end at once who has to be ended: returns their addresses."""
    try:
        with session(environment) as send:
            namespace, uid = environment["RAY_external_storage_namespace"], environment["POD_UID"]
            addresses = claim(send, namespace, uid, environment["POD_IPS"].split(","))
            end(send, addresses)
            return addresses
    except RedisError as error:
        if str(error).startswith(("NOPERM", "ERR unknown")):
            raise Refused(f"an old head could not be kept out of Redis, which has to allow CLIENT and EVAL: {error}") from error
        raise


def main(environment):
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            addresses = attempt(environment)
            break
        except Refused as refusal:
            sys.exit(f"No Ray head here: {refusal}. (ray_service_head_guard, docs/failures.md)")
        except (OSError, RedisError) as error:
            if time.monotonic() > until:
                sys.exit(f"Redis at {environment['RAY_REDIS_ADDRESS']}: {error}")
            time.sleep(LOOK_SECONDS)
    print("This pod is the head that Redis serves", flush=True)
    # A child, for Ray is not to wait for it.
    if addresses and os.fork() == 0:
        watch(environment, addresses, WATCH_SECONDS)


if __name__ == "__main__":
    main(os.environ)
