package app

import (
	"encoding/json"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
	"crosswalk/internal/demo"
	"crosswalk/internal/judge"
)

// demoColumns maps the columns of the demo's ERP file to the members of a customer.
var demoColumns = map[string]string{
	"CustomerNo": "number", "CustomerName": "name", "Reference": "identifier", "Balance": "balance", "Telephone": "phone",
}

// demoSource is the ERP source of the demo.
func demoSource() config.ERPSource {
	columns := map[string]string{}
	for column, member := range demoColumns {
		columns[member] = column
	}
	return config.ERPSource{Name: "erp", Mode: "full", Attributes: "all", MaxDeleteShare: new(0.2), Columns: columns}
}

// demoCustomers are the rows of the demo's ERP file in the form that views have them.
func demoCustomers(t demo.Table) map[string]naive.Record {
	out := map[string]naive.Record{}
	for _, row := range t.Rows {
		f := customer.Fields{"company": nil, "currency": nil, "terms": nil, "email": nil, "updated_at": nil}
		attributes := map[string]any{}
		for i, column := range t.Header {
			var v any
			if row[i] != "" {
				v = row[i]
			}
			switch member := demoColumns[column]; member {
			case "":
				attributes[column] = v
			case "balance":
				f[member] = v
				if text, ok := v.(string); ok {
					f[member] = judge.Value(json.Number(text), change.TypeDecimal)
				}
			default:
				f[member] = v
			}
		}
		f["attributes"] = attributes
		out[row[0]] = naive.Record{Fields: f}
	}
	return out
}

// linkOf is the configured link as the matcher has it.
func linkOf(l config.Link) customer.Link {
	return customer.Link{SalesforceField: l.SalesforceField, ERPField: l.ERPField, Cardinality: customer.Cardinality(l.Cardinality), NearMiss: l.NearMiss != "off"}
}
