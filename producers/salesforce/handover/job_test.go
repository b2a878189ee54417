package handover

import (
	"maps"
	"slices"

	"crosswalk/internal/change"
)

// fetch starts a re-fetch, reads a little later, and gets the result later still.
func (p *producer) fetch(entity string) {
	read, ok := p.m.StartRead(entity, p.w.now, 1+p.w.rng.IntN(5))
	if !ok {
		return
	}
	p.step()
	p.c.note("read %d of %v", read.ID, read.IDs)
	if p.w.chance(p.w.plan.failures) {
		p.after(p.w.between(10, 500), func() {
			p.m.Failed(read.ID)
			p.follow()
		})
		return
	}
	life := p.life
	p.w.after(p.w.between(0, 1500), func() {
		var rows []Row
		for _, id := range read.IDs {
			if row := p.w.read(Key{entity, id}); !row.Gone || p.w.chance(0.5) {
				rows = append(rows, row)
			}
		}
		p.w.after(p.w.between(0, p.w.between(0, 6000)), func() {
			p.guard(life, func() {
				p.c.note("fetched %d: %v", read.ID, rows)
				must(p.m.Fetched(read.ID, rows))
				p.commit(nil)
			})
		})
	})
	p.follow()
}

// snapshots goes on with every entity's snapshot, from wherever it is.
func (p *producer) snapshots() {
	for _, entity := range []string{"Account", "Contact"} {
		s, ok := p.m.Snapshots()[entity]
		j := p.pages[entity]
		switch {
		case !ok:
		case s.Phase == Wanted:
			p.open(entity)
		case s.Phase == Reading && j == nil:
			p.m.AbandonSnapshot(entity, "the job was never created")
			p.open(entity)
		case s.Phase == Reading:
			p.pull(entity, j)
		case !p.busy["sweep "+entity] && (p.m.CaughtUp() || p.wrong.noRebuild):
			p.sweep(entity)
		}
	}
}

// open opens the window, stores the position with it, and creates the job.
func (p *producer) open(entity string) {
	p.m.OpenSnapshot(entity, p.w.now)
	delete(p.pages, entity)
	p.store(func() {})
	p.step()
	j := &job{}
	n := 1 + p.w.rng.IntN(3)
	for i := range n {
		pg := &page{}
		j.pages = append(j.pages, pg)
		p.w.after(p.w.between(0, 12_000), func() {
			for at, k := range p.w.keys {
				if row := p.w.read(k); at%n == i && k.Entity == entity && !row.Gone {
					pg.rows = append(pg.rows, row)
				}
			}
			pg.ready = true
		})
	}
	p.pages[entity] = j
	p.pull(entity, j)
}

// pull applies the job's pages as they come, in any order, each some time after it was read.
func (p *producer) pull(entity string, j *job) {
	life := p.life
	if p.busy["job "+entity] {
		return
	}
	p.busy["job "+entity] = true
	p.w.after(p.w.between(100, 6000), func() {
		p.guard(life, func() {
			p.busy["job "+entity] = false
			if p.m.Snapshots()[entity].Phase != Reading {
				return
			}
			if now := p.pages[entity]; now != j {
				if now != nil { // the operator gave this job up, and another was begun meanwhile
					p.pull(entity, now)
				}
				return
			}
			if left := slices.DeleteFunc(slices.Clone(j.pages), func(pg *page) bool { return pg.applied }); len(left) > 0 {
				if pg := left[p.w.rng.IntN(len(left))]; pg.ready && (p.m.CaughtUp() || p.wrong.noRebuild) {
					p.c.note("page %v", pg.rows)
					must(p.m.Rows(entity, copyRows(pg.rows)))
					p.commit(func() { pg.applied = true })
				}
				p.pull(entity, j)
				return
			}
			if p.m.CaughtUp() || p.wrong.noRebuild {
				p.sweep(entity)
			} else {
				p.pull(entity, j)
			}
		})
	})
}

func copyRows(rows []Row) []Row {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Values = slices.Clone(out[i].Values)
	}
	return out
}

// sweep reads by Id what the snapshot did not have, and closes the window when that is done (H11).
func (p *producer) sweep(entity string) {
	p.m.Sweep(entity)
	mem := p.m.records.(*memory)
	all := maps.Clone(mem.disk)
	maps.Copy(all, mem.dirty)
	for _, k := range p.w.keys {
		if rec, ok := all[k]; ok && k.Entity == entity && p.m.Missing(k, rec) {
			p.m.Check(k)
		}
	}
	p.sweepOn(entity)
}

func (p *producer) sweepOn(entity string) {
	if p.busy["sweep "+entity] {
		return
	}
	if p.m.Swept(entity) {
		p.m.CloseSnapshot(entity)
		p.commit(func() { delete(p.pages, entity) })
		return
	}
	p.busy["sweep "+entity] = true
	p.after(p.w.between(10, 500), func() { p.fetch(entity) })
	p.after(1000, func() {
		p.busy["sweep "+entity] = false
		if p.m.Snapshots()[entity].Phase == Sweeping {
			p.sweepOn(entity)
		}
	})
}

// stampOf is the SystemModstamp of the read that a record is from.
func stampOf(rec Record) change.Value {
	if len(rec.Values) <= stampField {
		return change.Value{}
	}
	return rec.Values[stampField]
}

// reconcile is H15 over the whole org. It reports whether it found anything.
func (p *producer) reconcile() bool {
	found := false
	for _, k := range p.w.keys {
		rec, err := p.m.load(k)
		must(err)
		r := p.w.org[k]
		switch {
		case r.live && NeedsRepair(rec, stampOf(rec), r.values[stampField]), !r.live && rec.State == Live:
			p.m.Ask(k, ForRepair)
			found = true
		}
	}
	p.commit(nil)
	return found
}
