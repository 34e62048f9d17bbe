"""Entity types of deliveries, billing documents and credit memo requests, and the results of function imports.

Names, types and lengths after SAP's published interface description; rarely used groups of properties are left out.
"""

DELIVERIES = """
A_OutbDeliveryHeader
  DeliveryDocument:S10*@= ActualDeliveryRoute:S6 ActualGoodsMovementDate:D= ActualGoodsMovementTime:T=
  BillingDocumentDate:D BillOfLading:S35 CompleteDeliveryIsDefined:B CreatedByUser:S12= CreationDate:D= CreationTime:T=
  DeliveryBlockReason:S2 DeliveryDate:D DeliveryDocumentBySupplier:S35 DeliveryDocumentType:S4= DeliveryPriority:S2
  DocumentDate:D HeaderBillingBlockReason:S2 HeaderGrossWeight:Q= HeaderNetWeight:Q= HeaderWeightUnit:S3=
  IncotermsClassification:S3 LastChangeDate:D= LastChangedByUser:S12=
  OverallDelivReltdBillgStatus:S1= OverallGoodsMovementStatus:S1= OverallPackingStatus:S1= OverallPickingConfStatus:S1=
  OverallPickingStatus:S1= OverallProofOfDeliveryStatus:S1= OverallSDProcessStatus:S1= PlannedGoodsIssueDate:D
  ProofOfDeliveryDate:D= SalesOrganization:S4= SDDocumentCategory:S4= ShippingCondition:S2 ShippingPoint:S4
  ShipToParty:S10@= SoldToParty:S10@= TotalBlockStatus:S1= TotalCreditCheckStatus:S1= TransactionCurrency:S5=
  > to_DeliveryDocumentItem A_OutbDeliveryItem* DeliveryDocument
  > to_DeliveryDocumentPartner A_OutbDeliveryPartner* DeliveryDocument=SDDocument
A_OutbDeliveryItem
  DeliveryDocument:S10*@= DeliveryDocumentItem:S6*#= ActualDeliveredQtyInBaseUnit:Q= ActualDeliveryQuantity:Q
  BaseUnit:S3= Batch:S10 CreatedByUser:S12= CreationDate:D= DeliveryDocumentItemCategory:S4=
  DeliveryDocumentItemText:S40= DeliveryQuantityUnit:S3= DeliveryRelatedBillingStatus:S1= DistributionChannel:S2=
  Division:S2= GoodsMovementStatus:S1= GoodsMovementType:S3= Material:S40= MaterialGroup:S9=
  OriginalDeliveryQuantity:Q= PickingStatus:S1= Plant:S4= ProofOfDeliveryStatus:S1= ReferenceSDDocument:S10@
  ReferenceSDDocumentCategory:S4= ReferenceSDDocumentItem:S6# SDDocumentCategory:S4= SDProcessStatus:S1=
  StorageLocation:S4
  > to_DocumentFlow A_OutbDeliveryDocFlow* DeliveryDocument=PrecedingDocument,DeliveryDocumentItem=PrecedingDocumentItem
A_OutbDeliveryPartner
  PartnerFunction:S2*= SDDocument:S10*@= AddressID:S10= ContactPerson:S10= Customer:S10@= SDDocumentItem:S6= Supplier:S10=
A_OutbDeliveryDocFlow
  PrecedingDocument:S10*@= PrecedingDocumentItem:S6*#= SubsequentDocumentCategory:S4*= PrecedingDocumentCategory:S4=
  Subsequentdocument:S10= SubsequentDocumentItem:S6= QuantityInBaseUnit:Q=
"""

