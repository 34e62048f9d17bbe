"""The stand-in of Zendesk Support: users, organizations, tickets, exports, search and webhooks of one account."""

from isthmus.connectors.support.zendesk.sandbox.standin import VendorSandbox

__all__ = ["VendorSandbox"]
