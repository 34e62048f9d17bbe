"""Entity types of sales orders and of their simulation (API_SALES_ORDER_SRV, API_SALES_ORDER_SIMULATION_SRV).

Names, types and lengths after SAP's published interface description; rarely used groups of properties are left out.
"""

SALES_ORDERS = """
A_SalesOrder etag=LastChangeDateTime
  SalesOrder:S10*@= SalesOrderType:S4+ SalesOrganization:S4+ DistributionChannel:S2+ OrganizationDivision:S2+
  SalesGroup:S3 SalesOffice:S4 SalesDistrict:S6 SoldToParty:S10@+ CreationDate:D= CreatedByUser:S12= LastChangeDate:D=
  SenderBusinessSystemName:S60 ExternalDocumentID:S40 LastChangeDateTime:O= ExternalDocLastChangeDateTime:O
  PurchaseOrderByCustomer:S35 PurchaseOrderByShipToParty:S35 CustomerPurchaseOrderType:S4
  CustomerPurchaseOrderDate:D SalesOrderDate:D TotalNetAmount:A= OverallDeliveryStatus:S1= TotalBlockStatus:S1=
  OverallOrdReltdBillgStatus:S1= OverallSDDocReferenceStatus:S1= TransactionCurrency:S5+ SDDocumentReason:S3
  PricingDate:D PriceDetnExchangeRate:N9.5 RequestedDeliveryDate:D ShippingCondition:S2 CompleteDeliveryIsDefined:B
  ShippingType:S2 HeaderBillingBlockReason:S2 DeliveryBlockReason:S2 DeliveryDateTypeRule:S1
  IncotermsClassification:S3 IncotermsTransferLocation:S28 IncotermsLocation1:S70 IncotermsLocation2:S70
  IncotermsVersion:S4 CustomerPriceGroup:S2 PriceListType:S2 CustomerPaymentTerms:S4 PaymentMethod:S1
  FixedValueDate:D AssignmentReference:S18 ReferenceSDDocument:S10+ ReferenceSDDocumentCategory:S4=
  AccountingDocExternalReference:S16 CustomerAccountAssignmentGroup:S2 AccountingExchangeRate:N9.5 CustomerGroup:S2
  SlsDocIsRlvtForProofOfDeliv:B CustomerTaxClassification1:S1 TaxDepartureCountry:S3 VATRegistrationCountry:S3
  SalesOrderApprovalReason:S4= SalesDocApprovalStatus:S1= OverallSDProcessStatus:S1= TotalCreditCheckStatus:S1=
  OverallTotalDeliveryStatus:S1= OverallSDDocumentRejectionSts:S1= BillingDocumentDate:D
  CustomerPurchaseOrderSuplmnt:S4 ServicesRenderedDate:D
  > to_Item A_SalesOrderItem* SalesOrder
  > to_Partner A_SalesOrderHeaderPartner* SalesOrder
  > to_PricingElement A_SalesOrderHeaderPrElement* SalesOrder
  > to_Text A_SalesOrderText* SalesOrder
  > to_SubsequentProcFlowDoc A_SalesOrderSubsqntProcFlow* SalesOrder
A_SalesOrderItem
  SalesOrder:S10*@+ SalesOrderItem:S6*#+ HigherLevelItem:S6# SalesOrderItemCategory:S4+ SalesOrderItemText:S40
  PurchaseOrderByCustomer:S35 PurchaseOrderByShipToParty:S35 UnderlyingPurchaseOrderItem:S6 ExternalItemID:S40
  Material:S40+ MaterialByCustomer:S35 PricingDate:D RequestedQuantity:Q RequestedQuantityUnit:S3
  RequestedQuantitySAPUnit:S3 RequestedQuantityISOUnit:S3 OrderQuantityUnit:S3= OrderQuantitySAPUnit:S3=
  OrderQuantityISOUnit:S3= ConfdDelivQtyInOrderQtyUnit:Q= ItemGrossWeight:Q= ItemNetWeight:Q= ItemWeightUnit:S3=
  TransactionCurrency:S5= NetAmount:A= MaterialGroup:S9 MaterialPricingGroup:S2 BillingDocumentDate:D
  ServicesRenderedDate:D Batch:S10 ProductionPlant:S4 StorageLocation:S4 ShippingPoint:S4 ShippingType:S2
  DeliveryPriority:S2 IncotermsClassification:S3 IncotermsTransferLocation:S28 IncotermsLocation1:S70 TaxAmount:A=
  ProductTaxClassification1:S1 MatlAccountAssignmentGroup:S2 CostAmount:A= CustomerPaymentTerms:S4
  SalesDocumentRjcnReason:S2- ItemBillingBlockReason:S2 SlsDocIsRlvtForProofOfDeliv:B WBSElement:S24 ProfitCenter:S10
  ReferenceSDDocument:S10+ ReferenceSDDocumentItem:S6+ SDProcessStatus:S1= DeliveryStatus:S1=
  OrderRelatedBillingStatus:S1= Subtotal1Amount:A=
  > to_SalesOrder A_SalesOrder1 SalesOrder
  > to_PricingElement A_SalesOrderItemPrElement* SalesOrder,SalesOrderItem
  > to_ScheduleLine A_SalesOrderScheduleLine* SalesOrder,SalesOrderItem
  > to_Text A_SalesOrderItemText* SalesOrder,SalesOrderItem
A_SalesOrderHeaderPartner
  SalesOrder:S10*@+ PartnerFunction:S2*+ Customer:S10@ Supplier:S10@ Personnel:S8 ContactPerson:S10@ AddressID:S10=
  VATRegistration:S20=
  > to_SalesOrder A_SalesOrder1 SalesOrder
A_SalesOrderHeaderPrElement
  SalesOrder:S10*@= PricingProcedureStep:S3*= PricingProcedureCounter:S3*= ConditionType:S4=
  ConditionCalculationType:S3= ConditionBaseValue:R= ConditionRateValue:R= ConditionCurrency:S5= ConditionClass:S1=
  ConditionAmount:A= TransactionCurrency:S5= TaxCode:S2=
  > to_SalesOrder A_SalesOrder1 SalesOrder
A_SalesOrderItemPrElement
  SalesOrder:S10*@+ SalesOrderItem:S6*#+ PricingProcedureStep:S3*+ PricingProcedureCounter:S3*+ ConditionType:S4+
  PriceConditionDeterminationDte:D= ConditionCalculationType:S3= ConditionBaseValue:R= ConditionRateValue:R
  ConditionCurrency:S5 ConditionQuantity:N5.0 ConditionQuantityUnit:S3 ConditionQuantitySAPUnit:S3=
  ConditionQuantityISOUnit:S3= ConditionIsForStatistics:B= PricingScaleType:S1= ConditionOrigin:S1=
  ConditionRecord:S10= TaxCode:S2= ConditionAmount:A= TransactionCurrency:S5= ConditionInactiveReason:S1=
  ConditionClass:S1= PricingScaleBasis:S3= ConditionScaleBasisValue:R= ConditionIsManuallyChanged:B=
  > to_SalesOrder A_SalesOrder1 SalesOrder
  > to_SalesOrderItem A_SalesOrderItem1 SalesOrder,SalesOrderItem
A_SalesOrderScheduleLine
  SalesOrder:S10*@= SalesOrderItem:S6*#= ScheduleLine:S4*#= RequestedDeliveryDate:D ConfirmedDeliveryDate:D=
  OrderQuantityUnit:S3= OrderQuantitySAPUnit:S3= OrderQuantityISOUnit:S3= ScheduleLineOrderQuantity:Q
  ConfdOrderQtyByMatlAvailCheck:Q= DeliveredQtyInOrderQtyUnit:Q= OpenConfdDelivQtyInOrdQtyUnit:Q=
  CorrectedQtyInOrderQtyUnit:Q= DelivBlockReasonForSchedLine:S2
A_SalesOrderText
  SalesOrder:S10*@+ Language:S2*+ LongTextID:S4*+ LongText:S0
  > to_SalesOrder A_SalesOrder1 SalesOrder
A_SalesOrderItemText
  SalesOrder:S10*@+ SalesOrderItem:S6*#+ Language:S2*+ LongTextID:S4*+ LongText:S0
  > to_SalesOrderItem A_SalesOrderItem1 SalesOrder,SalesOrderItem
A_SalesOrderSubsqntProcFlow
  SalesOrder:S10*@= DocRelationshipUUID:G*= SubsequentDocument:S10= SubsequentDocumentCategory:S4=
  ProcessFlowLevel:S2= CreationDate:D= LastChangeDate:D=
  > to_SalesOrder A_SalesOrder1 SalesOrder
"""

