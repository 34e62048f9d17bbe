"""Entity types of business partners and products (API_BUSINESS_PARTNER, API_PRODUCT_SRV).

Names, types and lengths after SAP's published interface description; rarely used groups of properties are left out.
"""

PARTNERS = """
A_BusinessPartner etag=ETag
  BusinessPartner:S10*@+ Customer:S10@= Supplier:S10@= AcademicTitle:S4 AuthorizationGroup:S4 BusinessPartnerCategory:S1+
  BusinessPartnerFullName:S81= BusinessPartnerGrouping:S4+ BusinessPartnerName:S81= BusinessPartnerUUID:G=
  CorrespondenceLanguage:S2 CreatedByUser:S12= CreationDate:D= CreationTime:T= FirstName:S40 FormOfAddress:S4
  Industry:S10 Language:S2 LastChangeDate:D= LastChangeTime:T= LastChangedByUser:S12= LastName:S40 LegalForm:S2
  OrganizationBPName1:S40 OrganizationBPName2:S40 OrganizationBPName3:S40 OrganizationBPName4:S40
  OrganizationFoundationDate:D SearchTerm1:S20 SearchTerm2:S20 BusinessPartnerIsBlocked:B BusinessPartnerType:S4
  ETag:S26= IsNaturalPerson:S1= IsMarkedForArchiving:B BusinessPartnerIDByExtSystem:S20 TradingPartner:S6
  > to_BuPaIdentification A_BuPaIdentification* BusinessPartner
  > to_BusinessPartnerAddress A_BusinessPartnerAddress* BusinessPartner
  > to_BusinessPartnerRole A_BusinessPartnerRole* BusinessPartner
  > to_BusinessPartnerTax A_BusinessPartnerTaxNumber* BusinessPartner
  > to_Customer A_Customer? Customer
A_BusinessPartnerAddress
  BusinessPartner:S10*@+ AddressID:S10*= ValidityStartDate:O ValidityEndDate:O AddressUUID:G= AddressTimeZone:S6
  CareOfName:S40 CityName:S40 CompanyPostalCode:S10 Country:S3 County:S40 District:S40 FormOfAddress:S4 FullName:S80=
  HouseNumber:S10 HouseNumberSupplementText:S10 Language:S2 POBox:S10 POBoxPostalCode:S10 PostalCode:S10 Region:S3
  StreetName:S60 StreetPrefixName:S40 StreetSuffixName:S40 TaxJurisdiction:S15 TransportZone:S10
  AddressIDByExternalSystem:S20
  > to_EmailAddress A_AddressEmailAddress* AddressID
  > to_PhoneNumber A_AddressPhoneNumber* AddressID
A_AddressEmailAddress
  AddressID:S10*+ Person:S10*+ OrdinalNumber:S3*#+ IsDefaultEmailAddress:B EmailAddress:S241 SearchEmailAddress:S20=
A_AddressPhoneNumber
  AddressID:S10*+ Person:S10*+ OrdinalNumber:S3*#+ DestinationLocationCountry:S3 IsDefaultPhoneNumber:B PhoneNumber:S30
  PhoneNumberExtension:S10 InternationalPhoneNumber:S30= PhoneNumberType:S1
A_BusinessPartnerRole
  BusinessPartner:S10*@+ BusinessPartnerRole:S6*+ ValidFrom:O ValidTo:O AuthorizationGroup:S4
A_BusinessPartnerTaxNumber
  BusinessPartner:S10*@+ BPTaxType:S4*+ BPTaxNumber:S20 BPTaxLongNumber:S60 AuthorizationGroup:S4
A_BuPaIdentification
  BusinessPartner:S10*@+ BPIdentificationType:S6*+ BPIdentificationNumber:S60*+ BPIdnNmbrIssuingInstitute:S40
  BPIdentificationEntryDate:D Country:S3 Region:S3 ValidityStartDate:D ValidityEndDate:D AuthorizationGroup:S4
A_Customer
  Customer:S10*@= AuthorizationGroup:S4 BillingIsBlockedForCustomer:S2 CreatedByUser:S12= CreationDate:D=
  CustomerAccountGroup:S4+ CustomerClassification:S2 CustomerFullName:S220= CustomerName:S80= DeliveryIsBlocked:S2
  OrderIsBlockedForCustomer:S2 PostingIsBlocked:B Supplier:S10@= Industry:S4 TaxNumber1:S16= TaxNumber2:S11=
  TaxNumberType:S2 VATRegistration:S20= DeletionIndicator:B
  > to_CustomerCompany A_CustomerCompany* Customer
  > to_CustomerSalesArea A_CustomerSalesArea* Customer
A_CustomerCompany
  Customer:S10*@+ CompanyCode:S4*+ AccountByCustomer:S12 AccountingClerk:S2 HouseBank:S5 LayoutSortingRule:S3
  PaymentBlockingReason:S1 PaymentMethodsList:S10 PaymentTerms:S4 ReconciliationAccount:S10 DeletionIndicator:B
  CustomerAccountGroup:S4=
A_CustomerSalesArea
  Customer:S10*@+ SalesOrganization:S4*+ DistributionChannel:S2*+ Division:S2*+ AccountByCustomer:S12
  BillingIsBlockedForCustomer:S2 CompleteDeliveryIsDefined:B Currency:S5 CustomerAccountAssignmentGroup:S2
  CustomerGroup:S2 CustomerPaymentTerms:S4 CustomerPriceGroup:S2 CustomerPricingProcedure:S2
  DeliveryIsBlockedForCustomer:S2 DeliveryPriority:S2 IncotermsClassification:S3 IncotermsLocation1:S70
  IncotermsTransferLocation:S28 IncotermsVersion:S4 DeletionIndicator:B OrderCombinationIsAllowed:B
  OrderIsBlockedForCustomer:S2 PartialDeliveryIsAllowed:S1 PriceListType:S2 SalesGroup:S3 SalesOffice:S4
  ShippingCondition:S2 SupplyingPlant:S4 SalesDistrict:S6 ExchangeRateType:S4
  > to_PartnerFunction A_CustSalesPartnerFunc* Customer,SalesOrganization,DistributionChannel,Division
  > to_SalesAreaTax A_CustomerSalesAreaTax* Customer,SalesOrganization,DistributionChannel,Division
A_CustSalesPartnerFunc
  Customer:S10*@+ SalesOrganization:S4*+ DistributionChannel:S2*+ Division:S2*+ PartnerCounter:S3*#+
  PartnerFunction:S2*+ BPCustomerNumber:S10@ CustomerPartnerDescription:S30 DefaultPartner:B
A_CustomerSalesAreaTax
  Customer:S10*@+ SalesOrganization:S4*+ DistributionChannel:S2*+ Division:S2*+ DepartureCountry:S3*+
  CustomerTaxCategory:S4*+ CustomerTaxClassification:S1
"""

