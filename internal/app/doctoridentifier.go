package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/customer"
	"crosswalk/internal/sfapi"
)

// sampleSize is how many accounts are read for the fill and duplicate rate, at most: ten API calls.
const sampleSize = 20_000

// identifier looks whether the link's field is there, readable, filled, and different on every account. Values are compared
// byte for byte, as the matching does; SOQL's own grouping would not tell case apart.
func (e *examination) identifier(ctx context.Context) result {
	link, where := e.link(ctx)
	if link == nil {
		return noted("until a pair of fields is chosen no customer is shown: 'crosswalk identifier suggest' ranks the pairs, 'crosswalk identifier activate' sets one, or set orgs[].link.salesforce_field and erp_field", "no link is configured")
	}
	d := e.describes["Account"]
	if d == nil {
		return unchecked("Account cannot be read")
	}
	field, ok := fieldOf(d, link.SalesforceField)
	if !ok {
		const show = "Setup > Object Manager > Account > Fields & Relationships > the field > Set Field-Level Security"
		hidden, err := e.hiddenCustom(ctx, d)
		switch {
		case err != nil: // the user may not look
			return wrong("it does not exist, or field-level security hides it: check the spelling of "+where+", and "+show,
				"Account has no field %s that this user may read", link.SalesforceField)
		case slices.ContainsFunc(hidden, func(name string) bool { return strings.EqualFold(name, link.SalesforceField) }):
			return wrong("without it no account can match: make it visible to this user at "+show+", or "+clickPermission+" > Object Settings > Account > Field Permissions",
				"field-level security hides %s, which links accounts to customers", link.SalesforceField)
		}
		return wrong("check the spelling of "+where+", or let crosswalk identifier suggest rank the fields that fit; for a standard field see "+show,
			"Account has no field %s that this user may read, nor is a custom field of that name hidden", link.SalesforceField)
	}
	switch field.Type {
	case "boolean", "address", "location", "base64", "multipicklist":
		return wrong("choose a text or number field as "+where, "%s is of type %s, which can identify nothing", field.Name, field.Type)
	}
	s, err := e.sample(ctx, field.Name)
	if err != nil {
		return failed(err)
	}
	return s.judge(field, string(link.Cardinality), where)
}

// link is the pair of fields that the matcher follows, and where it was set; what is configured when the topics cannot be read.
func (e *examination) link(ctx context.Context) (link *customer.Link, where string) {
	where = "orgs[].link.salesforce_field"
	if e.org.Link.Set() {
		l := linkOf(e.org.Link)
		link = &l
	}
	e.ground.open(ctx)
	if p := e.ground.platform; p != nil && e.ground.registry == nil {
		active, err := p.link(ctx, e.org)
		if err == nil && (active == nil) != (link == nil) || err == nil && active != nil && *active != *link {
			return active, "crosswalk identifier activate, which goes before " + where
		}
	}
	return link, where
}

// fieldOf finds a field by its name as SOQL does, without regard to case.
func fieldOf(d *sfapi.Describe, name string) (sfapi.DescribedField, bool) {
	for _, f := range d.Fields {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return sfapi.DescribedField{}, false
}

// sample is what the read accounts say of a field.
type sample struct {
	all      int // accounts that the org has
	read     int
	filled   int
	repeated int // accounts whose value another one has too
}

func (e *examination) sample(ctx context.Context, field string) (s sample, err error) {
	soql := "SELECT Id, " + field + " FROM Account"
	if field == "Id" {
		soql = "SELECT Id FROM Account"
	}
	seen := map[string]int{}
	for page, err := range e.client.QueryPages(ctx, soql, sfapi.QueryOptions{}) {
		if err != nil {
			return s, err
		}
		s.all = page.TotalSize
		for _, raw := range page.Records {
			var row map[string]json.RawMessage
			if err := json.Unmarshal(raw, &row); err != nil {
				return s, fmt.Errorf("read %s of the accounts: %w", field, err)
			}
			s.read++
			value := string(row[field])
			if value == "" || value == "null" {
				continue
			}
			s.filled++
			switch seen[value]++; seen[value] {
			case 1:
			case 2:
				s.repeated += 2
			default:
				s.repeated++
			}
		}
		if s.read >= sampleSize {
			break
		}
	}
	return s, nil
}

// judge says what the rates mean.
func (s sample) judge(field sfapi.DescribedField, cardinality, where string) result {
	of := fmt.Sprintf("%d accounts", s.read)
	if s.read < s.all {
		of = fmt.Sprintf("the first %d of %d accounts", s.read, s.all)
	}
	if s.read == 0 {
		return noted("", "%s is readable; no account is visible to look at its values", field.Name)
	}
	seen := fmt.Sprintf("%s (%s): filled on %s of %s, %s of the filled share their value with another", field.Name, field.Type, percent(s.filled, s.read), of, percent(s.repeated, max(1, s.filled)))
	var advice []string
	if s.filled == 0 {
		return wrong("without a value no account can match: fill the field, or choose another as "+where, "%s", seen)
	}
	if 2*s.filled < s.read {
		advice = append(advice, "accounts without a value cannot match: crosswalk issues --reason NO_IDENTIFIER lists them")
	}
	if s.repeated > 0 && (cardinality == "one_to_one" || cardinality == "many_customers") {
		advice = append(advice, "accounts that share a value are ambiguous and not shown: crosswalk issues --reason MANY_ACCOUNTS lists them, or allow orgs[].link.cardinality many_accounts")
	}
	if field.Calculated {
		advice = append(advice, "a formula does not come with events: every changed account is read again")
	}
	if len(advice) == 0 {
		return good("%s", seen)
	}
	return noted(strings.Join(advice, "; "), "%s", seen)
}

// percent rounds so that a few are never none and a few missing are never all.
func percent(part, whole int) string {
	switch p := 100 * float64(part) / float64(whole); {
	case part == 0:
		return "0 %"
	case part == whole:
		return "100 %"
	case p < 0.1:
		return "less than 0.1 %"
	case p > 99.9:
		return "more than 99.9 %"
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}
