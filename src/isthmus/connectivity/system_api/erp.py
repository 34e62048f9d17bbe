"""Enterprise resource planning: the ledger's customers, prices, stock, orders and legal invoices."""

from __future__ import annotations

from isthmus.connectivity.system_api.operation import Operation, Search
from isthmus.model import CreditNote, Customer, Delivery, Invoice, Link, Order, Product, Reference

#: finds the customer by cross-reference, by business number, by tax number, or creates it once
ensure_customer: Operation[Customer, Reference] = Operation(
    "erp", "ensure_customer", Customer, Reference, writes=True, per="object", reversal="retire_customer"
)
#: a customer that was made twice: blocked, marked for archiving, and no longer found under our key
retire_customer: Operation[Reference, Reference] = Operation(
    "erp", "retire_customer", Reference, Reference, writes=True
)
read_customer: Operation[Link, Customer] = Operation("erp", "read_customer", Link, Customer)
search_customers: Operation[Search, tuple[Customer, ...]] = Operation(
    "erp", "search_customers", Search, Customer, many=True
)
read_product: Operation[Reference, Product] = Operation("erp", "read_product", Reference, Product)
search_products: Operation[Search, tuple[Product, ...]] = Operation(
    "erp", "search_products", Search, Product, many=True
)
#: the order as the ERP would take it now: its prices, tax, confirmed schedule lines and credit check; nothing is kept
simulate_order: Operation[Order, Order] = Operation("erp", "simulate_order", Order, Order)
create_order: Operation[Order, Order] = Operation(
    "erp", "create_order", Order, Order, writes=True, reversal="cancel_order"
)
cancel_order: Operation[Order, Order] = Operation("erp", "cancel_order", Order, Order, writes=True)
read_order: Operation[Reference, Order] = Operation("erp", "read_order", Reference, Order)
search_orders: Operation[Search, tuple[Order, ...]] = Operation("erp", "search_orders", Search, Order, many=True)
read_invoice: Operation[Reference, Invoice] = Operation("erp", "read_invoice", Reference, Invoice)
search_invoices: Operation[Search, tuple[Invoice, ...]] = Operation(
    "erp", "search_invoices", Search, Invoice, many=True
)
#: the deliveries of the order with this reference
search_deliveries: Operation[Reference, tuple[Delivery, ...]] = Operation(
    "erp", "search_deliveries", Reference, Delivery, many=True
)
#: a customer's deliveries, the last ones first
search_customer_deliveries: Operation[Search, tuple[Delivery, ...]] = Operation(
    "erp", "search_customer_deliveries", Search, Delivery, many=True
)
#: a credit with reference to its invoice, held back until it is released; its amounts and tax are the ledger's
request_credit: Operation[CreditNote, CreditNote] = Operation(
    "erp", "request_credit", CreditNote, CreditNote, writes=True, reversal="cancel_credit_request"
)
release_credit: Operation[CreditNote, CreditNote] = Operation(
    "erp", "release_credit", CreditNote, CreditNote, writes=True
)
#: takes a requested credit back: a draft is deleted, what is posted is reversed
cancel_credit_request: Operation[CreditNote, CreditNote] = Operation(
    "erp", "cancel_credit_request", CreditNote, CreditNote, writes=True
)
#: the posted credit
read_credit_note: Operation[Reference, CreditNote] = Operation("erp", "read_credit_note", Reference, CreditNote)
#: what was requested or credited of the invoice with this reference, and was not taken back
search_credit_notes: Operation[Reference, tuple[CreditNote, ...]] = Operation(
    "erp", "search_credit_notes", Reference, CreditNote, many=True
)
