package quota

import (
	"math"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// org is a counter as Salesforce keeps it, to read from.
type org struct{ calls []time.Time }

func (o *org) use(at time.Time, n int) {
	for range n {
		o.calls = append(o.calls, at)
	}
}

func (o *org) used(at time.Time) int64 {
	n := int64(0)
	for _, c := range o.calls {
		if !c.After(at) && at.Sub(c) < Span {
			n++
		}
	}
	return n
}

func TestWindowFollowsTheOrg(t *testing.T) {
	t.Parallel()
	var w Window
	var o org
	o.use(noon.Add(-3*time.Hour), 480)
	for step := range 12 * 30 { // 30 hours, a reading every five minutes
		at := noon.Add(time.Duration(step) * slot)
		if step < 12 {
			o.use(at, 100)
		}
		w.Read(at, o.used(at), 10_000)
		if w.Used() != o.used(at) {
			t.Fatalf("after %v the window says %d and the org %d", at.Sub(noon), w.Used(), o.used(at))
		}
	}
	if w.Used() != 0 || w.Max() != 10_000 || !w.Known() || !w.At().Equal(noon.Add(359*slot)) {
		t.Errorf("a day later: used %d of %d at %v", w.Used(), w.Max(), w.At())
	}
}

func TestWindowForecasts(t *testing.T) {
	t.Parallel()
	burst := func() *Window { // nothing for a day, then 6,000 within an hour
		w := &Window{}
		w.Read(noon, 0, 10_000)
		for i := range 12 {
			w.Read(noon.Add(time.Duration(i)*slot), int64(500*(i+1)), 10_000)
		}
		return w
	}
	even := func() *Window { // 7,200 spread over the day before, as the first reading has it
		w := &Window{}
		w.Read(noon, 7200, 10_000)
		return w
	}
	quiet := func() *Window { return &Window{} }
	now := noon.Add(55 * time.Minute)
	for _, c := range []struct {
		what  string
		w     *Window
		at    time.Time
		ask   func(w *Window, now time.Time, line, perHour float64) (time.Time, bool)
		line  float64
		rate  float64
		after time.Duration // −1: not within a day
	}{
		{"goes on as it did", burst(), now, (*Window).Reach, 8000, 6000, 20 * time.Minute},
		{"is reached already", burst(), now, (*Window).Reach, 6000, 0, 0},
		{"never at this rate", burst(), now, (*Window).Reach, 8000, 10, -1},
		{"falls when the burst is a day old", burst(), now, (*Window).Fall, 5000, 0, 24*time.Hour - 50*time.Minute},
		{"is below already", burst(), now, (*Window).Fall, 6000, 0, 0},
		{"falls a little every slot", even(), noon, (*Window).Fall, 7100, 0, 20 * time.Minute},
		{"others use as much as is freed", even(), noon, (*Window).Fall, 7000, 300, -1},
		{"steady use never reaches", even(), noon, (*Window).Reach, 8000, 300, -1},
		{"twice the steady use does", even(), noon, (*Window).Reach, 7800, 600, 2 * time.Hour},
		{"nothing is known", quiet(), noon, (*Window).Reach, 0, 100, -1},
	} {
		got, ok := c.ask(c.w, c.at, c.line, c.rate)
		switch {
		case c.after < 0 && ok:
			t.Errorf("%s: at %v, want never", c.what, got.Sub(c.at))
		case c.after >= 0 && (!ok || got.Sub(c.at) != c.after):
			t.Errorf("%s: after %v (%v), want %v", c.what, got.Sub(c.at), ok, c.after)
		}
	}
}

func TestWindowTakesOddReadings(t *testing.T) {
	t.Parallel()
	var w Window
	w.Read(noon, -5, -1)
	if w.Known() || w.Used() != 0 {
		t.Errorf("negative readings: %d of %d", w.Used(), w.Max())
	}
	w.Read(noon, 5000, 10_000)
	w.Read(noon.Add(-time.Hour), 5001, 10_000) // the clock was set back
	if w.Used() != 5001 || !w.At().Equal(noon) {
		t.Errorf("used %d at %v after a reading from the past", w.Used(), w.At())
	}
	w.Read(noon.Add(time.Hour), 10, 10_000) // more became free than was thought
	if w.Used() != 10 {
		t.Errorf("used %d, want 10", w.Used())
	}
	w.Read(noon.Add(100*time.Hour), 288, 500) // nobody looked for days
	if at, ok := w.Fall(noon.Add(100*time.Hour), 144, 0); w.Used() != 288 || w.Max() != 500 || !ok || at.Sub(noon) != 112*time.Hour {
		t.Errorf("used %d of %d, half of it is free after %v", w.Used(), w.Max(), at.Sub(noon))
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	var w Window
	if w.PerHour(noon) != 0 {
		t.Error("an unread window has a rate")
	}
	w.Read(noon, 2400, 10_000)
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > want*0.1+0.001 {
			t.Errorf("%s: %.1f per hour, want %.1f", what, got, want)
		}
	}
	near("at first the day's average", w.PerHour(noon.Add(time.Minute)), 100)
	used := int64(2400)
	for m := 1; m <= 120; m++ {
		used += 10 // beside what becomes free
		w.Read(noon.Add(time.Duration(m)*time.Minute), used, 10_000)
	}
	near("then the last hour's", w.PerHour(noon.Add(2*time.Hour)), 600+100)
	near("an hour of silence", w.PerHour(noon.Add(3*time.Hour+5*time.Minute)), 0)

	var r Rate
	near("nothing", r.PerHour(noon), 0)
	r.Add(noon, 10)
	near("ten in the first moment", r.PerHour(noon), 120) // as in five minutes
	for m := 1; m < 60; m++ {
		r.Add(noon.Add(time.Duration(m)*time.Minute), 10)
	}
	near("ten a minute", r.PerHour(noon.Add(59*time.Minute)), 600)
	near("an hour later", r.PerHour(noon.Add(3*time.Hour)), 0)
}
