package app

import (
	"context"
	"maps"
	"slices"
	"strings"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
)

// records are the keys of all records that the issues name, the other ones of a near miss included.
func (i Issues) records() map[string]bool {
	out := map[string]bool{}
	for _, a := range i.Ambiguous {
		for _, id := range a.Accounts {
			out[customer.SideAccount.Prefix()+id] = true
		}
		for _, id := range a.ERPCustomers {
			out[customer.SideERP.Prefix()+id] = true
		}
	}
	for _, u := range i.Unmatched {
		out[u.Key()] = true
		for _, n := range u.NearMisses {
			out[opposite(u.Side).Prefix()+n.ID] = true
		}
	}
	return out
}

// opposite is the side on which the near misses of an account or customer are.
func opposite(s customer.Side) customer.Side {
	if s == customer.SideERP {
		return customer.SideAccount
	}
	return customer.SideERP
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
func (p *platform) names(ctx context.Context, org *config.Org, records map[string]bool) (map[string]string, error) {
	out := map[string]string{}
	for _, n := range named {
		prefix := n.side.Prefix()
		if !slices.ContainsFunc(slices.Collect(maps.Keys(records)), func(key string) bool { return strings.HasPrefix(key, prefix) }) {
			continue
		}
		wanted := func(key string) bool { return records[prefix+key] }
		err := p.latest(ctx, topicName(org, n.topic), wanted, func(key string, w *avro.Walker, body []byte) error {
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
			out[prefix+key] = strings.Join(words, " ")
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
