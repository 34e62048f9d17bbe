"""Case to credit: a disputed invoice is looked into, decided by the company's tables, credited, and the customer told.

The ledger owns the amounts and their tax; billing gives the money back, to the cent what the ledger credits. A credit is
asked for at once, held back by the ledger's billing block, and released once those who must have agreed to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus import Decision, Run, billing, crm, erp, park, process, support
from isthmus.blueprints.case_to_credit import texts
from isthmus.blueprints.case_to_credit.documents import credit_for, equal_to_the_cent, for_billing
from isthmus.blueprints.case_to_credit.evidence import Evidence, gather
from isthmus.blueprints.case_to_credit.judging import Judged, judge
from isthmus.model import Case, CreditNote, Link, Money, Reference, sum_money

_HANDED_OVER = ("correction", "return", "replacement")


async def told_of_withdrawal(run: Run, case: Case) -> None:
    """After everything was undone the desk must know."""
    note = "The credit was withdrawn: what had been made was taken back."
    await _say(run, case, note, name="withdrawn", public=False, status="open")


@process("case-to-credit", version=1, starts_on="isthmus.case.disputed.v1", when_undone=told_of_withdrawal)
async def case_to_credit(run: Run, case: Case) -> Reference:
    """The way of one dispute. Returns the case's reference."""
    case, evidence, judged, verdict = await looked_into(run, case)
    assert case.source is not None
    links = run.settings.get("links") or {}
    note = texts.evidence_note(evidence, judged, links)
    await _say(run, case, note, name="evidence", public=False)
    remedy = verdict["remedy"]
    if remedy in ("reject", "clarify"):  # nobody has answered what had to be clear
        because = "we have had no answer to our question" if remedy == "clarify" else verdict.get("because", "")
        await _say(run, case, texts.rejection(evidence, judged, because), name="rejection", status="solved")
    elif remedy in _HANDED_OVER:
        todo, told = texts.handed_over(remedy, judged)
        await _say(run, case, todo, name="todo", public=False)
        await _say(run, case, told, name="handed-over", status="waiting_internal")
    elif remedy == "credit":
        await credit(run, case, evidence, judged, verdict)
    else:
        park(
            f"The decision table {run.settings['remedies']} says remedy {remedy!r}, which there is none of",
            mend="write credit, correction, return, replacement, reject, clarify or wait there, then replay",
            code="unknown-remedy",
        )
    return case.source


async def looked_into(run: Run, case: Case) -> tuple[Case, Evidence, Judged, Mapping[str, Any]]:
    """Gather and judge, again and again while the tables want something to become clear first."""
    until = {"clarify": run.settings["answer_within"], "wait": run.settings["chargeback_within"]}
    asked: set[str] = set()
    number, at = 0, run.opened_at
    while True:
        evidence = await run.step(gather, case, _with_billing(run), key=str(number or ""))
        judged = judge(case, evidence, run.settings)
        verdict = run.decide(run.settings["remedies"], judged)
        remedy = verdict["remedy"]
        if remedy not in until:
            return case, evidence, judged, verdict
        if at >= run.opened_at + until[remedy]:
            if remedy == "clarify":
                return case, evidence, judged, verdict
            park(
                f"A chargeback about invoice {evidence.invoice and evidence.invoice.number} is still running",
                mend="see at the payment firm how it ended, then replay; or cancel",
                code="chargeback-open",
            )
        if judged.finding not in asked:
            asked.add(judged.finding)
            await _wait_word(run, case, evidence, judged, remedy)
        number, at = number + 1, at + run.settings["ask_every"]
        await run.wait(remedy, until=at, key=str(number), why=f"waits: {judged.finding.replace('_', ' ')}")
        assert case.source is not None
        case = await run.step(support.read_case, case.source, name="read again", key=str(number)) or case


async def credit(run: Run, case: Case, evidence: Evidence, judged: Judged, verdict: Mapping[str, Any]) -> None:
    """Ask the ledger, have it agreed to, release it, give the money back, and tell everybody."""
    assert judged.amount is not None
    asked = credit_for(case, evidence, judged, judged.amount, run.opened_on)
    held = await run.step(erp.request_credit, asked, undo=erp.cancel_credit_request)
    decision = await agreed(run, case, evidence, judged, held)
    if not decision.approved:
        await run.step(erp.cancel_credit_request, held, stays="it takes back what was asked for")
        why = decision.comment if decision.verdict == "rejected" else "nobody has agreed to it in time"
        await _say(run, case, f"Not agreed: {decision.verdict} by {decision.by or 'nobody'}: {why or ''}", name="no", public=False)  # fmt: skip
        await _say(run, case, texts.not_agreed(held, why), name="rejection", status="solved")
        return
    if decision.amount is not None and decision.amount != held.totals.payable_amount:
        await run.step(erp.cancel_credit_request, held, stays="it is asked for anew, with another amount")
        changed = credit_for(case, evidence, judged, decision.amount, run.opened_on)
        held = await run.step(erp.request_credit, changed, undo=erp.cancel_credit_request, key="changed")
    await no_chargeback_since(run, evidence)
    released = await run.step(erp.release_credit, held, stays="its undo is that of the request")
    refunded = await given_back(run, evidence, released)
    await _say(run, case, texts.credited(case, released, refunded), name="credited", status="solved")
    number = released.request.number if released.request else ""
    by = f" agreed by {decision.by}" if decision.by else " by rule"
    await _say(run, case, f"Credit memo request {number} released,{by}.", name="released", public=False)
    await told_account(run, case, evidence, released)


