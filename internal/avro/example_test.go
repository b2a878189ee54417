package avro_test

import (
	"fmt"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
)

// A row on its way: encoded under a schema made from what Salesforce describes, then looked into and shown as JSON.
func Example() {
	codec, err := avro.NewRowCodec(change.NewSchema("Account", []change.Field{
		{Name: "Id"}, {Name: "ERP_Customer_No__c"}, {Name: "AnnualRevenue", Type: change.TypeDecimal, Precision: 18, Scale: 2},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	revenue, err := change.DecimalValue("1200000.50")
	if err != nil {
		fmt.Println(err)
		return
	}
	row := change.Row{Schema: codec.Fields(), ID: "001D000000IqhSLIAZ", Values: []change.Value{
		revenue, change.StringValue("0042"), change.StringValue("001D000000IqhSLIAZ"), // in the order of the names
	}}
	body, err := codec.Append(nil, row, change.Meta{Op: change.OpSnapshot})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := avro.NewWalker(codec.Schema())
	if err != nil {
		fmt.Println(err)
		return
	}
	identifier, err := w.Lookup(body, "ERP_Customer_No__c")
	fmt.Println(identifier.Text, err)
	shown, err := w.AppendJSON(nil, body)
	fmt.Printf("%.85s… %v\n", shown, err)
	// Output:
	// 0042 <nil>
	// {"AnnualRevenue":1200000.5,"ERP_Customer_No__c":"0042","Id":"001D000000IqhSLIAZ","_ch… <nil>
}
