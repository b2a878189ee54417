// Package salesforce is the producer of one org's accounts, contacts and notes: snapshot and stream become whole rows,
// in order, on compacted topics.
//
// The way of a record: a Bulk page, a change event or a re-fetch becomes an input of the one loop of a Producer. The
// loop gives it to a [handover.Machine], which decides by the rules of Part C what is published; the loop encodes
// that as Avro, produces it, waits until all in-sync replicas have it, commits the records to the local state in one
// batch, and only then lets the position move. Notes go beside it through a poller, because Salesforce has no events
// for them (H18). DESIGN.md says what is guaranteed and how.
//
//	Bulk pages ──┐
//	CDC events ──┼─► loop: Machine ─► Avro ─► topic, acknowledged ─► state ─► crosswalk.position
//	re-fetches ──┘
//
// Metrics:
//
//	crosswalk_salesforce_rows_total                rows of snapshots applied, by entity
//	crosswalk_salesforce_events_total              change events consumed, by type
//	crosswalk_salesforce_published_total           records published, by topic and op
//	crosswalk_salesforce_refetched_total           records read by id
//	crosswalk_salesforce_repaired_total            records that H15 or W3 had to repair: an alarm, not a routine
//	crosswalk_salesforce_rejected_total            rows, events and notes that went to the dead letter topic
//	crosswalk_salesforce_notes_cut_total           versions of ContentNotes that are too long to be published whole
//	crosswalk_salesforce_holes_open                holes in the stream that are not closed yet
//	crosswalk_salesforce_holes_total               holes found, by reason
//	crosswalk_salesforce_columns_changed_total     fields that came, went or have another type, by entity and change
//	crosswalk_salesforce_lag_seconds               from an event's commit to the acknowledgement of its record
//	crosswalk_salesforce_replay_age_seconds        age of the stored position; Salesforce keeps events for 72 hours
//	crosswalk_salesforce_position_age_seconds      time since the position was stored
//	crosswalk_salesforce_snapshot_rows             rows of the snapshot under way, by entity
//	crosswalk_salesforce_snapshot_rows_expected    rows that it will have, by entity
//	crosswalk_salesforce_open_records              records held in memory while a window is open or a read is pending
//	crosswalk_salesforce_backfills_total           backfills that are over, by state
//	crosswalk_salesforce_backfills_open            backfills that are not over
//	crosswalk_salesforce_backfill_rows_total       records that backfills have read by id or as notes, by entity
//	crosswalk_salesforce_backfill_changed_total    of them, those that differed from what was published, by entity
//	crosswalk_salesforce_polls_total               polls for notes, and for entities without events, by object
//	crosswalk_salesforce_poll_seconds              duration of a poll
//	crosswalk_salesforce_budget_used               of each quota of a rolling 24 hours: used by the org,
//	crosswalk_salesforce_budget_limit              its limit,
//	crosswalk_salesforce_budget_per_hour           used in the last hour,
//	crosswalk_salesforce_budget_full_in_seconds    time until it is used up at that rate; +Inf: not within a day
//	crosswalk_salesforce_budget_reserve_calls      API calls that are kept for the org's other apps
//	crosswalk_salesforce_budget_calls_per_hour     API calls of the last hour, by the work that made them
//	crosswalk_salesforce_budget_paused             1 while a kind of work waits for the budget
//	crosswalk_salesforce_budget_pauses_total       how often a kind of work began to wait
//	crosswalk_salesforce_budget_resume_in_seconds  time until all paused work is expected to go on
//	crosswalk_salesforce_polled                    1 while an entity is polled because the org sends no events of it, by entity
//	crosswalk_salesforce_swept_total               records that were deleted for good without an event, by entity
//	crosswalk_salesforce_sweep_age_seconds         time since the last complete comparison of all ids began, by entity
//	crosswalk_salesforce_refreshed_total           records whose formulas or roll-ups had changed, by entity
//	crosswalk_salesforce_calculated_age_seconds    age of formulas and roll-ups, by entity; absent where there are none
package salesforce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/state"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
)