BILLING = """
A_BillingDocument etag=LastChangeDateTime
  BillingDocument:S10*@= SDDocumentCategory:S4= BillingDocumentCategory:S1= BillingDocumentType:S4= CreationDate:D=
  CreationTime:T= CreatedByUser:S12= LastChangeDate:D= LastChangeDateTime:O= SalesOrganization:S4=
  DistributionChannel:S2= Division:S2= BillingDocumentDate:D= BillingDocumentIsCancelled:B= CancelledBillingDocument:S10@=
  TotalNetAmount:A= TransactionCurrency:S5= TaxAmount:A= TotalGrossAmount:A= CustomerPriceGroup:S2=
  TaxDepartureCountry:S3= VATRegistration:S20= VATRegistrationCountry:S3= CustomerTaxClassification1:S1=
  IncotermsClassification:S3= PayerParty:S10@= CustomerPaymentTerms:S4= PaymentMethod:S1= PaymentReference:S30=
  CompanyCode:S4= FiscalYear:S4= AccountingDocument:S10= DocumentReferenceID:S16= AssignmentReference:S18=
  SoldToParty:S10@= PurchaseOrderByCustomer:S35= Country:S3= Region:S3= OverallSDProcessStatus:S1=
  OverallBillingStatus:S1= AccountingPostingStatus:S1= AccountingTransferStatus:S1= InvoiceClearingStatus:S1=
  > to_Item A_BillingDocumentItem* BillingDocument
  > to_Partner A_BillingDocumentPartner* BillingDocument
A_BillingDocumentItem
  BillingDocument:S10*@= BillingDocumentItem:S6*#= SalesDocumentItemCategory:S4= CreatedByUser:S12= CreationDate:D=
  Material:S40= MaterialGroup:S9= Plant:S4= BillingDocumentItemText:S40= ServicesRenderedDate:D= BillingQuantity:Q=
  BillingQuantityUnit:S3= BillingQuantityInBaseUnit:Q= BaseUnit:S3= NetAmount:A= TransactionCurrency:S5= GrossAmount:A=
  PricingDate:D= TaxAmount:A= CostAmount:A= ProductTaxClassification1:S1= ReferenceSDDocument:S10@=
  ReferenceSDDocumentItem:S6#= ReferenceSDDocumentCategory:S4= SalesDocument:S10@= SalesDocumentItem:S6#=
  SalesSDDocumentCategory:S4= SDDocumentReason:S3=
  > to_BillingDocument A_BillingDocument1 BillingDocument
  > to_PricingElement A_BillingDocumentItemPrcgElmnt* BillingDocument,BillingDocumentItem
A_BillingDocumentPartner
  BillingDocument:S10*@= PartnerFunction:S2*= Customer:S10@= Supplier:S10= Personnel:S8= ContactPerson:S10=
A_BillingDocumentItemPrcgElmnt
  BillingDocument:S10*@= BillingDocumentItem:S6*#= PricingProcedureStep:S3*= PricingProcedureCounter:S3*=
  ConditionType:S4= ConditionCalculationType:S3= ConditionBaseValue:R= ConditionRateValue:R= ConditionCurrency:S5=
  ConditionQuantity:N5.0= ConditionQuantityUnit:S3= TaxCode:S2= ConditionAmount:A= TransactionCurrency:S5=
  ConditionClass:S1= ConditionIsManuallyChanged:B=
"""

CREDIT_MEMO_REQUESTS = """
A_CreditMemoRequest etag=LastChangeDateTime
  CreditMemoRequest:S10*@= CreditMemoRequestType:S4+ SalesOrganization:S4+ DistributionChannel:S2+
  OrganizationDivision:S2+ SalesGroup:S3 SalesOffice:S4 SalesDistrict:S6 SoldToParty:S10@+ CreationDate:D=
  CreatedByUser:S12= LastChangeDate:D= LastChangeDateTime:O= PurchaseOrderByCustomer:S35 CustomerPurchaseOrderType:S4
  CustomerPurchaseOrderDate:D CreditMemoRequestDate:D TotalNetAmount:A= TransactionCurrency:S5+ SDDocumentReason:S3
  PricingDate:D CustomerTaxClassification1:S1 HeaderBillingBlockReason:S2 IncotermsClassification:S3
  CustomerPaymentTerms:S4 PaymentMethod:S1 BillingDocumentDate:D ServicesRenderedDate:D ReferenceSDDocument:S10@+
  ReferenceSDDocumentCategory:S4+ CreditMemoReqApprovalReason:S4= SalesDocApprovalStatus:S1= OverallSDProcessStatus:S1=
  TotalCreditCheckStatus:S1= OverallSDDocumentRejectionSts:S1= OverallOrdReltdBillgStatus:S1=
  > to_Item A_CreditMemoRequestItem* CreditMemoRequest
  > to_Partner A_CreditMemoReqPartner* CreditMemoRequest
  > to_Text A_CreditMemoReqText* CreditMemoRequest
A_CreditMemoRequestItem
  CreditMemoRequest:S10*@+ CreditMemoRequestItem:S6*#+ HigherLevelItem:S6# CreditMemoRequestItemCategory:S4+
  CreditMemoRequestItemText:S40 PurchaseOrderByCustomer:S35 Material:S40+ PricingDate:D RequestedQuantity:Q
  RequestedQuantityUnit:S3 RequestedQuantitySAPUnit:S3 RequestedQuantityISOUnit:S3 TransactionCurrency:S5= NetAmount:A=
  MaterialGroup:S9= Plant:S4 CustomerPaymentTerms:S4 ItemBillingBlockReason:S2 SalesDocumentRjcnReason:S2
  ReferenceSDDocument:S10@+ ReferenceSDDocumentItem:S6#+ SDProcessStatus:S1= OrderRelatedBillingStatus:S1=
  ServicesRenderedDate:D
  > to_CreditMemoRequest A_CreditMemoRequest1 CreditMemoRequest
  > to_PricingElement A_CreditMemoReqItemPrcgElmnt* CreditMemoRequest,CreditMemoRequestItem
A_CreditMemoReqPartner
  CreditMemoRequest:S10*@+ PartnerFunction:S2*+ Customer:S10@ Supplier:S10@ Personnel:S8 ContactPerson:S10@
A_CreditMemoReqText
  CreditMemoRequest:S10*@+ Language:S2*+ LongTextID:S4*+ LongText:S0
A_CreditMemoReqItemPrcgElmnt
  CreditMemoRequest:S10*@+ CreditMemoRequestItem:S6*#+ PricingProcedureStep:S3*+ PricingProcedureCounter:S3*+
  ConditionType:S4+ ConditionCalculationType:S3= ConditionBaseValue:R= ConditionRateValue:R ConditionCurrency:S5
  ConditionQuantity:N5.0 ConditionQuantityUnit:S3 TaxCode:S2= ConditionAmount:A= TransactionCurrency:S5=
  ConditionClass:S1= ConditionIsManuallyChanged:B=
"""

