package demo

import (
	"fmt"
)

// Org is what the demo changes: the verbs of a Salesforce org.
type Org interface {
	Create(object string, fields map[string]any) (id string, err error)
	Update(object, id string, fields map[string]any) error
	Delete(object, id string) error
	Undelete(object, id string) error
	// Find returns the ids of the live records whose field has the value, in id order.
	Find(object, field, value string) ([]string, error)
}

// Change makes one round of changes and returns how many: every kind of change that a matched customer meets. Rounds may
// be repeated; each is made of the same data.
func Change(org Org, round int) (int, error) {
	c := changer{org: org}
	account := func(no string) string { return c.one("Account", LinkField, no) }
	alfki, bonap, chops := account("ALFKI"), account("BONAP"), account("CHOPS")

	c.update("Account", alfki, map[string]any{"Phone": fmt.Sprintf("030-00743%02d", round%100)})
	contact := c.one("Contact", "AccountId", alfki)
	c.update("Contact", contact, map[string]any{"Title": fmt.Sprintf("Sales Representative, region %d", round)})
	c.update("Contact", contact, map[string]any{"Title": nil})
	c.update("Account", bonap, map[string]any{"BillingCity": "Marseille", "BillingStreet": fmt.Sprintf("%d, rue des Bouchers", 12+round)})

	added := c.create("Contact", map[string]any{"AccountId": chops, "FirstName": "Yang", "LastName": fmt.Sprintf("Wang %d", round)})
	c.create("Note", map[string]any{"ParentId": chops, "Title": fmt.Sprintf("Call %d", round), "Body": "Asked for the open orders."})
	c.delete("Contact", added)
	c.undelete("Contact", added)
	c.update("Contact", added, map[string]any{"AccountId": alfki}) // moves to another customer
	if round > 1 {
		c.delete("Contact", added)
	}

	if round == 1 {
		// A person corrects two of the near misses; an account is deleted with its contact, another comes back.
		for _, padded := range []string{"0000004904", "0000874761"} {
			for _, id := range c.find("Account", LinkField, padded) {
				c.update("Account", id, map[string]any{LinkField: trimZeros(padded)})
			}
		}
		c.delete("Account", account("WOLZA"))
		wilmk := account("WILMK")
		c.delete("Account", wilmk)
		c.undelete("Account", wilmk)
		// Two accounts were given each other's number.
		c.update("Account", bonap, map[string]any{LinkField: "CHOPS"})
		c.update("Account", chops, map[string]any{LinkField: "BONAP"})
		c.update("Account", bonap, map[string]any{LinkField: "BONAP"})
		c.update("Account", chops, map[string]any{LinkField: "CHOPS"})
	}
	return c.count, c.err
}

// changer counts and stops at the first error.
type changer struct {
	org   Org
	count int
	err   error
}

func (c *changer) did(err error, what string, args ...any) {
	if err != nil {
		c.err = fmt.Errorf("change the demo's org: %s: %w", fmt.Sprintf(what, args...), err)
		return
	}
	c.count++
}

func (c *changer) find(object, field, value string) []string {
	if c.err != nil {
		return nil
	}
	ids, err := c.org.Find(object, field, value)
	if err != nil {
		c.did(err, "find %s where %s = %s", object, field, value)
	}
	return ids
}

func (c *changer) one(object, field, value string) string {
	ids := c.find(object, field, value)
	if c.err == nil && len(ids) == 0 {
		c.err = fmt.Errorf("change the demo's org: no %s has %s = %s", object, field, value)
	}
	if c.err != nil {
		return ""
	}
	return ids[0]
}

func (c *changer) create(object string, fields map[string]any) (id string) {
	if c.err == nil {
		var err error
		id, err = c.org.Create(object, fields)
		c.did(err, "create %s", object)
	}
	return id
}

func (c *changer) update(object, id string, fields map[string]any) {
	if c.err == nil {
		c.did(c.org.Update(object, id, fields), "update %s %s", object, id)
	}
}

func (c *changer) delete(object, id string) {
	if c.err == nil {
		c.did(c.org.Delete(object, id), "delete %s %s", object, id)
	}
}

func (c *changer) undelete(object, id string) {
	if c.err == nil {
		c.did(c.org.Undelete(object, id), "undelete %s %s", object, id)
	}
}

func trimZeros(s string) string {
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	return s
}
