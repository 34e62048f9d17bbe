"""What Stripe says when it refuses: one exception with Stripe's error shape and status.

Types and codes after docs.stripe.com/error-codes and the pinned client's ErrorObject.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

#: what Stripe calls a kind of object in "No such …"
_SPOKEN = {
    "payment_method": "PaymentMethod",
    "webhook_endpoint": "webhook endpoint",
    "tax_rate": "tax rate",
    "line_item": "invoice line item",
    "tax.calculation": "tax calculation",
}


class StripeError(Exception):
    """An answer in Stripe's error shape.

    ``stored`` says whether the answer is kept under the request's idempotency key: Stripe keeps what an endpoint
    answered once it had begun to work, but not refusals of the parameters (docs: idempotent_requests).
    """

    stored = True

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: Json = {"message": message, "type": kind, **more}
        if param is not None:
            self.error["param"] = param
        if code is not None:
            self.error["code"] = code
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"

    def body(self, request_id: str) -> Json:
        """The answer's body; ``request_log_url`` names the request as Stripe's do."""
        log = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": {**self.error, "request_log_url": log}}


class ParameterError(StripeError):
    """The parameters themselves are wrong: nothing began, and nothing is kept under the idempotency key."""

    stored = False


class Declined(StripeError):
    """The card was declined, or wants its holder: status 402, and what was recorded of the attempt stays."""

    def __init__(self, message: str, *, code: str, decline_code: str | None = None, **more: Any) -> None:
        if decline_code is not None:
            more["decline_code"] = decline_code
        super().__init__(message, status=402, kind="card_error", code=code, **more)


def missing_object(kind: str, identity: str, param: str) -> StripeError:
    """``resource_missing``: 404 for the object that the address names, 400 for one that a parameter names."""
    return StripeError(
        f"No such {_SPOKEN.get(kind, kind)}: '{identity}'",
        status=404 if param == "id" else 400,
        code="resource_missing",
        param=param,
    )


def missing_parameter(name: str) -> ParameterError:
    """A required parameter is not there."""
    return ParameterError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def unknown_parameters(names: list[str]) -> ParameterError:
    """Parameters that this operation does not have in the pinned version."""
    word = "parameter" if len(names) == 1 else "parameters"
    listed = ", ".join(names)
    return ParameterError(f"Received unknown {word}: {listed}", code="parameter_unknown", param=names[0])


def exclusive_parameters(*names: str) -> ParameterError:
    """Parameters of which only one may be given."""
    return ParameterError(
        f"You may only specify one of these parameters: {', '.join(names)}.",
        code="parameters_exclusive",
        param=names[0],
    )