// Config of a Producer. Client, Tokens, Kafka, Registry and StateDir are needed; the rest has defaults.
type Config struct {
	Org          string             // alias, also the prefix of the topics; may be empty
	Client       *sfapi.Client      // speaks REST and Bulk
	Tokens       *sfapi.TokenSource // for the stream
	StreamingURL string             // default: the token's instance URL + /cometd/<version>
	HTTP         *http.Client       // of the stream; default http.DefaultTransport
	Kafka        *topic.Client
	Registry     *registry.Client
	StateDir     string                     // local state; lost state is rebuilt from the topics
	Fields       map[string]sfapi.Selection // by object; default: every readable field
	LinkField    string                     // Account field that holds the identifier; a formula is re-fetched on every event (H-30)
	Notes        Notes
	Partitions   int // of topics that are made; default: the broker's
	Replication  int // of topics that are made; default: the broker's

	PollEvery      time.Duration // of entities without events, and of asking which have them; default 5 minutes
	SweepEvery     time.Duration // comparison of all ids; default 24 hours, negative: off
	RefreshEvery   time.Duration // of formulas and roll-ups; default 6 hours, negative: off
	SafetyLag      time.Duration // changes younger than this are looked at again; default 1 minute
	ReconcileEvery time.Duration // H15; default 15 minutes
	SilenceLimit   time.Duration // H16; default 5 minutes
	LateEvery      time.Duration // how often the topics are looked at for records of former owners (W3); default 10 seconds
	DescribeEvery  time.Duration // how often the fields are looked at; default 10 minutes
	Retention      time.Duration // S4; default 72 hours
	BackfillPause  time.Duration // how long a paused backfill keeps a snapshot's window open; default 24 hours
	BackfillRows   int           // records that a backfill lists and reads at a time; default 2,000, which is also the most
	BackfillJob    int           // from how many rows on a bulk job lists a backfill's ids; default 50,000
	PollRows       int           // after how many listed records a poll, or a reconciliation, keeps its place; default 2,000
	SweepRange     int           // records that a sweep compares at a time; default 1,000,000, which takes 8 MB
	ListJob        int           // from how many records on a bulk job lists those of a sweep or a refresh; default 20,000
	PageParallel   int           // result pages read at a time; default 2
	APIReserve     *float64      // share of the org's daily calls that is left to its other apps; default 0.2
	LimitsEvery    time.Duration // how often /limits is read, more often before paused reading goes on; default 10 minutes
	ReadAgain      time.Duration // after how long records are asked for again that could not be read by id; default 5 seconds
	JobPause       time.Duration // before the next bulk job, times those that failed in a row, ten at most; default 1 minute
	StreamRetry    retry.Backoff // between sessions of the stream that fail; default that of package bayeux
	StreamBusy     retry.Backoff // the same after a limit, or when Salesforce is overloaded; default 1 to 15 minutes

	Logger  *slog.Logger // default: silent
	Metrics *Metrics     // default: not registered anywhere
	// StateMetrics counts the local state's commits; default: nowhere.
	StateMetrics *state.Metrics
}

// Notes says which notes are read, and how often.
type Notes struct {
	Objects []string      // Note, Task, ContentNote; none: no notes
	Every   time.Duration // default 5 minutes
	// CompareEvery is how often all ids and links of ContentNotes are compared: Salesforce lists neither their deletions nor
	// changes of their links. Default 1 hour.
	CompareEvery time.Duration
}

