package org

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what org to make. The zero value is an empty org with one user.
type Config struct {
	// Files, when set, holds Account.csv and so on, and schema.json: see Load.
	Files fs.FS
	// Seed and the numbers of rows make an org up; Contacts, Notes and Tasks belong to Accounts in equal shares.
	Seed                             uint64
	Accounts, Contacts, Notes, Tasks int
	// SeedTime is the latest time in made-up rows; zero means 2026-06-01, or a day before Now when that is earlier.
	SeedTime time.Time
	// Now is the org's clock; nil means time.Now.
	Now func() time.Time
	// Username and Email are the integration user's.
	Username, Email string
	// Committed is told of every commit, in commit order, one at a time, after readers can see it. It returns the replay
	// id of the commit's last event, 0 when there is none.
	Committed func(Commit) int64
	// FormulasInEvents puts calculated fields into changes that create or undelete (facts 10: off).
	FormulasInEvents bool
}

// Org is the data of one simulated org. Its methods may be called from any goroutine.
type Org struct {
	config  Config
	now     func() time.Time
	seeded  time.Time                 // latest time in made-up rows
	objects atomic.Pointer[objectSet] // replaced whole when an object is added
	schema  atomic.Int64              // when objects or fields changed last, Unix nanoseconds
	user    string                    // id of the integration user
	id      string                    // id of the Organization

	commit   sync.Mutex   // held while a commit is installed and told of, so that both happen in one order
	mu       sync.RWMutex // guards all tables, and what follows
	seq      uint64
	locks    map[recordKey]*Tx
	pins     map[uint64]int // readers by sequence number
	cascades uint64
	moments  []moment // when each commit became visible, as far back as the oldest pin
}

type objectSet struct {
	byName map[string]*Object // by lower-case name
	sorted []*Object
}

type recordKey struct {
	object *Object
	slot   uint32
}

type moment struct {
	seq uint64
	at  time.Time
}

// defaultSeedTime is the latest time in made-up rows unless the configuration names another.
var defaultSeedTime = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// seedYears is how far back made-up rows were created.
const seedYears = 7

// New makes an org: the standard objects, the made-up rows, then the files.
func New(config Config) (*Org, error) {
	o := &Org{config: config, now: config.Now, locks: make(map[recordKey]*Tx), pins: make(map[uint64]int)}
	o.objects.Store(&objectSet{})
	if o.now == nil {
		o.now = time.Now
	}
	o.seeded = config.seedTime(o.now())
	objects, err := parseStandard(standardText)
	if err != nil {
		return nil, err
	}
	for _, ob := range objects {
		o.addObject(ob)
	}
	if err := o.addPeople(); err != nil {
		return nil, err
	}
	if err := o.addSeedRows(); err != nil {
		return nil, err
	}
	if config.Files != nil {
		if err := o.Load(config.Files); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *Org) addObject(ob *Object) {
	ob.table = newTable(ob)
	old := o.objects.Load()
	next := &objectSet{byName: maps.Clone(old.byName), sorted: slices.Clone(old.sorted)}
	if next.byName == nil {
		next.byName = make(map[string]*Object)
	}
	next.byName[strings.ToLower(ob.Name)] = ob
	at, _ := slices.BinarySearchFunc(next.sorted, ob.Name, func(x *Object, name string) int { return cmp.Compare(x.Name, name) })
	next.sorted = slices.Insert(next.sorted, at, ob)
	o.objects.Store(next)
	o.schema.Store(o.now().UnixNano())
}

// owners are the names of the users that own made-up rows, besides the integration user.
var owners = []string{"Nancy Davolio", "Andrew Fuller", "Janet Leverling", "Margaret Peacock", "Steven Buchanan", "Michael Suyama"}

// addPeople makes the Organization and its users.
func (o *Org) addPeople() error {
	username := cmp.Or(o.config.Username, "integration@crosswalk.example")
	tx := o.beginLoad()
	org := Fields{"Name": "Crosswalk Simulator", "OrganizationType": "Developer Edition", "InstanceName": "SIM1", "Country": "DE"}
	var err error
	if o.id, err = tx.Create("Organization", org); err != nil {
		return fmt.Errorf("make organization: %w", err)
	}
	user := Fields{"Username": username, "Email": cmp.Or(o.config.Email, username), "FirstName": "Integration", "LastName": "User", "Alias": "integ"}
	o.user = MakeID("005", 1)
	if _, err = tx.Create("User", user); err != nil {
		return fmt.Errorf("make integration user: %w", err)
	}
	for _, name := range owners {
		first, last, _ := strings.Cut(name, " ")
		address := strings.ToLower(first + "." + last + "@crosswalk.example")
		if _, err := tx.Create("User", Fields{"Username": address, "Email": address, "FirstName": first, "LastName": last, "Alias": strings.ToLower(first)[:5]}); err != nil {
			return fmt.Errorf("make user %s: %w", name, err)
		}
	}
	tx.install()
	return nil
}

// addSeedRows prepares the made-up rows.
func (o *Org) addSeedRows() error {
	counts := map[string]int{"Account": o.config.Accounts, "Contact": o.config.Contacts, "Note": o.config.Notes, "Task": o.config.Tasks}
	if counts["Account"] > 0 {
		if err := o.AddField("Account", FieldSpec{Name: SeedField, Type: "string", Length: 40, ExternalID: true}); err != nil {
			return err
		}
	}
	var ids []string
	for n := range owners {
		ids = append(ids, MakeID("005", uint64(n)+2))
	}
	end := o.seeded
	for name, count := range counts {
		if count < 0 || count > 1<<31 {
			return fmt.Errorf("make up %d rows of %s: the number must lie between 0 and 2147483648", count, name)
		}
		if count == 0 {
			continue
		}
		ob, _ := o.Object(name)
		ob.table.base = uint32(count)
		ob.table.gen = newGenerator(ob, o.config.Seed, uint32(count), uint32(o.config.Accounts), ids, end.AddDate(-seedYears, 0, 0), end)
	}
	return nil
}

func (c Config) seedTime(now time.Time) time.Time {
	if !c.SeedTime.IsZero() {
		return c.SeedTime
	}
	if dayBefore := now.Add(-24 * time.Hour); dayBefore.Before(defaultSeedTime) {
		return dayBefore
	}
	return defaultSeedTime
}

// Object finds an object by its API name without regard to case.
func (o *Org) Object(name string) (*Object, bool) {
	ob, ok := o.objects.Load().byName[strings.ToLower(name)]
	return ob, ok
}

// Objects are all objects, by name.
func (o *Org) Objects() []*Object { return slices.Clone(o.objects.Load().sorted) }

// SchemaTime is when objects or fields changed last.
func (o *Org) SchemaTime() time.Time { return time.Unix(0, o.schema.Load()) }

// ID is the id of the org itself; its first 15 characters begin every access token.
func (o *Org) ID() string { return o.id }

// User is the id of the integration user, who makes every change that names no other actor.
func (o *Org) User() string { return o.user }

// Now is the org's time.
func (o *Org) Now() time.Time { return o.now() }

// Compound says which compound field of a change event a field belongs to, and its name there:
// BillingStreet of Account is Street of BillingAddress (facts 5.3).
func (o *Org) Compound(entity, field string) (compound, component string, ok bool) {
	ob, found := o.Object(entity)
	if !found {
		return "", "", false
	}
	f, found := ob.Field(field)
	if !found || f.Component == "" {
		return "", "", false
	}
	return f.Component, f.ComponentName(), true
}
