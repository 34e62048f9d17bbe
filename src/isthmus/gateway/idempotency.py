"""``Idempotency-Key`` on our own API: replays the answer that was given; it is not the business key.

(IETF draft-ietf-httpapi-idempotency-key-header.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Response

from isthmus.model.problems import PROBLEMS_AT, IsthmusError, Problem
from isthmus.store import keys
from isthmus.store.clock import instant
from isthmus.store.store import Store

KEY_MAX = 255


async def replayed(
    store: Store,
    holder: str,
    key: str | None,
    request: Any,
    response: Response,
    answer: Callable[[], Awaitable[tuple[int, Any]]],
) -> Any:
    """The stored answer under ``key``, or a new one that is stored. Raises 422 where the key was used otherwise."""
    if key is None:
        status, body = await answer()
        response.status_code = status
        return body
    if not 0 < len(key) <= KEY_MAX:
        raise IsthmusError(
            Problem(
                type=PROBLEMS_AT + "invalid-field", title=f"Idempotency-Key has 1 to {KEY_MAX} characters", status=400
            )
        )
    hash_ = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
    kept = await store.read(lambda tx: keys.kept_answer(tx, holder, key))
    if kept is not None:
        if kept["request_hash"] != hash_:
            title = "This Idempotency-Key was used for another request"
            raise IsthmusError(
                Problem(
                    type=PROBLEMS_AT + "idempotency-key",
                    title=title,
                    status=422,
                    mend="use a new key for a new request",
                )
            )
        response.status_code = kept["status"]
        response.headers["Idempotent-Replayed"] = "true"
        return json.loads(kept["body"])
    status, body = await answer()
    row = {
        "holder": holder,
        "key": key,
        "request_hash": hash_,
        "status": status,
        "body": json.dumps(body),
        "at": instant(store.clock()),
    }
    await store.write(lambda tx: keys.keep_answer(tx, row))
    response.status_code = status
    return body
