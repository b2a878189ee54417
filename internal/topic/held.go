package topic

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describegroups"
)

// TaskHeld reports whether a process that takes part in the group is able to run the task: then one runs it, or is about to.
// While the group is changing, and its members have not said yet what they are able to, it reports true.
func (c *Client) TaskHeld(ctx context.Context, group, task string) (bool, error) {
	m := membership{client: c, group: group}
	d, err := m.ask(ctx, &describegroups.Request{}, 1, appendString(appendInt32(nil, 1), group), requestTimeout)
	if err != nil {
		return false, fmt.Errorf("describe group %s: %w", group, err)
	}
	d.int32() // throttled
	held := false
	for range d.length() {
		if code := d.int16(); code != 0 {
			return false, fmt.Errorf("describe group %s: %w", group, kafka.Error(code))
		}
		for range 4 {
			d.string() // group, state, kind of protocol, protocol
		}
		for range d.length() {
			for range 3 {
				d.string() // id, client id, host
			}
			metadata := d.bytes()
			d.bytes() // assignment
			var able member
			if len(metadata) > 0 {
				if err := json.Unmarshal(metadata, &able); err != nil {
					return false, fmt.Errorf("read what a member of group %s says of itself: %w", group, err)
				}
			}
			held = held || len(metadata) == 0 || slices.Contains(able.Tasks, task)
		}
	}
	if d.err != nil {
		return false, fmt.Errorf("describe group %s: %w", group, d.err)
	}
	return held, nil
}
