package app

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"crosswalk/consumers/matcher"
	"crosswalk/consumers/matcher/join"
	"crosswalk/consumers/matcher/rule"
	"crosswalk/consumers/matcher/suggest"
	"crosswalk/internal/avro"
	"crosswalk/internal/config"
)

// Suggestion ranks the pairs of fields that could be the link.
type Suggestion struct {
	Accounts  int            `json:"accounts"`    // live records that were compared
	Customers int            `json:"customers"`   // of the ERP
	Broken    int            `json:"undecodable"` // records of both that could not be decoded, and are left out
	Order     string         `json:"order"`       // how the pairs are ranked
	Pairs     []suggest.Pair `json:"pairs"`       // best first; those that have nothing in common are left out
}

// Suggest compares every field of the Accounts with every field of the ERP customers, by their topics as they are now.
// Memory is bounded by the number of keys and of different values; progress may be nil.
func (a *App) Suggest(ctx context.Context, alias string, progress func(total, done int64)) (Suggestion, error) {
	org, p, err := a.about(ctx, alias)
	if err != nil {
		return Suggestion{}, err
	}
	defer p.close()
	m := meter{report: progress}
	accounts, customers, err := p.populations(ctx, org, &m, 2, 3)
	if err != nil {
		return Suggestion{}, err
	}
	survey := suggest.New()
	if err := surveyAccounts(ctx, accounts, &survey.Accounts); err != nil {
		return Suggestion{}, err
	}
	err = customers.each(ctx, func(_ []byte, w *avro.Walker, body []byte) {
		survey.Customers.Record()
		leaves(w, body, survey.Customers.Leaf)
	})
	if err != nil {
		return Suggestion{}, err
	}
	out := Suggestion{
		Accounts: survey.Accounts.Records(), Customers: survey.Customers.Records(), Broken: accounts.broken + customers.broken, Order: suggest.Order,
	}
	if err := bothThere(org, out.Accounts, out.Customers); err != nil {
		return out, err
	}
	out.Pairs = survey.Rank()
	sampler := survey.Sample(out.Pairs)
	return out, customers.each(ctx, func(_ []byte, w *avro.Walker, body []byte) { leaves(w, body, sampler.Leaf) })
}

// surveyAccounts gives the fields that a link can name: those at the top, and the record's key as Id (R10).
func surveyAccounts(ctx context.Context, accounts *population, side *suggest.Side) error {
	return accounts.each(ctx, func(key []byte, w *avro.Walker, body []byte) {
		side.Record()
		side.Leaf([]byte(idField), rule.Value{Kind: rule.Text, Text: string(key)})
		leaves(w, body, func(path []byte, v rule.Value) {
			if string(path) != idField && bytes.IndexByte(path, '.') < 0 {
				side.Leaf(path, v)
			}
		})
	})
}

// idField is the Account field that every Account has (R10).
const idField = "Id"

// leaves calls fn for the leaves of a body that has been checked.
func leaves(w *avro.Walker, body []byte, fn func(path []byte, v rule.Value)) {
	_ = w.Leaves(body, func(path []byte, v avro.Value) { fn(path, join.RuleValue(v)) })
}

// about opens the platform for a question about an org.
func (a *App) about(ctx context.Context, alias string) (*config.Org, *platform, error) {
	org, err := a.org(alias)
	if err != nil {
		return nil, nil, err
	}
	p, err := a.asking(ctx)
	return org, p, err
}

// populations makes the first pass over both sides. The passes that each side will have are for the meter.
func (p *platform) populations(ctx context.Context, org *config.Org, m *meter, accountPasses, customerPasses int64) (accounts, customers *population, err error) {
	accountTopic, customerTopic := topicName(org, matcher.AccountTopic), topicName(org, matcher.CustomerTopic)
	for name, passes := range map[string]int64{accountTopic: accountPasses, customerTopic: customerPasses} {
		size, err := p.size(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		m.total += size * passes
	}
	if accounts, err = p.populate(ctx, accountTopic, nil, m.tick); err != nil {
		return nil, nil, err
	}
	var deleted []string
	if org.ERPDeletedField != "" {
		deleted = strings.Split(org.ERPDeletedField, ".")
	}
	customers, err = p.populate(ctx, customerTopic, deleted, m.tick)
	return accounts, customers, err
}

// size is how many records a topic has at most.
func (p *platform) size(ctx context.Context, name string) (int64, error) {
	exists, err := p.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return 0, err
	}
	all, err := p.kafka.Offsets(ctx, name)
	n := int64(0)
	for _, r := range all[name] {
		n += r.End - r.First
	}
	return n, err
}

// bothThere says what to do when a side has no records.
func bothThere(org *config.Org, accounts, customers int) error {
	if accounts == 0 {
		return fmt.Errorf("there are no Accounts in %s yet; run 'crosswalk run salesforce' until its snapshot is done, then ask again", topicName(org, matcher.AccountTopic))
	}
	if customers == 0 {
		return fmt.Errorf("there are no ERP customers in %s yet; run 'crosswalk erp import FILE', then ask again", topicName(org, matcher.CustomerTopic))
	}
	return nil
}

// meter counts records that are read, in all passes.
type meter struct {
	total, done int64
	report      func(total, done int64) // may be nil
}

// tick counts one record. It is reported every now and then.
func (m *meter) tick() {
	m.done++
	if m.report != nil && m.done%256 == 0 {
		m.report(max(m.total, m.done), m.done)
	}
}