SIMULATION = """
A_SalesOrderSimulation
  SalesOrder:S10*@+ SalesOrderType:S4 SalesOrganization:S4 DistributionChannel:S2 OrganizationDivision:S2 SalesGroup:S3
  SalesOffice:S4 SalesDistrict:S6 SoldToParty:S10@ PurchaseOrderByCustomer:S35 CustomerPurchaseOrderType:S4
  CustomerPurchaseOrderDate:D SalesOrderDate:D TransactionCurrency:S5 AccountingDocExternalReference:S16
  CustomerTaxClassification1:S1 PriceListType:S2 CustomerPriceGroup:S2 SDDocumentReason:S3 PricingDate:D
  SDPricingProcedure:S6= RequestedDeliveryDate:D ShippingCondition:S2 CompleteDeliveryIsDefined:B ShippingType:S2
  IncotermsClassification:S3 IncotermsTransferLocation:S28 IncotermsLocation1:S70 IncotermsLocation2:S70
  IncotermsVersion:S4 ReferenceSDDocument:S10 CustomerPaymentTerms:S4 PaymentMethod:S1
  > to_Credit A_SalesOrderCreditSimulation? SalesOrder
  > to_Pricing A_SalesOrderPricingSimulation? SalesOrder
  > to_Item A_SalesOrderItemSimulation* SalesOrder
  > to_Partner A_SalesOrderPartnerSimulation* SalesOrder
  > to_PricingElement A_SalesOrderPrcgElmntSimln* SalesOrder
A_SalesOrderCreditSimulation
  SalesOrder:S10*@+ TotalCreditCheckStatus:S1
A_SalesOrderPricingSimulation
  SalesOrder:S10*@+ TotalNetAmount:A TransactionCurrency:S5
A_SalesOrderPartnerSimulation
  SalesOrder:S10*@+ PartnerFunction:S2* Customer:S10@ Supplier:S10@ Personnel:S8 ContactPerson:S10@
A_SalesOrderPrcgElmntSimln
  SalesOrder:S10*@+ PricingProcedureStep:S3* PricingProcedureCounter:S3* ConditionType:S4
  ConditionCalculationType:S3 ConditionBaseValue:R ConditionRateValue:R ConditionCurrency:S5 ConditionClass:S1
  ConditionAmount:A TransactionCurrency:S5 TaxCode:S2
A_SalesOrderItemSimulation
  SalesOrder:S10*@+ SalesOrderItem:S6*# HigherLevelItem:S6# SalesOrderItemCategory:S4 SalesOrderItemText:S40
  PurchaseOrderByCustomer:S35 Material:S40 MaterialByCustomer:S35 PricingDate:D RequestedQuantity:Q
  RequestedQuantityUnit:S3 RequestedQuantitySAPUnit:S3 RequestedQuantityISOUnit:S3 OrderQuantityUnit:S3
  OrderQuantitySAPUnit:S3 OrderQuantityISOUnit:S3 ConfdDelivQtyInOrderQtyUnit:Q ItemGrossWeight:Q ItemNetWeight:Q
  ItemWeightUnit:S3 TransactionCurrency:S5 NetAmount:A TaxAmount:A CostAmount:A Subtotal1Amount:A MaterialGroup:S9
  MaterialPricingGroup:S2 Batch:S10 Plant:S4 StorageLocation:S4 ShippingPoint:S4 ShippingType:S2 DeliveryPriority:S2
  IncotermsClassification:S3 ProductTaxClassification1:S1 ReferenceSDDocument:S10 ReferenceSDDocumentItem:S6
  CustomerPaymentTerms:S4 SalesDocumentRjcnReason:S2
  > to_PricingElement A_SalesOrderItmPrcgElmntSimln* SalesOrder,SalesOrderItem
  > to_ScheduleLine A_SalesOrderScheduleLineSimln* SalesOrder,SalesOrderItem
A_SalesOrderItmPrcgElmntSimln
  SalesOrder:S10*@+ SalesOrderItem:S6*# PricingProcedureStep:S3* PricingProcedureCounter:S3* ConditionType:S4
  PriceConditionDeterminationDte:D ConditionCalculationType:S3 ConditionBaseValue:R ConditionRateValue:R
  ConditionCurrency:S5 ConditionQuantity:N5.0 ConditionQuantityUnit:S3 ConditionQuantitySAPUnit:S3
  ConditionQuantityISOUnit:S3 ConditionIsForStatistics:B ConditionOrigin:S1 ConditionAmount:A TransactionCurrency:S5
  ConditionInactiveReason:S1 ConditionClass:S1 PricingScaleBasis:S3 ConditionScaleBasisValue:R
  ConditionIsManuallyChanged:B
A_SalesOrderScheduleLineSimln
  SalesOrder:S10*@+ SalesOrderItem:S6*# ScheduleLine:S4*# RequestedDeliveryDate:D ConfirmedDeliveryDate:D
  OrderQuantityUnit:S3 OrderQuantitySAPUnit:S3 OrderQuantityISOUnit:S3 ScheduleLineOrderQuantity:Q
  ConfdOrderQtyByMatlAvailCheck:Q OpenConfdDelivQtyInOrdQtyUnit:Q CorrectedQtyInOrderQtyUnit:Q
"""
