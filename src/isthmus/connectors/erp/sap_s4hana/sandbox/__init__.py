"""A stand-in for SAP S/4HANA: the OData v2 services of order to cash, with SAP's strictness.

Written from SAP's published interface descriptions (business accelerator hub, OData v2 and Gateway manuals);
it shares nothing with the connector.
"""

from isthmus.connectors.erp.sap_s4hana.sandbox.standin import VendorSandbox

__all__ = ["VendorSandbox"]
