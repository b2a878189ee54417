package mapping

import (
	"fmt"
	"strings"
	"testing"

	"crosswalk/internal/config"
)

func TestPresetsKnowTheNamesOfColumns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ preset, text, want string }{
		"SAP, English headings":          {"sap", "CoCd;Customer;Name 1;Name 2;PayT;Crcy\n1000;0042;Acme;Ltd;NT30;USD\n", "1000/0042|Acme Ltd|0042|absent|USD|NT30"},
		"SAP, German headings":           {"sap", "Buchungskreis\tDebitor\tName 1\tZahlungsbedingung\tWährung\n1000\t42\tAcme\tZB30\tEUR\n", "1000/42|Acme|42|absent|EUR|ZB30"},
		"SAP, technical before headings": {"sap", "Customer,KUNNR,NAME1\nx,42,Acme\n", "42|Acme|42|absent|absent|absent"},
		"QuickBooks Online, Customer":    {"quickbooks", "Customer,Company,Phone,Email,Open Balance,Notes\nAcme,Acme Inc,1,a@b,\"$1,204.50\",\n", "Acme|Acme|absent|1204.5|absent|absent"},
		"Intacct, labels":                {"sage_intacct", "Customer ID,Name,Total due,Term,Default currency\nC1,Acme,12.5,Net 30,USD\n", "C1|Acme|C1|12.5|USD|Net 30"},
		"Business Central, German":       {"dynamics365", "Nr.;Name;Saldo (MW);Währungscode;Zlg.-Bedingungscode\n1;Acme;12.5;EUR;14T\n", "1|Acme|1|12.5|absent|14T"},
		"Business Central, USA":          {"dynamics365", "No.,Name,Balance ($),Currency Code\n1,Acme,$12.50,CAD\n", "1|Acme|1|12.5|absent|absent"},
		"Finance, as OData writes it":    {"dynamics365", "dataAreaId,CustomerAccount,OrganizationName,SalesCurrencyCode\nusmf,US-1,Acme,USD\n", "usmf/US-1|Acme|US-1|absent|USD|absent"},
		"Finance, definitions":           {"dynamics365", "DATAAREAID,CUSTOMERACCOUNT,NAME\nusmf,US-1,Acme\n", "usmf/US-1|Acme|US-1|absent|absent|absent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			customers, rejects, err := mapped(t, "x.csv", c.text, func(s *config.ERPSource) { s.Preset, s.Columns = c.preset, nil })
			if err != nil || len(customers) != 1 {
				t.Fatal(customers, rejects, err)
			}
			one := customers[0]
			got := []string{one.Key()}
			for _, v := range []fmt.Stringer{one.Name, one.Identifier, one.Balance, one.Currency, one.Terms} {
				got = append(got, v.String())
			}
			if g := strings.Join(got, "|"); g != c.want {
				t.Errorf("got  %s\nwant %s", g, c.want)
			}
		})
	}
}
