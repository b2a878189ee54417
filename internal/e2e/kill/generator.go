package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"crosswalk/internal/e2e/harness"
)

// held is the longest that a transaction is saved and not committed.
const held = 3 * time.Second

// generator changes the org at random, one change after the other.
type generator struct {
	org        harness.Control
	rng        *rand.Rand
	references func() string // identifiers that the ERP knows
	log        io.Writer     // every change as a line of JSON

	live, deleted map[string][]string // ids by object; a record that went with its account is found out when it is used
	made          int                 // changes
	refused       map[string]int      // by Salesforce's error code
}

// load learns the ids.
func (g *generator) load(ctx context.Context) error {
	g.live, g.deleted, g.refused = map[string][]string{}, map[string][]string{}, map[string]int{}
	for _, object := range []string{"Account", "Contact", "Note", "Task"} {
		ids, err := g.org.IDs(ctx, object)
		if err != nil {
			return err
		}
		g.live[object] = ids
	}
	return nil
}

// run makes rate changes per second until ctx ends.
func (g *generator) run(ctx context.Context, rate float64) error {
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		// A change that has been sent is waited for: afterwards nothing more happens in the org by itself.
		if err := g.change(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
}

// change makes one change. The org may refuse it: a record is locked or was deleted with its account.
func (g *generator) change(ctx context.Context) error {
	t := g.draw()
	if len(t.Operations) == 0 {
		return nil
	}
	ids, err := g.org.Transact(ctx, t)
	var no *harness.Refusal
	switch {
	case errors.As(err, &no) && no.Code != "":
		g.refused[no.Code]++
	case err != nil:
		return fmt.Errorf("change the org: %w", err)
	default:
		g.made += len(t.Operations)
		g.remember(t, ids)
	}
	line, err := json.Marshal(map[string]any{"at": time.Now().UTC(), "transaction": t, "ids": ids, "refused": no})
	if err == nil {
		_, err = g.log.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write log of changes: %w", err)
	}
	return nil
}

// remember keeps the lists of ids.
func (g *generator) remember(t harness.Transaction, ids []string) {
	for i, op := range t.Operations {
		switch op.Op {
		case "create", "undelete":
			g.live[op.Object] = append(g.live[op.Object], ids[i])
		case "delete":
			g.deleted[op.Object] = append(g.deleted[op.Object], ids[i])
		}
	}
}

// some returns a live record's id, "" when there is none.
func (g *generator) some(object string) string {
	ids := g.live[object]
	if len(ids) == 0 {
		return ""
	}
	return ids[g.rng.IntN(len(ids))]
}

// take removes a random id from a list and returns it.
func (g *generator) take(from map[string][]string, object string) string {
	ids := from[object]
	if len(ids) == 0 {
		return ""
	}
	i := g.rng.IntN(len(ids))
	id := ids[i]
	ids[i] = ids[len(ids)-1]
	from[object] = ids[:len(ids)-1]
	return id
}

// draw makes up the next change: mostly one of one record, sometimes several that commit together or late, or one
// behind the application's back, which the stream tells as a gap event.
func (g *generator) draw() harness.Transaction {
	switch draw := g.rng.IntN(100); {
	case draw < 5:
		return harness.Transaction{Operations: g.several()}
	case draw < 8:
		late := time.Duration(g.rng.Int64N(int64(held)))
		return harness.Transaction{Operations: []harness.Operation{g.update("Account"), g.update("Contact")}, CommitAfter: late.String()}
	case draw < 10:
		return harness.Transaction{Operations: []harness.Operation{g.update("Contact")}, Direct: true}
	case draw < 11:
		return g.merge()
	}
	op := g.single()
	if op.Op != "create" && op.ID == "" {
		return harness.Transaction{}
	}
	return harness.Transaction{Operations: []harness.Operation{op}}
}

func (g *generator) single() harness.Operation {
	switch draw := g.rng.IntN(100); {
	case draw < 25:
		return g.update("Account")
	case draw < 50:
		return g.update("Contact")
	case draw < 60:
		return harness.Operation{Op: "update", Object: "Account", ID: g.some("Account"), Fields: map[string]any{harness.LinkField: g.identifier()}}
	case draw < 65:
		return harness.Operation{Op: "update", Object: "Contact", ID: g.some("Contact"), Fields: map[string]any{"AccountId": g.some("Account")}}
	case draw < 72:
		return g.createContact(g.some("Account"))
	case draw < 76:
		return harness.Operation{Op: "create", Object: "Account", Fields: map[string]any{"Name": g.word("Account"), harness.LinkField: g.identifier()}}
	case draw < 80:
		return harness.Operation{Op: "delete", Object: "Contact", ID: g.take(g.live, "Contact")}
	case draw < 83:
		return harness.Operation{Op: "undelete", Object: "Contact", ID: g.take(g.deleted, "Contact")}
	case draw < 86:
		return harness.Operation{Op: "delete", Object: "Account", ID: g.take(g.live, "Account")}
	case draw < 89:
		return harness.Operation{Op: "undelete", Object: "Account", ID: g.take(g.deleted, "Account")}
	}
	return g.note()
}

func (g *generator) note() harness.Operation {
	switch g.rng.IntN(5) {
	case 0:
		return harness.Operation{Op: "update", Object: "Note", ID: g.some("Note"), Fields: map[string]any{"Body": g.word("text")}}
	case 1:
		return harness.Operation{Op: "delete", Object: "Note", ID: g.take(g.live, "Note")}
	case 2:
		return harness.Operation{Op: "create", Object: "Task", Fields: map[string]any{"Subject": g.word("Call"), "WhatId": g.some("Account"), "Description": g.word("text")}}
	default:
		return harness.Operation{Op: "create", Object: "Note", Fields: map[string]any{"ParentId": g.some("Account"), "Title": g.word("Note"), "Body": g.word("text")}}
	}
}

// update changes one or two fields, sometimes to null.
func (g *generator) update(object string) harness.Operation {
	names := map[string][]string{
		"Account": {"Phone", "Name", "BillingCity", "Description", "Site"},
		"Contact": {"Title", "LastName", "Phone", "Department", "MailingCity"},
	}[object]
	fields := map[string]any{}
	for range 1 + g.rng.IntN(2) {
		name := names[g.rng.IntN(len(names))]
		fields[name] = g.word(name)
		if g.rng.IntN(8) == 0 && name != "Name" && name != "LastName" {
			fields[name] = nil
		}
	}
	if object == "Account" && g.rng.IntN(4) == 0 {
		fields["AnnualRevenue"] = g.rng.IntN(1_000_000)
	}
	return harness.Operation{Op: "update", Object: object, ID: g.some(object), Fields: fields}
}

func (g *generator) createContact(account string) harness.Operation {
	return harness.Operation{Op: "create", Object: "Contact", Fields: map[string]any{"AccountId": account, "LastName": g.word("Person")}}
}

// several are changes of related records that commit together.
func (g *generator) several() []harness.Operation {
	account := harness.Operation{Op: "create", Object: "Account", As: "new", Fields: map[string]any{"Name": g.word("Account"), harness.LinkField: g.identifier()}}
	return []harness.Operation{account, g.createContact("@new"), g.createContact("@new"), g.update("Contact")}
}

// merge makes one account of two.
func (g *generator) merge() harness.Transaction {
	winner, loser := g.some("Account"), g.take(g.live, "Account")
	if winner == loser || winner == "" {
		return harness.Transaction{}
	}
	return harness.Transaction{Operations: []harness.Operation{{Op: "merge", Object: "Account", ID: winner, Losers: []string{loser}}}}
}

// identifier is one that the ERP knows, one that is alike, one of its own, or null.
func (g *generator) identifier() any {
	switch known := g.references(); g.rng.IntN(6) {
	case 0:
		return nil
	case 1:
		return "0" + known
	case 2:
		return g.word("free")
	default:
		return known
	}
}

func (g *generator) word(what string) string {
	return fmt.Sprintf("%s %d", what, g.rng.IntN(1_000_000))
}