func (c *Config) fill() error {
	if c.Client == nil || c.Tokens == nil || c.Kafka == nil || c.Registry == nil || c.StateDir == "" {
		return errors.New("make a Salesforce producer: Client, Tokens, Kafka, Registry and StateDir are needed")
	}
	for d, fallback := range map[*time.Duration]time.Duration{
		&c.SweepEvery: 24 * time.Hour, &c.RefreshEvery: 6 * time.Hour,
	} {
		if *d == 0 {
			*d = fallback
		}
	}
	for d, fallback := range map[*time.Duration]time.Duration{
		&c.PollEvery: 5 * time.Minute, &c.SafetyLag: time.Minute,
		&c.ReconcileEvery: 15 * time.Minute, &c.SilenceLimit: 5 * time.Minute, &c.LateEvery: 10 * time.Second, &c.DescribeEvery: 10 * time.Minute,
		&c.Retention: 72 * time.Hour, &c.Notes.Every: 5 * time.Minute, &c.Notes.CompareEvery: time.Hour, &c.LimitsEvery: 10 * time.Minute,
		&c.BackfillPause: pauseLimit, &c.ReadAgain: 5 * time.Second, &c.JobPause: time.Minute,
	} {
		if *d <= 0 {
			*d = fallback
		}
	}
	if c.PollRows <= 0 {
		c.PollRows = readLimit
	}
	if c.SweepRange <= 0 {
		c.SweepRange = sweepRange
	}
	if c.ListJob <= 0 {
		c.ListJob = surveyJobFrom
	}
	if c.PageParallel <= 0 {
		c.PageParallel = 2
	}
	if c.APIReserve == nil {
		reserve := defaultReserve
		c.APIReserve = &reserve
	}
	if c.BackfillRows <= 0 || c.BackfillRows > readLimit {
		c.BackfillRows = readLimit
	}
	if c.BackfillJob <= 0 {
		c.BackfillJob = listJobFrom
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return nil
}

// entities are what is snapshotted and streamed; their order is that of their snapshots.
var entities = []string{"Account", "Contact"}

// Producer publishes one org. It lives while Run runs.
type Producer struct {
	cfg    Config
	topics topics

	mu      sync.Mutex
	status  Status
	changed chan struct{} // closed when status changes
}

// topics are the full names of an org's topics.
type topics struct {
	entity                            map[string]string
	note, position, audit, deadletter string
	control                           string // only read
	all                               []string
}

func newTopics(org string) topics {
	name := func(n string) string { return topic.Name(org, n) }
	t := topics{
		entity: map[string]string{"Account": name("salesforce.account"), "Contact": name("salesforce.contact")},
		note:   name("salesforce.note"), position: name("crosswalk.position"), audit: name("crosswalk.audit"),
		deadletter: name("crosswalk.deadletter"), control: name(ControlTopic),
	}
	t.all = []string{t.entity["Account"], t.entity["Contact"], t.note, t.position, t.audit, t.deadletter}
	return t
}

// New checks cfg and makes a Producer. It starts nothing and calls nobody.
func New(cfg Config) (*Producer, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	return &Producer{cfg: cfg, topics: newTopics(cfg.Org), status: Status{Phase: "stopped"}, changed: make(chan struct{})}, nil
}

// Task is the name of the producer's task: its transactional id, and its place in a group of processes.
func (p *Producer) Task() string { return TaskName(p.cfg.Org) }

// TaskName is the name of the task of an org's producer; the org of the empty alias is called default.
func TaskName(org string) string { return "crosswalk-" + topic.OrgName(org) + "-salesforce" }

func (p *Producer) org() string { return topic.OrgName(p.cfg.Org) }

// Run takes over the task, brings the topics up to the org and keeps them there until ctx ends. An error says what
// stopped it; running it again goes on from where it was. One process may run it at a time: the broker refuses a
// former one (W2).
func (p *Producer) Run(ctx context.Context) error {
	err := p.run(ctx)
	p.update(func(s *Status) { s.Phase = "stopped" })
	if ctx.Err() != nil && !errors.Is(err, topic.ErrFenced) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("produce from org %s: %w", p.org(), err)
	}
	return nil
}

func (p *Producer) run(ctx context.Context) (err error) {
	p.update(func(s *Status) { *s = Status{Phase: "starting"} })
	if err := p.ensure(ctx); err != nil {
		return err
	}
	writer, err := p.cfg.Kafka.NewWriter(ctx, topic.WriterConfig{Task: p.Task(), Topics: p.topics.all})
	if err != nil {
		return err
	}
	defer writer.Close()
	store, err := state.Open(p.cfg.StateDir, state.Logger(p.cfg.Logger), state.WithMetrics(p.cfg.StateMetrics), state.SeparateValues(separateFrom),
		state.BlockCache(keyCache), state.Uncompressed())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	l := &loop{
		Producer: p, writer: writer, store: store, inputs: make(chan input, inputsWaiting),
		envelope: newEnvelope(p), entities: map[string]*entity{}, codecs: map[int]*avro.RowCodec{}, jobs: map[string]*job{}, reading: map[string]int{},
		fields: map[string]change.Value{}, desk: newDesk(), asked: newAskedSnapshots(), hollow: map[handover.Key]string{},
		describeNow: make(chan string, 2*len(entities)),
	}
	return l.run(ctx)
}

// separateFrom is from how many bytes on a stored row is kept apart from its key; those without a row are far shorter.
const separateFrom = 128

// keyCache is what the store may keep in memory of its files, bytes: the keys of half a million records, so that an event of
// any of them reads its row and nothing else. Rows that events come back to are kept by themselves.
const keyCache = 16 << 20

// inputsWaiting is how many inputs may wait for the loop, so that pages are read while it makes others durable.
const inputsWaiting = 4

// ensure makes the topics that are missing.
func (p *Producer) ensure(ctx context.Context) error {
	specs := make([]topic.Spec, 0, len(p.topics.all))
	for _, name := range append(p.topics.all[:len(p.topics.all):len(p.topics.all)], p.topics.control) {
		spec := topic.Spec{Name: name, Partitions: p.cfg.Partitions, Replication: p.cfg.Replication, Config: map[string]string{
			"cleanup.policy": "compact", "delete.retention.ms": "345600000", // 96 hours (C2)
		}}
		if name == p.topics.position || name == p.topics.audit || name == p.topics.deadletter {
			spec.Partitions = 1
		}
		specs = append(specs, spec)
	}
	return p.cfg.Kafka.Ensure(ctx, specs...)
}
