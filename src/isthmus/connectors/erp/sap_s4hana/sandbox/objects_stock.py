"""Entity types of material documents.

Names, types and lengths after SAP's published interface description; rarely used groups of properties are left out.
"""

MATERIAL_DOCUMENTS = """
A_MaterialDocumentHeader
  MaterialDocumentYear:S4*= MaterialDocument:S10*= InventoryTransactionType:S2= DocumentDate:D= PostingDate:D=
  CreationDate:D= CreationTime:T= CreatedByUser:S12= MaterialDocumentHeaderText:S25= ReferenceDocument:S16=
  GoodsMovementCode:S2=
  > to_MaterialDocumentItem A_MaterialDocumentItem* MaterialDocumentYear,MaterialDocument
A_MaterialDocumentItem
  MaterialDocumentYear:S4*= MaterialDocument:S10*= MaterialDocumentItem:S4*#= Material:S40= Plant:S4=
  StorageLocation:S4= Batch:S10= GoodsMovementType:S3= InventoryStockType:S2= Customer:S10@= SalesOrder:S10@=
  SalesOrderItem:S6#= EntryUnit:S3= QuantityInEntryUnit:Q= MaterialBaseUnit:S3= QuantityInBaseUnit:Q=
  GoodsMovementIsCancelled:B=
  > to_MaterialDocumentHeader A_MaterialDocumentHeader1 MaterialDocumentYear,MaterialDocument
"""
