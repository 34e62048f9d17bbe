"""What people are told: the evidence for our own people, the outcome for the customer."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.blueprints.case_to_credit.evidence import Evidence
from isthmus.blueprints.case_to_credit.judging import Judged
from isthmus.model import Case, CreditNote, Money

_FINDINGS = {
    "unknown_invoice": "no invoice of ours is named in the case",
    "several_invoices": "the case can mean more than one invoice",
    "another_customer": "the invoice is another customer's",
    "unclear_amount": "the disputed amount cannot be read",
    "unknown_line": "the invoice has no such line",
    "other_currency": "the disputed amount is in another currency than the invoice",
    "chargeback": "a chargeback is running at the payment firm: the money must not be given back twice",
    "charged_back": "the customer's bank has given the money back already",
    "already_credited": "the invoice is credited already",
    "more_than_left": "the case asks for more than is left to be credited",
}
_QUESTIONS = {
    "unknown_invoice": "Could you please tell us the number of the invoice that you mean?",
    "several_invoices": "Could you please tell us which invoice you mean? It can be {numbers}.",
    "unclear_amount": "Could you please tell us the amount that you dispute, such as 120.00 {currency}?",
    "unknown_line": "Could you please tell us which line of the invoice you mean? It has {lines}.",
    "other_currency": "Your invoice is in {currency}. Could you please tell us the amount that you dispute in {currency}?",
}
_REASONS = {
    "charged_back": "your bank has given the money back to you already",
    "already_credited": "it was credited to you before ({credits})",
    "another_customer": "the invoice is not in your company's name",
}


def evidence_rows(evidence: Evidence, judged: Judged, links: Mapping[str, str]) -> list[tuple[str, str, str | None]]:
    """What was found, as label, words and a link where there is one."""
    invoice, rows = evidence.invoice, list[tuple[str, str, str | None]]()

    def add(label: str, words: str, kind: str = "", number: str | None = None) -> None:
        link = links[kind].replace("{number}", number) if kind in links and number else None
        rows.append((label, words, link))

    if invoice is None:
        add("Invoice", ", ".join(i.number or "" for i in evidence.invoices) or "none found")
        return rows
    add("Invoice", f"{invoice.number} of {invoice.issue_date}: {_money(invoice.totals.payable_amount)}"
        f" (tax {_money(invoice.totals.tax_amount)}), paid: {judged.paid}", "invoice", invoice.number)  # fmt: skip
    if evidence.asked is not None:
        rows.append(("Payment", f"{evidence.asked.number}: {evidence.asked.status}", evidence.asked.document_url))
    if evidence.order is not None:
        ordered = "; ".join(f"{line.id}: {line.quantity.value:f} × {line.name}" for line in evidence.order.lines)
        number = evidence.order.number
        add("Order", f"{number} ({evidence.order.request_number}), {ordered}", "order", number)
    for each in evidence.deliveries:
        when = f"shipped {each.shipped_at:%Y-%m-%d}" if each.shipped_at else "not shipped"
        proof = f", receipt confirmed {each.delivered_at:%Y-%m-%d}" if each.delivered_at else ", receipt not confirmed"
        add("Delivery", f"{each.number}: {when}{proof}", "delivery", each.number)
    for note in evidence.credits:
        number = note.request.number if note.request else note.number
        add("Earlier credit", f"{number}: {_money(note.totals.payable_amount)} ({note.status})", "credit", number)
    for dispute in evidence.chargebacks:
        add("Chargeback", f"{_money(dispute.amount)}: {dispute.decision}")
    if judged.plan:
        add("Support plan", judged.plan)
    for name, why in evidence.missing.items():
        add(f"{name.capitalize()} not known", why)
    return rows


def evidence_note(evidence: Evidence, judged: Judged, links: Mapping[str, str]) -> str:
    """The internal note: what was found, what is asked for, what speaks against it."""
    lines = [
        f"{label}: {words}" + (f"\n  {link}" if link else "")
        for label, words, link in evidence_rows(evidence, judged, links)
    ]
    if judged.amount is not None:
        lines.append(
            f"Asked for: {_money(judged.amount)} ({judged.reason}); left of the invoice: {_money(judged.left)}"
        )
    if judged.finding != "none":
        lines.append(f"But {_FINDINGS[judged.finding]}.")
    return "Evidence gathered for this dispute\n" + "\n".join(lines)


def question(evidence: Evidence, judged: Judged) -> str:
    """What the customer is asked."""
    invoice = evidence.invoice
    words = _QUESTIONS.get(judged.finding, "Could you please tell us more about what is wrong with the invoice?")
    return "Thank you for writing to us. " + words.format(
        numbers=", ".join(each.number or "" for each in evidence.invoices),
        currency=invoice.currency if invoice else "EUR",
        lines=", ".join(f"{line.id} ({line.name})" for line in invoice.lines) if invoice else "",
    )


def rejection(evidence: Evidence, judged: Judged, because: str) -> str:
    """Why nothing is credited, for the customer."""
    numbers = (note.request.number if note.request else note.number for note in evidence.credits)
    why = because or _REASONS.get(judged.finding, "we found the invoice to be right")
    number = evidence.invoice.number if evidence.invoice else "the invoice"
    why = why.format(credits=", ".join(each for each in numbers if each), number=number)
    return f"We have looked into your question about invoice {number}. We cannot credit it: {why}."


def handed_over(remedy: str, judged: Judged) -> tuple[str, str]:
    """What our own people have to do, and what the customer is told."""
    tasks = {
        "return": ("take the goods back: make a return order with reference to the invoice, credit on receipt",
                   "Our logistics team will write to you about returning the goods."),
        "replacement": ("send a replacement: make a free-of-charge order with reference to the invoice",
                        "We will send you a replacement; our order desk will write to you."),
        "correction": ("correct the invoice: cancel it and bill the order anew",
                       "We will send you a corrected invoice."),
    }  # fmt: skip
    task, told = tasks[remedy]
    return f"Decided: {remedy} ({judged.reason}). To do: {task}.", f"Thank you for your patience. {told}"


def credited(case: Case, note: CreditNote, refunded: Money | None) -> str:
    """What the customer hears of a credit."""
    invoice = note.corrects[0].invoice.number
    money = f" {_money(refunded)} of it goes back the way you paid." if refunded is not None else ""
    total, tax = _money(note.totals.payable_amount), _money(note.totals.tax_amount)
    return f"We have credited {total} (of it tax {tax}) for invoice {invoice}.{money} Thank you for telling us."


def not_agreed(note: CreditNote, comment: str | None) -> str:
    """What the customer hears where a person has said no."""
    invoice = note.corrects[0].invoice.number
    return f"We have looked into your question about invoice {invoice}. We cannot credit it: {comment or 'we found it to be right'}."


def asked_about(case: Case, note: CreditNote, judged: Judged) -> str:
    """What people decide, in one line."""
    total, invoice = _money(note.totals.payable_amount), note.corrects[0].invoice.number
    return f"Credit {total} for invoice {invoice} to customer {judged.customer} ({judged.reason}, case {case.number})"


def _money(money: Money | None) -> str:
    return f"{money.amount:,} {money.currency}" if money is not None else "?"
