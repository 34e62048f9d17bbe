"""The test cards: what each number does when it is attached, charged or refunded.

docs.stripe.com/testing: numbers, ``pm_card_…`` and ``tok_…`` names, declines, disputes, refunds that fail.
"""

from __future__ import annotations

from dataclasses import dataclass

_MESSAGES = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A test card. ``decline`` is "code/decline_code" of every charge; ``attaches`` is False where even saving it
    declines; ``disputed`` is the reason of the dispute that follows a charge; ``refund`` is what becomes of one."""

    number: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: str = ""
    attaches: bool = True
    disputed: str = ""
    authenticates: bool = False
    refund: str = "succeeded"

    @property
    def code(self) -> str:
        """The error's code of a decline."""
        return self.decline.partition("/")[0]

    @property
    def decline_code(self) -> str | None:
        """The issuer's reason of a decline."""
        return self.decline.partition("/")[2] or None

    @property
    def message(self) -> str:
        """What Stripe says of a decline."""
        return _MESSAGES.get(self.decline_code or "") or _MESSAGES.get(self.code, _MESSAGES["card_declined"])


#: by the name behind ``pm_card_`` and ``tok_``
NAMED = {
    "visa": Card("4242424242424242"),
    "visa_debit": Card("4000056655665556", funding="debit"),
    "mastercard": Card("5555555555554444", brand="mastercard"),
    "mastercard_debit": Card("5200828282828210", brand="mastercard", funding="debit"),
    "mastercard_prepaid": Card("5105105105105100", brand="mastercard", funding="prepaid"),
    "amex": Card("378282246310005", brand="amex"),
    "discover": Card("6011111111111117", brand="discover"),
    "diners": Card("3056930009020004", brand="diners"),
    "jcb": Card("3566002020360505", brand="jcb"),
    "unionpay": Card("6200000000000005", brand="unionpay"),
    "us": Card("4242424242424242"),
    "at": Card("4000000400000008", country="AT"),
    "au": Card("4000000360000006", country="AU"),
    "ch": Card("4000007560000009", country="CH"),
    "de": Card("4000002760000016", country="DE"),
    "fr": Card("4000002500000003", country="FR"),
    "gb": Card("4000008260000000", country="GB"),
    "it": Card("4000003800000008", country="IT"),
    "jp": Card("4000003920000003", country="JP"),
    "no": Card("4000005780000007", country="NO"),
    "sg": Card("4000007020000003", country="SG"),
    "bypassPending": Card("4000000000000077"),
    "visa_chargeDeclined": Card("4000000000000002", decline="card_declined/generic_decline", attaches=False),
    "chargeDeclined": Card("4000000000000002", decline="card_declined/generic_decline", attaches=False),
    "chargeDeclinedInsufficientFunds": Card(
        "4000000000009995", decline="card_declined/insufficient_funds", attaches=False
    ),
    "chargeDeclinedLostCard": Card("4000000000009987", decline="card_declined/lost_card", attaches=False),
    "chargeDeclinedStolenCard": Card("4000000000009979", decline="card_declined/stolen_card", attaches=False),
    "chargeDeclinedFraudulent": Card("4100000000000019", decline="card_declined/fraudulent", attaches=False),
    "chargeDeclinedVelocityLimitExceeded": Card(
        "4000000000006975", decline="card_declined/card_velocity_exceeded", attaches=False
    ),
    "chargeDeclinedExpiredCard": Card("4000000000000069", decline="expired_card", attaches=False),
    "chargeDeclinedIncorrectCvc": Card("4000000000000127", decline="incorrect_cvc", attaches=False),
    "chargeDeclinedProcessingError": Card("4000000000000119", decline="processing_error", attaches=False),
    "chargeCustomerFail": Card("4000000000000341", decline="card_declined/generic_decline"),
    "createDispute": Card("4000000000000259", disputed="fraudulent"),
    "createDisputeProductNotReceived": Card("4000000000002685", disputed="product_not_received"),
    "createDisputeInquiry": Card("4000000000001976", disputed="inquiry"),
    "authenticationRequired": Card("4000002760003184", authenticates=True),
    "threeDSecure2Required": Card("4000000000003220", authenticates=True),
    "threeDSecureRequired": Card("4000000000003063", authenticates=True),
    "pendingRefund": Card("4000000000007726", refund="pending"),
    "refundFail": Card("4000000000005126", refund="failed"),
}
_BY_NUMBER = {card.number: card for card in reversed(NAMED.values())}
_BY_LAST4 = {card.number[-4:]: card for card in reversed(NAMED.values())}


def named(name: str) -> Card | None:
    """The card of ``pm_card_visa`` or ``tok_visa``."""
    for prefix in ("pm_card_", "tok_"):
        if name.startswith(prefix):
            return NAMED.get(name.removeprefix(prefix))
    return None


def numbered(number: str) -> Card | None:
    """The test card with this number."""
    return _BY_NUMBER.get(number.replace(" ", ""))


def ending_in(last4: str) -> Card:
    """The test card that a kept payment method is of."""
    return _BY_LAST4[last4]
