package avro

// Times in these records are epoch milliseconds. A pointer is nil where Avro has null.

// Position is a record of crosswalk.position: how far one source of one org is published (H1, H3, H12, H14, H18).
type Position struct {
	Org            string              `avro:"org"`
	Source         string              `avro:"source"` // stream, snapshot/Account, notes/Task, …
	Epoch          int64               `avro:"epoch"`  // subscription lineage (H14)
	Owner          *string             `avro:"owner"`
	OwnerEpoch     *int64              `avro:"owner_epoch"` // producer epoch, by the broker
	Channel        *string             `avro:"channel"`
	ReplayID       *int64              `avro:"replay_id"`        // last event wholly published (H1)
	EventAt        *int64              `avro:"event_at"`         // its commit time
	Anchor         *int64              `avro:"anchor"`           // T0 (H3)
	WindowReplayID *int64              `avro:"window_replay_id"` // where the oldest open window begins (H12)
	WindowOpenedAt *int64              `avro:"window_opened_at"`
	Snapshots      []Snapshot          `avro:"snapshots"`
	Poll           *Poll               `avro:"poll"`
	SchemaFields   map[string][]string `avro:"schema_fields"` // readable fields by object
	UpdatedAt      int64               `avro:"updated_at"`
	Detail         map[string]string   `avro:"detail"`
}

// Snapshot is a bulk read under way or done.
type Snapshot struct {
	Entity        string   `avro:"entity"`
	JobID         *string  `avro:"job_id"` // nil when the rows are read by REST
	State         string   `avro:"state"`  // created, reading, sweeping, done
	StartedAt     *int64   `avro:"started_at"`
	Fields        []string `avro:"fields"`
	Locator       *string  `avro:"locator"`    // next page; nil at the first
	PagesDone     []string `avro:"pages_done"` // locators of pages published ahead of Locator
	RowsPublished int64    `avro:"rows_published"`
	RowsExpected  *int64   `avro:"rows_expected"`
	SweepAfter    *string  `avro:"sweep_after"` // last id that the sweep has looked at
}

// Poll is the cursor of a source that is asked again and again (H18).
type Poll struct {
	CoveredUntil        *int64  `avro:"covered_until"` // as the server stated it
	DeletedCoveredUntil *int64  `avro:"deleted_covered_until"`
	Modstamp            *int64  `avro:"modstamp"` // of the last row, with ID
	ID                  *string `avro:"id"`
}

// Control is a record of crosswalk.control: what a person asked for.
type Control struct {
	Org         string            `avro:"org"`
	Kind        string            `avro:"kind"` // identifier_activate, backfill, pause, resume, cancel
	ID          string            `avro:"id"`
	RequestedAt int64             `avro:"requested_at"`
	RequestedBy *string           `avro:"requested_by"`
	Task        *string           `avro:"task"` // for pause, resume, cancel; nil means all of the org
	Link        *LinkSetting      `avro:"link"` // for identifier_activate; nil removes the link
	Backfill    *Backfill         `avro:"backfill"`
	Detail      map[string]string `avro:"detail"`
}

// LinkSetting is the pair of fields to activate.
type LinkSetting struct {
	SalesforceField string `avro:"salesforce_field"`
	ERPField        string `avro:"erp_field"`
	Cardinality     string `avro:"cardinality"`
	NearMiss        bool   `avro:"near_miss"`
}

// Backfill is what to read again; all that is set must hold.
type Backfill struct {
	Objects []string `avro:"objects"`
	Since   *int64   `avro:"since"`
	Until   *int64   `avro:"until"` // exclusive
	IDs     []string `avro:"ids"`
	Where   *string  `avro:"where"` // SOQL condition
}

// Audit is a record of crosswalk.audit: something that an operator may have to prove later.
type Audit struct {
	ID       string            `avro:"id"` // the same for all states of one event
	Org      string            `avro:"org"`
	Kind     string            `avro:"kind"`  // hole, snapshot, backfill, activation, schema_change, …
	State    string            `avro:"state"` // opened, progressed, closed, failed, noted
	Time     int64             `avro:"time"`
	OpenedAt *int64            `avro:"opened_at"`
	Task     *string           `avro:"task"`
	Subject  *string           `avro:"subject"`
	Reason   *string           `avro:"reason"`
	Bounds   *Bounds           `avro:"bounds"`
	Message  string            `avro:"message"`
	Detail   map[string]string `avro:"detail"`
}

// Bounds say between where and where something may be missing.
type Bounds struct {
	FromReplayID *int64   `avro:"from_replay_id"`
	ToReplayID   *int64   `avro:"to_replay_id"`
	FromTime     *int64   `avro:"from_time"`
	ToTime       *int64   `avro:"to_time"`
	IDs          []string `avro:"ids"`
}
