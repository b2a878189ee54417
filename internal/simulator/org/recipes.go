package org

// SeedField is the custom field of Account that made-up orgs carry: the customer's number in the ERP.
// Account row n (from 0) has "C" and n+1 in seven digits; five of a hundred have none.
const SeedField = "ERP_Customer_No__c"

// commonRecipes are for fields that mean the same on every object.
var commonRecipes = map[string]recipe{
	"OwnerId": owner(910), "CreatedById": owner(911), "LastModifiedById": owner(912),
	"CreatedDate": instant(false), "LastModifiedDate": instant(true), "SystemModstamp": instant(true),
	"Phone": number("+49 30 ", 10_000_000, 7, 10), "Fax": number("+49 30 ", 10_000_000, 7, 80),
	"Description": pick(remarks, 40), "Body": pick(remarks, 0),
}

// recipes are for the fields of one object. A field that has none is null.
var recipes = map[string]map[string]recipe{
	"Account": {
		"Name": companyName, "Type": pickListed(20), "Industry": pickListed(5), "Rating": pickListed(50), "AccountSource": pickListed(60),
		"BillingStreet": streetName, "BillingCity": pick(cities, 3), "BillingCountry": pick(countries, 2), "BillingPostalCode": number("", 100_000, 5, 5),
		"ShippingStreet": streetName, "ShippingCity": pick(cities, 40), "ShippingCountry": pick(countries, 40), "ShippingPostalCode": number("", 100_000, 5, 40),
		"AnnualRevenue": number("", 90_000_000, 0, 20), "NumberOfEmployees": number("", 20_000, 0, 20),
		"AccountNumber": serial("A-", 0, 10), "Website": website, SeedField: serial("C", 7, 5),
	},
	"Contact": {
		"AccountId": parentAccount(5), "FirstName": pick(firstNames, 2), "LastName": pick(lastNames, 0), "Name": personName,
		"Salutation": pickListed(30), "Email": personEmail, "MobilePhone": number("+49 170 ", 10_000_000, 7, 50),
		"Title": pick(titles, 10), "Department": pick(units, 40), "LeadSource": pickListed(60),
		"MailingStreet": streetName, "MailingCity": pick(cities, 10), "MailingCountry": pick(countries, 10), "MailingPostalCode": number("", 100_000, 5, 10),
		"Birthdate": birthdate,
	},
	"Note": {"ParentId": parentAccount(0), "Title": pick(titles, 0)},
	"Task": {
		"WhatId": parentAccount(100), "AccountId": parentAccount(100), "Subject": pick(titles, 0), "Status": pickListed(0),
		"Priority": pickListed(0), "TaskSubtype": pick([]string{"Task", "Call", "Email"}, 0), "ActivityDate": birthdate,
	},
}

// madeUp are the recipes of custom fields that ask for values, by kind.
var madeUp = map[Kind]recipe{Text: number("custom ", 10_000, 4, 10), Number: number("", 9_000_000, 0, 10)}

// The salts that two fields share so that they agree with each other.
const (
	saltStreet = 920
	saltParent = 1000
)

func companyName(f *Field) makeValue {
	salt := uint32(f.Index)
	return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
		r := g.random(salt, slot)
		dst = append(dst, companyHeads[r%uint64(len(companyHeads))]...)
		dst = append(dst, ' ')
		dst = append(dst, companyKinds[r>>16%uint64(len(companyKinds))]...)
		dst = append(dst, ' ')
		dst = append(dst, companyForms[r>>32%uint64(len(companyForms))]...)
		return dst, true
	}
}

func streetName(f *Field) makeValue {
	salt := saltStreet + uint32(f.Index)
	return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
		r := g.random(salt, slot)
		if r>>56%16 == 0 {
			return dst, false
		}
		dst = append(dst, streets[r%uint64(len(streets))]...)
		dst = append(dst, ' ')
		dst = appendPadded(dst, r>>20%400+1, 0)
		if r>>40%8 == 0 {
			dst = append(dst, "\nGebäude "...)
			dst = append(dst, byte('A'+r>>44%6))
		}
		return dst, true
	}
}

func website(f *Field) makeValue {
	salt := uint32(f.Index)
	return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
		if g.random(salt, slot)%100 < 30 {
			return dst, false
		}
		dst = append(dst, "https://customer-"...)
		dst = appendPadded(dst, uint64(slot)+1, 0)
		return append(dst, ".example.com"...), true
	}
}

// personName is what Salesforce computes of FirstName and LastName.
func personName(*Field) makeValue {
	return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
		n := len(dst)
		if dst, _ = g.append(dst, g.first, slot); len(dst) > n {
			dst = append(dst, ' ')
		}
		dst, _ = g.append(dst, g.last, slot)
		return dst, true
	}
}

func personEmail(f *Field) makeValue {
	salt := uint32(f.Index)
	return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
		if g.random(salt, slot)%100 < 8 {
			return dst, false
		}
		dst = append(dst, "person"...)
		dst = appendPadded(dst, uint64(slot)+1, 0)
		return append(dst, "@mail.example.com"...), true
	}
}

func birthdate(f *Field) makeValue {
	salt := uint32(f.Index)
	return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
		r := g.random(salt, slot)
		if r%100 < 60 {
			return dst, false
		}
		n := len(dst)
		dst = appendStamp(dst, int64(r>>8%1_500_000_000))
		return dst[:n+len(DateLayout)], true
	}
}
