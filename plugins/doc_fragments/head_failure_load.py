# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The load of ray_head_failure_check."""

    DOCUMENTATION = r"""
options:
  load:
    description:
      - The kinds of requests, all at the same time.
      - Up to 1000 requests a second in all; a user counts as one request each O(load[].think_seconds).
    type: list
    elements: dict
    default: [{name: requests, path: "/infer?sentence=hello", rate: 20}]
    suboptions:
      name:
        description: What the entry is called in the report.
        type: str
        required: true
      path:
        description: Path, with its query, that each request asks for.
        type: str
        required: true
      method:
        description: Method of the request.
        type: str
        choices: [GET, POST]
        default: GET
      body:
        description: Body of the request, sent as JSON. Not with O(load[].method=GET).
        type: dict
      headers:
        description:
          - Headers of the request, such as C(Authorization) for an API that wants a key. They take the place of those that the load would
            have by itself, C(Accept), C(User-Agent) and C(Content-Type).
          - Reports have their names only. For the pod that carries the load they are kept in the Secret RV(ignore:name)C(-head-failure-load)
            while the load lasts.
        type: dict
      stream:
        description:
          - The answer is a stream of server-sent events whose last one is C([DONE]), as OpenAI's API has it. C(stream) is set to V(true)
            in O(load[].body).
          - A stream has failed when it breaks off, when it is silent for too long, and when an event in it is an error.
        type: bool
        default: false
      rate:
        description: Requests per second, whatever becomes of the earlier ones (open loop). This or O(load[].users).
        type: float
      users:
        description: Users who each wait for an answer before they ask again (closed loop).
        type: int
      think_seconds:
        description: How long a user thinks between an answer and the next request, on average. Each time it is half to one and a half of this.
        type: float
        default: 1
      connection:
        description:
          - V(new) makes a connection for each request.
          - V(kept) uses connections again. A rate has one pool of them, each user has their own.
          - A kept connection that the server is known to have closed is not used. When it is closed while a request is on its way,
            before a byte of the answer, a C(GET) is sent once more on a new connection, as RFC 9110 allows and clients do; the
            report counts these, and latency goes on counting. A C(POST) has failed then.
        type: str
        choices: [new, kept]
        default: new
      request_timeout:
        description: Seconds, counted from when it was due, after which a request without a whole answer, or a stream without its end, has failed.
        type: float
        default: 10
      max_gap_seconds:
        description: Seconds without an event after which a stream has failed. Counted from its first token on.
        type: float
        default: 5
  target:
    description:
      - Name of the Service in O(namespace) to load.
      - Its port named C(serve) or C(http), its only port, or 8000 is used.
      - Without it, the service that KubeRay keeps for the application, RV(ignore:name)C(-serve-svc), is loaded.
    type: str
  url:
    description:
      - Load this URL, to which the paths of O(load) are appended, from a process on the machine on which the module runs, instead
        of from a pod.
      - To see what users outside the cluster see, with the load balancer on the way.
    type: str
  image:
    description:
      - Image of the pod that carries the load. Any image with C(python3) (3.9 or later) does.
      - Without it, the image of the service's workers, which their nodes have already.
    type: str
  baseline_seconds:
    description: How long to load before the failure. Long enough for at least one request of each kind to end.
    type: int
    default: 10
"""
