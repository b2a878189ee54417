package harness

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"crosswalk/internal/customer"
	"crosswalk/internal/judge"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
)

// Link is the link of the trials' orgs.
var Link = customer.Link{SalesforceField: LinkField, ERPField: "identifier", Cardinality: customer.CardinalityOneToOne, NearMiss: true}

// Ready is what the simulator says when it listens.
type Ready struct {
	LoginURL     string `json:"login_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	ControlURL   string `json:"control_url"`
}

// Org is a simulated org in a process of its own, and an ERP of which half of the customers are its accounts.
type Org struct {
	Ready
	Control
	Ledger *Ledger

	child *Child
}

// StartOrg starts an org, makes its ERP, and gives its accounts their identifiers.
func StartOrg(ctx context.Context, binary, log string, seed uint64, accounts, contacts int) (*Org, error) {
	o := &Org{}
	var err error
	o.child, err = Launch(ctx, binary, log, &o.Ready, "simulator",
		"--seed", strconv.FormatUint(seed, 10), "--accounts", strconv.Itoa(accounts), "--contacts", strconv.Itoa(contacts))
	if err != nil {
		return nil, err
	}
	o.Control = Control{URL: o.ControlURL}
	ids, err := o.IDs(ctx, "Account")
	if err != nil {
		return o, err
	}
	var carries map[string]string
	o.Ledger, carries = NewLedger(rand.New(rand.NewPCG(seed, 2)), ids)
	return o, o.linkAccounts(ctx, carries)
}

// Stop ends the org in good order; the error says that it had to be killed, or how it ended.
func (o *Org) Stop() error {
	if o == nil || o.child == nil {
		return nil
	}
	return o.child.Stop(10 * time.Second)
}

// Judge makes one that knows the org and, at this moment, the ERP.
func (o *Org) Judge(ctx context.Context) (*judge.Judge, error) {
	quiet := slog.New(slog.DiscardHandler)
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{Logger: quiet, Auth: sfapi.Auth{
		Flow: "password", LoginURL: o.LoginURL, ClientID: o.ClientID, ClientSecret: secret.String(o.ClientSecret),
		Username: o.Username, Password: secret.String(o.Password), AllowAnyHost: true,
	}})
	if err != nil {
		return nil, err
	}
	client, err := sfapi.New(sfapi.Config{Tokens: tokens, AllowAnyHost: true, Logger: quiet})
	if err != nil {
		return nil, err
	}
	return judge.New(ctx, o.ControlURL, client, Link, o.Ledger.Records())
}

// YAML is the org's part of a configuration, two blanks in, without its ERP sources.
func (o *Org) YAML(alias string) string {
	return fmt.Sprintf(`  - alias: %s
    orphan_grace: 0s
    salesforce:
      login_url: %q
      allow_any_host: true
      auth: {flow: password, client_id: %q, client_secret: %q, username: %q, password: %q}
      notes: {objects: [Note, Task], poll_interval: 500ms}
    link: {salesforce_field: %s, erp_field: %s}
`, alias, o.LoginURL, o.ClientID, o.ClientSecret, o.Username, o.Password, Link.SalesforceField, Link.ERPField)
}

// linkAccounts writes the identifiers to the accounts, before anything runs.
func (o *Org) linkAccounts(ctx context.Context, carries map[string]string) error {
	spec := map[string]any{"name": LinkField, "label": "ERP No", "type": "string", "length": 40, "externalId": true}
	if err := o.Do(ctx, http.MethodPost, "/fields/Account", spec, nil); err != nil {
		return err
	}
	var t Transaction
	for _, id := range slices.Sorted(maps.Keys(carries)) {
		t.Operations = append(t.Operations, Operation{Op: "update", Object: "Account", ID: id, Fields: map[string]any{LinkField: carries[id]}})
		if len(t.Operations) == 200 {
			if _, err := o.Transact(ctx, t); err != nil {
				return err
			}
			t.Operations = nil
		}
	}
	if len(t.Operations) == 0 {
		return nil
	}
	_, err := o.Transact(ctx, t)
	return err
}
