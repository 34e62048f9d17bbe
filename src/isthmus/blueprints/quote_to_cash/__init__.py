"""Quote to cash: an accepted quote becomes an order, an invoice that asks for the money, and an entitlement."""