#: complex types that function imports answer, and the parameters they take
RESULTS = {
    "AvailabilityRecord": (
        "PeriodStartUTCDateTime:M PeriodStartTimeZone:S6 PeriodEndUTCDateTime:M PeriodEndTimeZone:S6 "
        "AvailableQuantityInBaseUnit:Q BaseUnit:S3"
    ),
    "FunctionResult": "Boolean:B",
    "CancelResult": (
        "BillingDocument:S10 CancellationBillingDocument:S10 SystemMessageType:S1 SystemMessageIdentification:S20 "
        "SystemMessageNumber:S3 SystemMessageText:S220 SystemMessageVariable1:S50 SystemMessageVariable2:S50 "
        "SystemMessageVariable3:S50 SystemMessageVariable4:S50"
    ),
    "GetPDFResult": "BillingDocumentBinary:S0",
    "PickingReport": (
        "SystemMessageIdentification:S20 SystemMessageNumber:S3 SystemMessageType:S1 SystemMessageVariable1:S50 "
        "SystemMessageVariable2:S50 SystemMessageVariable3:S50 SystemMessageVariable4:S50 Batch:S10 "
        "DeliveryQuantityUnit:S3 ActualDeliveryQuantity:Q DeliveryDocumentItemText:S40 Material:S40 "
        "DeliveryDocumentItem:S6 DeliveryDocument:S10"
    ),
    "Return": (
        "CollectiveProcessing:S10 DeliveryDocument:S10 DeliveryDocumentItem:S6 ScheduleLine:S4 "
        "CollectiveProcessingMsgCounter:S6 SystemMessageIdentification:S20 SystemMessageNumber:S3 SystemMessageType:S1 "
        "SystemMessageVariable1:S50 SystemMessageVariable2:S50 SystemMessageVariable3:S50 SystemMessageVariable4:S50 "
        "CollectiveProcessingType:S1"
    ),
}
#: service -> function imports as (name, method, parameters, result, many)
FUNCTIONS = {
    "API_SALES_ORDER_SRV": (
        ("releaseApprovalRequest", "POST", "SalesOrder:S10@", "FunctionResult", False),
        ("rejectApprovalRequest", "POST", "SalesOrder:S10@", "FunctionResult", False),
    ),
    "API_CREDIT_MEMO_REQUEST_SRV": (
        ("releaseApprovalRequest", "POST", "CreditMemoRequest:S10@", "FunctionResult", False),
        ("rejectApprovalRequest", "POST", "CreditMemoRequest:S10@", "FunctionResult", False),
    ),
    "API_BILLING_DOCUMENT_SRV": (
        ("Cancel", "POST", "BillingDocument:S10@", "CancelResult", True),
        ("GetPDF", "GET", "BillingDocument:S10@", "GetPDFResult", False),
    ),
    "API_OUTBOUND_DELIVERY_SRV": (
        ("PostGoodsIssue", "POST", "DeliveryDocument:S10@", "PickingReport", True),
        ("ReverseGoodsIssue", "POST", "DeliveryDocument:S10@ ActualGoodsMovementDate:D", "Return", True),
        ("PickAllItems", "POST", "DeliveryDocument:S10@", "PickingReport", True),
        ("ConfirmPickingAllItems", "POST", "DeliveryDocument:S10@", "PickingReport", True),
    ),
    "API_PRODUCT_AVAILY_INFO_BASIC": (
        (
            "DetermineAvailabilityAt",
            "GET",
            "SupplyingPlant:S4 Material:S40 ATPCheckingRule:S2 RequestedUTCDateTime:O",
            "AvailabilityRecord",
            False,
        ),
        (
            "DetermineAvailabilityOf",
            "GET",
            "SupplyingPlant:S4 Material:S40 ATPCheckingRule:S2 RequestedQuantityInBaseUnit:Q",
            "AvailabilityRecord",
            False,
        ),
        (
            "CalculateAvailabilityTimeseries",
            "GET",
            "SupplyingPlant:S4 Material:S40 ATPCheckingRule:S2",
            "AvailabilityRecord",
            True,
        ),
    ),
}
