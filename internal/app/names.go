package app

import (
	"context"
	"strings"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
)

// records are the ids of all records that the issues name, by side; the other ones of a near miss included.
func (i Issues) records() map[customer.Side]map[string]bool {
	out := map[customer.Side]map[string]bool{}
	add := func(side customer.Side, id string) {
		if out[side] == nil {
			out[side] = map[string]bool{}
		}
		out[side][id] = true
	}
	for _, a := range i.Ambiguous {
		for _, id := range a.Accounts {
			add(customer.SideAccount, id)
		}
		for _, id := range a.ERPCustomers {
			add(customer.SideERP, id)
		}
	}
	for _, u := range i.Unmatched {
		add(u.Side, u.ID)
		for _, n := range u.NearMisses {
			add(u.Side.Other(), n.ID)
		}
	}
	return out
}

// named says where what people call a record of each side is.
var named = []struct {
	side   customer.Side
	topic  string
	fields []string
}{
	{customer.SideAccount, matcher.AccountTopic, []string{"Name"}},
	{customer.SideERP, matcher.CustomerTopic, []string{"name"}},
	{customer.SideContact, matcher.ContactTopic, []string{"FirstName", "LastName"}},
	{customer.SideNote, matcher.NoteTopic, []string{"title"}},
}

// names returns what people call these records, as far as the topics know.
func (p *platform) names(ctx context.Context, org *config.Org, records map[customer.Side]map[string]bool) (map[string]string, error) {
	out := map[string]string{}
	for _, n := range named {
		ids := records[n.side]
		if len(ids) == 0 {
			continue
		}
		wanted := func(id string) bool { return ids[id] }
		err := p.latest(ctx, topicName(org, n.topic), wanted, func(id string, w *avro.Walker, body []byte) error {
			var words []string
			for _, field := range n.fields {
				v, err := w.Lookup(body, field)
				if err != nil {
					return err
				}
				if v.Kind == avro.Text && v.Text != "" {
					words = append(words, v.Text)
				}
			}
			out[n.side.Prefix()+id] = strings.Join(words, " ")
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
