"""The stand-in of Salesforce: the REST API over a world of its own, written from the vendor's documentation."""

from isthmus.connectors.crm.salesforce.sandbox.vendor import VendorSandbox

__all__ = ["VendorSandbox"]
