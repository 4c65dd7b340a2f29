# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fence: makes this pod the one head that Redis serves. Runs at every start of the head's container, before C(ray start).

A head whose node is lost is replaced while nobody knows whether it still runs. So the new one puts the old one out of Redis, first:

1. It writes itself down as the holder, and the one before as fenced, in one step. Who is fenced is refused here, for ever.
2. It ends the connections of the one before, at the server, however that one's machine is: cut off, slow, or frozen until tomorrow.
   A GCS does not make its connection to Redis again. It ends, its container is started again, and is refused.
3. One that has passed this script less than two minutes ago may not be connected yet: until then they are ended as they come.

The record is the hash C(RAY<namespace>@rayops_head): what cleans up after Ray (KubeRay, ray_redis_keys) takes it too, and what
a user of Redis needs for Ray's keys allows it. Ray itself only looks at tables that it knows.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
import sys
import time

from redis_script import RedisError, connected

#: For so long Ray too waits for Redis, and then the container ends.
PATIENCE_SECONDS = 60
#: From a claim to the connections of the GCS: the start of Ray, and its patience.
START_SECONDS = 120
LOOK_SECONDS = 0.5
TIMEOUT_SECONDS = 5

OTHERWISE = "ray_service_head_guard: false does without (docs/failures.md)"

# Nothing if this pod (ARGV[1], at address ARGV[2]) is fenced; otherwise Redis' time and the record, of which it is the holder now.
# A head stays fenced for ever, and pending until its connections have been ended: with the time of its last claim, and its address.
CLAIM = """
local now = redis.call('TIME')[1]
if redis.call('HEXISTS', KEYS[1], 'fenced:' .. ARGV[1]) == 1 then return false end
local before = redis.call('HMGET', KEYS[1], 'holder', 'at', 'address')
if before[1] and before[1] ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'fenced:' .. before[1], now, 'pending:' .. before[1], before[2] .. ' ' .. before[3])
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'at', now, 'address', ARGV[2])
return {now, redis.call('HGETALL', KEYS[1])}
"""


class Refused(Exception):
    """There must be no GCS in this pod."""


def session(environment):
    """A function that sends a command to Redis and returns the answer; what it needs to know is what Ray knows."""

    def context():
        # Ray asks who signed the certificate, and not for which host.
        found = ssl.create_default_context(cafile=environment["RAY_REDIS_CA_CERT"])
        found.check_hostname = False
        return found

    user, password = environment.get("REDIS_USERNAME"), environment.get("REDIS_PASSWORD")
    return connected(environment["RAY_REDIS_ADDRESS"], user, password, context, TIMEOUT_SECONDS)


def clients(send):
    """{id: IP address} of all that are connected."""
    found = {}
    for line in send("CLIENT", "LIST").decode().splitlines():
        fields = dict(word.partition("=")[::2] for word in line.split(" "))
        found[int(fields["id"])] = fields["addr"].rpartition(":")[0].strip("[]")
    return found


def pending(now, record):
    """{field: (seconds in which it may still connect, address)} of the heads that have to be put out."""
    fields = [index for index in range(0, len(record), 2) if record[index].startswith(b"pending:")]
    marks = {record[index]: record[index + 1].decode().split(" ") for index in fields}
    return {field: (int(at) + START_SECONDS - int(now), address) for field, (at, address) in marks.items()}


def claim(send, key, uid, addresses):
    """Become the holder; C(addresses): of this pod. Returns what is pending. Raises Refused."""
    own = send("CLIENT", "ID")
    address = clients(send)[own]
    if ipaddress.ip_address(address) not in map(ipaddress.ip_address, addresses):
        seen = f"Redis sees this pod, {' '.join(addresses)}, as {address}, and could not tell an old head's connections from others'"
        raise Refused(f"{seen}; {OTHERWISE}")
    # Ends nobody: only to know, before anything is written, that it is allowed.
    send("CLIENT", "KILL", "ID", own, "SKIPME", "yes")
    answer = send("EVAL", CLAIM, 1, key, uid, address)
    if answer is None:
        raise Refused("another head has taken over from this one, which must not write to Redis any more")
    return pending(*answer)


def end(send, heads):
    """End the connections of these heads, which are pending. One whose address is this pod's by now is gone."""
    found = clients(send)
    addresses = {address for _seconds, address in heads.values()} - {found[send("CLIENT", "ID")]}
    for number, address in found.items():
        if address in addresses and send("CLIENT", "KILL", "ID", number):
            print(f"Ended a connection of the head before, at {address}, to Redis", flush=True)


def watch(environment, heads):
    """Go on with it until all is done, and write that down."""
    until = time.monotonic() + max(seconds for seconds, _address in heads.values())
    while True:
        with contextlib.suppress(OSError, RedisError), session(environment) as send:
            over = time.monotonic() > until
            end(send, heads)
            if over:
                send("HDEL", key_of(environment), *heads)
                return
        time.sleep(LOOK_SECONDS)


def key_of(environment):
    return f"RAY{environment['RAY_external_storage_namespace']}@rayops_head"


def attempt(environment):
    """Claim, and end at once what has to be ended: returns what is pending."""
    try:
        with session(environment) as send:
            heads = claim(send, key_of(environment), environment["POD_UID"], environment["POD_IPS"].split(","))
            end(send, heads)
            return heads
    except RedisError as error:
        if str(error).startswith(("NOPERM", "ERR unknown")):
            raise Refused(f"Redis does not allow CLIENT and EVAL, to keep an old head out: {error}; {OTHERWISE}") from error
        raise


def main(environment):
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            heads = attempt(environment)
            break
        except Refused as refusal:
            sys.exit(f"No Ray head here: {refusal}")
        except (OSError, RedisError) as error:
            if time.monotonic() > until:
                sys.exit(f"Redis at {environment['RAY_REDIS_ADDRESS']}: {error}")
            time.sleep(LOOK_SECONDS)
    print("This pod is the head that Redis serves", flush=True)
    # A child, for Ray is not to wait for it.
    if heads and os.fork() == 0:
        watch(environment, heads)


if __name__ == "__main__":
    main(os.environ)
