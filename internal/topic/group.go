package topic

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
	"github.com/segmentio/kafka-go/protocol/joingroup"
	"github.com/segmentio/kafka-go/protocol/leavegroup"
	"github.com/segmentio/kafka-go/protocol/syncgroup"
)

// protocolName is how tasks are assigned; members that know another way cannot join the same group.
const protocolName = "crosswalk-tasks-2"

// membership is what a process has to know to speak for itself in a group.
type membership struct {
	client     *Client
	group      string
	session    time.Duration
	id         string // empty: not a member
	generation int32
}

// ask sends a request to the coordinator of the group.
func (m *membership) ask(ctx context.Context, kind protocol.Message, version int16, body []byte, patience time.Duration) (*decoder, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	g := &toGroup{group: m.group, exchange: exchange{Message: kind, version: version, body: [][]byte{body}, max: 16 << 20}}
	if err := m.client.send(ctx, &g.exchange, g); err != nil {
		return nil, err
	}
	return &decoder{b: g.reply}, nil
}

// join takes part in the next generation and returns what this process is to run. It waits for the other members.
// entered is called as soon as the generation is known.
func (m membership) join(ctx context.Context, self member, entered func(membership)) (given assignment, err error) {
	metadata, err := json.Marshal(self)
	if err != nil {
		return given, fmt.Errorf("describe member: %w", err)
	}
	leader, members, err := m.enter(ctx, metadata)
	if errorCode(err) == kafka.MemberIDRequired { // the coordinator has given us our id
		leader, members, err = m.enter(ctx, metadata)
	}
	if err != nil {
		return given, err
	}
	entered(m)
	var plan map[string]assignment
	if leader == m.id {
		plan = assign(members)
	}
	return m.sync(ctx, plan)
}

func (m *membership) enter(ctx context.Context, metadata []byte) (leader string, members []member, err error) {
	body := appendString(nil, m.group)
	body = appendInt32(body, int32(m.session.Milliseconds()))
	body = appendInt32(body, int32(m.session.Milliseconds())) // as long as the slowest may take to join
	body = appendNullString(appendString(body, m.id))
	body = appendInt32(appendString(body, "crosswalk"), 1)
	body = appendBytes(appendString(body, protocolName), metadata)
	d, err := m.ask(ctx, &joingroup.Request{}, 5, body, m.session+requestTimeout)
	if err != nil {
		return "", nil, err
	}
	d.int32() // throttled
	code := d.int16()
	generation := d.int32()
	d.string() // protocol
	leader, m.id = d.string(), d.string()
	for range d.length() {
		var other member
		id := d.string()
		d.string() // instance
		if err := json.Unmarshal(d.bytes(), &other); err != nil && d.err == nil {
			return "", nil, fmt.Errorf("read what member %s of group %s says of itself: %w", id, m.group, err)
		}
		other.ID = id
		members = append(members, other)
	}
	if code != 0 {
		return "", nil, kafka.Error(code)
	}
	m.generation = generation
	return leader, members, d.err
}

func (m *membership) sync(ctx context.Context, plan map[string]assignment) (mine assignment, err error) {
	body := appendInt32(appendString(nil, m.group), m.generation)
	body = appendNullString(appendString(body, m.id))
	body = appendInt32(body, int32(len(plan)))
	for id, given := range plan {
		assignment, err := json.Marshal(given)
		if err != nil {
			return mine, fmt.Errorf("describe assignment: %w", err)
		}
		body = appendBytes(appendString(body, id), assignment)
	}
	d, err := m.ask(ctx, &syncgroup.Request{}, 3, body, m.session+requestTimeout)
	if err != nil {
		return mine, err
	}
	d.int32() // throttled
	if code := d.int16(); code != 0 {
		return mine, kafka.Error(code)
	}
	if err := json.Unmarshal(d.bytes(), &mine); err != nil {
		return mine, fmt.Errorf("read assignment of group %s: %w", m.group, err)
	}
	return mine, d.err
}

// heartbeat shows the coordinator that the member lives.
func (m *membership) heartbeat(ctx context.Context) error {
	body := appendInt32(appendString(nil, m.group), m.generation)
	body = appendNullString(appendString(body, m.id))
	d, err := m.ask(ctx, &heartbeat.Request{}, 3, body, m.session/3)
	if err != nil {
		return err
	}
	d.int32() // throttled
	if code := d.int16(); code != 0 {
		return kafka.Error(code)
	}
	return d.err
}

// leave tells the coordinator that the member is gone, so that the others need not wait for that.
func (m *membership) leave(ctx context.Context) error {
	_, err := m.ask(ctx, &leavegroup.Request{}, 2, appendString(appendString(nil, m.group), m.id), m.session/3)
	return err
}
