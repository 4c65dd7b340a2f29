# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ray Serve application: a Mistral model on llama.cpp behind OpenAI's API and `GET /infer?sentence=…`.

The headers `x-serve-replica` and `x-serve-node` of each answer tell who gave it. `GET /-/healthz` and the answers to
requests that are too many (503) belong to Serve's own proxy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from http_api import Api
from llama_engine import Engine
from llama_model import LlamaModel
from openai_api import Offer
from ray import serve
from starlette.applications import Starlette


@dataclass(frozen=True)
class Args:
    """`args` of the Serve config."""

    model_path: str
    #: The name that the API shows.
    model: str
    #: Tokens of prompt and answer together.
    context: int
    #: Tokens of the longest answer that may be asked for (0: as many as the context has), of one where the request does not say, of
    #: one of /infer.
    max_tokens: int = 0
    default_max_tokens: int = 256
    infer_tokens: int = 16
    #: Bytes.
    max_body: int = 2**20
    #: Of llama.cpp; 0 takes half of the machine's, which are its real cores on most machines.
    threads: int = 0


class Mistral:
    """One replica: one model. `serve.ingress` adds `app`, which it has from the builder's `application`."""

    app: Starlette

    def check_health(self) -> None:
        """Called by Serve now and then; an exception has the replica replaced."""
        self.app.state.engine.check()


def build(args: dict[str, Any]) -> serve.Application:
    """The application from `args` of the Serve config, see Args."""
    given = Args(**args)

    def application() -> Starlette:
        """Called where a replica starts."""
        threads = given.threads or max(1, (os.cpu_count() or 1) // 2)
        engine = Engine(lambda: LlamaModel(given.model_path, given.context, threads))
        created = int(os.path.getmtime(given.model_path))
        longest = given.max_tokens or given.context
        offer = Offer(given.model, created, given.context, longest, given.default_max_tokens)
        headers = {
            "x-serve-replica": serve.get_replica_context().replica_tag,
            "x-serve-node": os.environ.get("NODE_NAME", ""),
        }
        app = Api(engine, offer, given.infer_tokens, given.max_body, headers).application()
        app.state.engine = engine
        return app

    return serve.deployment(serve.ingress(application)(Mistral), name="Mistral").bind()