async def agreed(run: Run, case: Case, evidence: Evidence, judged: Judged, held: CreditNote) -> Decision:
    """Ask whom the table names; an automatic approval where it names nobody."""
    total = held.totals.payable_amount
    rule = run.decide(run.settings["approvals"], judged.model_copy(update={"amount": total}))
    if rule.get("automatic"):
        return Decision(verdict="approved", comment=f"by rule, up to {rule.get('limit', 'its limit')}")
    return await run.approval(
        rule["by"],
        about=texts.asked_about(case, held, judged),
        within=rule["within"],
        amount=total,
        most=judged.left,
        needed=int(rule.get("needed", 1)),
        remind_after=rule.get("remind_after"),
        escalate_after=rule.get("escalate_after"),
        escalate_to=rule.get("escalate_to"),
        facts=texts.evidence_rows(evidence, judged, run.settings.get("links") or {}),
        requested_by=[name for name in (case.assignee, case.contact.email if case.contact else None) if name],
        because=rule.get("because", ""),
    )


async def no_chargeback_since(run: Run, evidence: Evidence) -> None:
    """Agreeing may have taken weeks: ask once more whether the bank takes the money back before it is given back."""
    if evidence.asked is None or evidence.asked.source is None:
        return
    found = await run.step(billing.search_disputes, evidence.asked.source, name="chargebacks since")
    if any(each.decision in ("open", "lost") for each in found):
        park(
            f"A chargeback about invoice {evidence.asked.number} came up while the credit was agreed to",
            mend="cancel this, so that the money is not given back twice; or, once the chargeback is won, replay",
            code="chargeback-since",
            error_class="conflict",
        )


async def given_back(run: Run, evidence: Evidence, released: CreditNote) -> Money | None:
    """Billing credits the invoice that asked for the money, and pays back what was paid; how much that was."""
    if evidence.asked is None:
        return None
    asked = for_billing(released, evidence.asked)
    given = await run.step(billing.create_credit_note, asked, undo=billing.void_credit_note)
    equal_to_the_cent(released, given)
    refunds = [use.amount for use in given.use if use.kind == "refund"]
    return sum_money(refunds, given.currency) if refunds else None


async def told_account(run: Run, case: Case, evidence: Evidence, released: CreditNote) -> None:
    """Those who look after the account hear of it."""
    if evidence.account is None or evidence.account.id is None:
        return
    invoice = evidence.invoice
    assert invoice is not None
    activity = crm.CustomerActivity(
        customer=Link(kind="customer", id=evidence.account.id, number=evidence.account.number),
        subject=f"Credit of {released.totals.payable_amount} for invoice {invoice.number}",
        text=f"Reason: {released.reason}. Case {case.number}: {case.subject}",
        day=run.opened_on,
    )
    await run.step(crm.log_activity, activity, stays="it tells what happened")


async def _wait_word(run: Run, case: Case, evidence: Evidence, judged: Judged, remedy: str) -> None:
    """Ask the customer, or tell our own people what is waited for."""
    if remedy == "clarify":
        words = texts.question(evidence, judged)
        await _say(run, case, words, name=f"question {judged.finding}", status="waiting_customer")
    else:
        note = texts.evidence_note(evidence, judged, run.settings.get("links") or {})
        await _say(run, case, note, name=f"waits {judged.finding}", public=False, status="waiting_internal")


async def _say(run: Run, case: Case, text: str, *, name: str, public: bool = True, status: Any = None) -> None:
    assert case.source is not None
    note = support.CaseNote(case=case.source, text=text, public=public, status=status)
    if public:
        await run.step(support.reply, note, name=name, stays="what was said was said")
    else:
        await run.step(support.add_note, note, name=name, stays="what was said was said")


def _with_billing(run: Run) -> bool:
    """Whether billing asks for the money, or the ledger alone."""
    return run.values.get("invoice_owner") != "erp_only"