PRODUCTS = """
A_Product etag=LastChangeDateTime
  Product:S40*+ ProductType:S4+ CrossPlantStatus:S2 CrossPlantStatusValidityDate:D CreationDate:D= CreatedByUser:S12=
  LastChangeDate:D= LastChangedByUser:S12= LastChangeDateTime:O= IsMarkedForDeletion:B ProductOldID:S40 GrossWeight:Q
  NetWeight:Q WeightUnit:S3 CountryOfOrigin:S3 ProductGroup:S9 BaseUnit:S3+ ItemCategoryGroup:S4
  ProductHierarchy:S18 Division:S2 ProductStandardID:S18 ProductManufacturerNumber:S40 ExternalProductGroup:S18
  > to_Description A_ProductDescription* Product
  > to_Plant A_ProductPlant* Product
  > to_SalesDelivery A_ProductSalesDelivery* Product
  > to_ProductUnitsOfMeasure A_ProductUnitsOfMeasure* Product
A_ProductDescription
  Product:S40*+ Language:S2*+ ProductDescription:S40
  > to_Product A_Product1 Product
A_ProductPlant
  Product:S40*+ Plant:S4*+ PurchasingGroup:S3 CountryOfOrigin:S3 RegionOfOrigin:S3 ProfileCode:S2 MRPType:S2
  AvailabilityCheckType:S2 ProfitCenter:S10 IsMarkedForDeletion:B BaseUnit:S3=
  > to_Product A_Product1 Product
A_ProductSalesDelivery
  Product:S40*+ ProductSalesOrg:S4*+ ProductDistributionChnl:S2*+ MinimumOrderQuantity:Q SupplyingPlant:S4
  PriceSpecificationProductGroup:S2 AccountDetnProductGroup:S2 DeliveryNoteProcMinDelivQty:Q ItemCategoryGroup:S4
  SalesMeasureUnit:S3 IsMarkedForDeletion:B ProductSalesStatus:S2 ProductSalesStatusValidityDate:D BaseUnit:S3=
A_ProductUnitsOfMeasure
  Product:S40*+ AlternativeUnit:S3*+ QuantityNumerator:N5.0 QuantityDenominator:N5.0 GlobalTradeItemNumber:S18
  BaseUnit:S3=
"""
