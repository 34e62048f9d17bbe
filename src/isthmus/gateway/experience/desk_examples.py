"""Examples of the support desk's answers, for the OpenAPI document; a test holds them against their shapes."""

from __future__ import annotations

from typing import Any

_CUSTOMER = {
    "id": "customer_5R3WC62TVKGRZJCV1H4HG19K25",
    "number": "17100001",
    "name": "Acme Solar GmbH",
    "business_unit": "emea",
    "status": "active",
    "people": [{"name": "Ann Weber", "email": "ann.weber@acme-solar.example"}],
}
_AS_OF = "2026-11-23T10:02:14Z"

EXAMPLE: dict[str, Any] = {
    "customer": _CUSTOMER,
    "credit": {
        "status": "free",
        "blocks": [],
        "open": [{"amount": "1190.00", "currency": "EUR"}],
        "overdue": [],
    },
    "orders": [
        {
            "number": "4500002",
            "request_number": "OPP-1002",
            "date": "2026-11-20",
            "total": {"amount": "1190.00", "currency": "EUR"},
            "status": "in_fulfilment",
            "fulfilment": "partial",
            "billing": "none",
            "holds": [],
            "next_date": "2026-12-01",
            "lines": [
                {
                    "line": 10,
                    "product": "X-100",
                    "name": "Panel 100",
                    "unit": "C62",
                    "ordered": "5",
                    "confirmed": "5",
                    "back_ordered": "0",
                    "shipped": "3",
                    "delivered": "0",
                    "cancelled": "0",
                    "invoiced": "0",
                    "next_date": "2026-12-01",
                    "status": "partly_shipped",
                }
            ],
            "deliveries": [
                {
                    "number": "80000001",
                    "status": "shipped",
                    "shipped_at": "2026-11-23T09:05:30Z",
                    "packages": [{"carrier": "DHL", "tracking_number": "JD0146"}],
                }
            ],
        }
    ],
    "invoices": [
        {
            "number": "SONN-0001",
            "legal_number": "90000001",
            "order": "4500002",
            "date": "2026-11-23",
            "due_date": "2026-12-23",
            "total": {"amount": "1190.00", "currency": "EUR"},
            "open": {"amount": "1190.00", "currency": "EUR"},
            "status": "open",
        }
    ],
    "entitlements": [{"plan": "gold", "until": "2027-11-30", "status": "active", "order": "4500002"}],
    "cases": [
        {
            "number": "35436",
            "subject": "Where is the rest?",
            "status": "open",
            "priority": "normal",
            "about": ["order 4500002"],
        }
    ],
    "disputes": [],
    "sources": {
        "orders": {"role": "erp", "as_of": _AS_OF},
        "invoices": {
            "role": "billing",
            "unavailable": "no answer within 800 ms",
            "stale_since": "2026-11-23T09:40:00Z",
        },
    },
}

EXAMPLE_V1: dict[str, Any] = {
    "customer": _CUSTOMER,
    "orders": [{"number": "4500002", "state": "in_fulfilment"}],
    "invoices": [{"number": "SONN-0001", "total": {"amount": "1190.00", "currency": "EUR"}, "state": "open"}],
    "entitlement": {"plan": "gold", "until": "2027-11-30"},
    "sources": {
        "orders": {"as_of": _AS_OF},
        "invoices": {"unavailable": "no answer within 800 ms", "last_known": "2026-11-23T09:40:00Z"},
    },
}
