// Package demo makes the org and the ERP file of `crosswalk demo` from public data: Northwind's customers, contacts and
// orders (MIT) and the companies of the S&P 500 (PDDL), whose copies and licences stand under data/.
//
// The data is read → Account, Contact, Note and Task files for the simulated org, and one file of ERP customers. Every
// outcome of the matching comes from a fact of the data, none is made up:
//
//   - a Northwind customer is matched by its customer number; the two that never ordered have no ERP customer;
//   - an S&P 500 company is matched by its CIK; the utilities' Accounts carry it with the leading zeros that the SEC
//     prints, so they are near misses; companies that joined the index from 2026 on are not in Salesforce yet;
//   - companies with two share classes have one CIK and two symbols, so they are ambiguous.
package demo

import (
	"embed"
	"encoding/csv"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

//go:embed data
var files embed.FS

// Field names that the demo's configuration uses.
const (
	LinkField = "ERP_Customer_No__c" // Account field that holds the customer's ERP number or CIK
	cikWidth  = 10                   // digits of a CIK as the SEC prints it
)

// Table is one CSV file: a header and its rows.
type Table struct {
	Header []string
	Rows   [][]string
}

// Dataset is what the demo starts from.
type Dataset struct {
	Salesforce map[string]Table // Account, Contact, Note, Task; Id columns hold symbolic ids
	ERP        Table            // one row per ERP customer
}

type record map[string]string

// Load reads the embedded data; an error means that the program was built from damaged files.
func Load() (*Dataset, error) {
	var d Dataset
	customers, err := read("northwind/customers.csv", "address")
	if err != nil {
		return nil, err
	}
	orders, err := read("northwind/orders.csv", "shipAddress")
	if err != nil {
		return nil, err
	}
	details, err := read("northwind/order-details.csv", "")
	if err != nil {
		return nil, err
	}
	companies, err := read("sp500/constituents.csv", "")
	if err != nil {
		return nil, err
	}
	balances, err := sumBalances(orders, details)
	if err != nil {
		return nil, err
	}
	d.Salesforce = map[string]Table{
		"Account": accounts(customers, companies),
		"Contact": contacts(customers),
		"Note":    notes(customers, orders),
		"Task":    tasks(customers, orders),
	}
	d.ERP = erpCustomers(customers, companies, balances)
	return &d, nil
}

// read parses one file. The Northwind files do not quote commas inside their address column, the one named by loose:
// what a row has too many are parts of it.
func read(name, loose string) ([]record, error) {
	f, err := files.Open("data/" + name)
	if err != nil {
		return nil, fmt.Errorf("open demo data: %w", err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	if loose != "" {
		in.FieldsPerRecord = -1
	}
	rows, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read demo data %s: %w", name, err)
	}
	header := rows[0]
	at := slices.Index(header, loose)
	out := make([]record, 0, len(rows)-1)
	for _, row := range rows[1:] {
		if extra := len(row) - len(header); extra > 0 {
			row = slices.Concat(row[:at], []string{strings.Join(row[at:at+extra+1], ",")}, row[at+extra+1:])
		}
		r := record{}
		for i, column := range header {
			if row[i] != "NULL" {
				r[column] = row[i]
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// sumBalances returns, per customer number, the exact sum of unitPrice × quantity × (1 − discount) over its orders.
func sumBalances(orders, details []record) (map[string]*big.Rat, error) {
	customer := map[string]string{}
	for _, o := range orders {
		customer[o["orderID"]] = o["customerID"]
	}
	sums := map[string]*big.Rat{}
	for _, d := range details {
		price, ok1 := new(big.Rat).SetString(d["unitPrice"])
		quantity, ok2 := new(big.Rat).SetString(d["quantity"])
		discount, ok3 := new(big.Rat).SetString(d["discount"])
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("read demo data: order %s has a line that is no number", d["orderID"])
		}
		line := price.Mul(price, quantity)
		line.Mul(line, discount.Sub(big.NewRat(1, 1), discount))
		key := customer[d["orderID"]]
		if sums[key] == nil {
			sums[key] = new(big.Rat)
		}
		sums[key].Add(sums[key], line)
	}
	return sums, nil
}

func accounts(customers, companies []record) Table {
	t := Table{Header: []string{
		"Id", "Name", "Phone", "Fax", "BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry",
		"Industry", "TickerSymbol", LinkField,
	}}
	for _, c := range customers {
		t.Rows = append(t.Rows, []string{
			accountID(c["customerID"]), c["companyName"], c["phone"], c["fax"], c["address"], c["city"], c["region"], c["postalCode"], c["country"],
			"", "", c["customerID"],
		})
	}
	for _, c := range companies {
		if joinedLate(c) {
			continue
		}
		city, region := splitLocation(c["Headquarters Location"])
		t.Rows = append(t.Rows, []string{
			accountID(c["Symbol"]), c["Security"], "", "", "", city, region, "", "",
			c["GICS Sector"], c["Symbol"], accountCIK(c),
		})
	}
	return t
}

func contacts(customers []record) Table {
	t := Table{Header: []string{"Id", "AccountId", "FirstName", "LastName", "Title", "Phone"}}
	for _, c := range customers {
		first, last, found := strings.Cut(c["contactName"], " ")
		if !found {
			first, last = "", first
		}
		t.Rows = append(t.Rows, []string{contactID(c["customerID"]), accountID(c["customerID"]), first, last, c["contactTitle"], c["phone"]})
	}
	return t
}

// notes gives each customer that ordered one classic Note on its Account: the list of its orders.
func notes(customers, orders []record) Table {
	t := Table{Header: []string{"Id", "ParentId", "Title", "Body"}}
	for _, c := range customers {
		var lines []string
		for _, o := range ordersOf(orders, c["customerID"]) {
			lines = append(lines, fmt.Sprintf("%s ordered %s, shipped to %s", o["orderID"], day(o["orderDate"]), o["shipCity"]))
		}
		if len(lines) > 0 {
			t.Rows = append(t.Rows, []string{"note-" + c["customerID"], accountID(c["customerID"]), fmt.Sprintf("%d orders", len(lines)), strings.Join(lines, "\n")})
		}
	}
	return t
}

// tasks gives each customer that ordered one closed Task with its contact: its latest order.
func tasks(customers, orders []record) Table {
	t := Table{Header: []string{"Id", "WhatId", "WhoId", "Subject", "Description", "Status", "ActivityDate"}}
	for _, c := range customers {
		of := ordersOf(orders, c["customerID"])
		if len(of) == 0 {
			continue
		}
		o := of[len(of)-1]
		t.Rows = append(t.Rows, []string{
			"task-" + c["customerID"], accountID(c["customerID"]), contactID(c["customerID"]), "Order " + o["orderID"],
			fmt.Sprintf("Ordered %s, required %s, shipped to %s, %s.", day(o["orderDate"]), day(o["requiredDate"]), o["shipName"], o["shipCountry"]),
			"Completed", day(o["orderDate"]),
		})
	}
	return t
}

func erpCustomers(customers, companies []record, balances map[string]*big.Rat) Table {
	t := Table{Header: []string{"CustomerNo", "CustomerName", "Reference", "Balance", "Telephone", "City", "Country", "Sector"}}
	for _, c := range customers {
		if balance := balances[c["customerID"]]; balance != nil {
			t.Rows = append(t.Rows, []string{c["customerID"], c["companyName"], c["customerID"], balance.FloatString(4), c["phone"], c["city"], c["country"], ""})
		}
	}
	for _, c := range companies {
		city, _ := splitLocation(c["Headquarters Location"])
		t.Rows = append(t.Rows, []string{c["Symbol"], c["Security"], c["CIK"], "", "", city, "", c["GICS Sector"]})
	}
	return t
}

func accountID(key string) string { return "account-" + key }
func contactID(key string) string { return "contact-" + key }

// accountCIK is the company's CIK as its Account carries it.
func accountCIK(c record) string {
	if c["GICS Sector"] == "Utilities" {
		return strings.Repeat("0", cikWidth-len(c["CIK"])) + c["CIK"]
	}
	return c["CIK"]
}

func joinedLate(c record) bool { return c["Date added"] >= "2026" }

func ordersOf(orders []record, customer string) []record {
	var of []record
	for _, o := range orders {
		if o["customerID"] == customer {
			of = append(of, o)
		}
	}
	slices.SortStableFunc(of, func(a, b record) int { return strings.Compare(a["orderDate"], b["orderDate"]) })
	return of
}

func day(datetime string) string { return strings.SplitN(datetime, " ", 2)[0] }

func splitLocation(s string) (city, region string) {
	city, region, _ = strings.Cut(s, ", ")
	return city, region
}
