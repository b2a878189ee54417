package sfapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// Updated is the answer to "what was created or changed in this window".
type Updated struct {
	IDs []string
	// Covered is latestDateCovered: the only safe start of the next window. It may lie before the end asked for, when
	// long transactions are still open (facts 2.7).
	Covered time.Time
}

// Deletion is one deleted record.
type Deletion struct {
	ID string
	At time.Time
}

// Deleted is the answer to "what was deleted in this window".
type Deleted struct {
	Records  []Deletion
	Earliest time.Time // before this nothing is known any more
	Covered  time.Time // see Updated
}

// Updated lists the ids of records created or changed in [start, end); up to 30 days back, by SystemModstamp, no more
// than 600,000 ids (*Error with NextNarrow). Salesforce cuts both times to the second, wants more than a minute
// between them, and asks not to be polled more often than every five minutes.
func (c *Client) Updated(ctx context.Context, object string, start, end time.Time) (Updated, error) {
	var out struct {
		IDs               []string `json:"ids"`
		LatestDateCovered Timestamp
	}
	if err := c.window(ctx, object, "updated", start, end, &out); err != nil {
		return Updated{}, err
	}
	return Updated{IDs: out.IDs, Covered: out.LatestDateCovered.Time}, nil
}

// Deleted lists the records deleted in [start, end); up to 15 days back. A window that the deletion list no longer
// reaches is an *Error with NextFullRead (facts 2.7, H18).
func (c *Client) Deleted(ctx context.Context, object string, start, end time.Time) (Deleted, error) {
	var out struct {
		DeletedRecords []struct {
			ID          string
			DeletedDate Timestamp
		}
		EarliestDateAvailable Timestamp
		LatestDateCovered     Timestamp
	}
	if err := c.window(ctx, object, "deleted", start, end, &out); err != nil {
		return Deleted{}, err
	}
	d := Deleted{Earliest: out.EarliestDateAvailable.Time, Covered: out.LatestDateCovered.Time}
	for _, r := range out.DeletedRecords {
		d.Records = append(d.Records, Deletion{ID: r.ID, At: r.DeletedDate.Time})
	}
	return d, nil
}

func (c *Client) window(ctx context.Context, object, what string, start, end time.Time, out any) error {
	start, end = start.UTC().Truncate(time.Second), end.UTC().Truncate(time.Second)
	if end.Sub(start) <= time.Minute {
		return fmt.Errorf("list %s records of %s: the window %s to %s is not longer than a minute, which Salesforce refuses", what, object, start.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	return c.fetchJSON(ctx, call{
		kind: what, op: "list " + what + " records of " + object,
		path: withQuery(c.base()+"/sobjects/"+url.PathEscape(object)+"/"+what+"/",
			url.Values{"start": {start.Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)}}),
	}, out)
}

// Timestamp is a datetime as Salesforce writes it in JSON: 2026-11-20T21:20:00.000+0000, or with Z. Null is the zero time.
type Timestamp struct{ time.Time }

// UnmarshalJSON reads what Salesforce writes, to the millisecond; anything else is an error.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	var text *string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	if text == nil {
		t.Time = time.Time{}
		return nil
	}
	ms, ok := parseDatetime([]byte(*text))
	if !ok {
		return fmt.Errorf("%q is not a datetime of Salesforce's", *text)
	}
	t.Time = time.UnixMilli(ms).UTC()
	return nil
}
