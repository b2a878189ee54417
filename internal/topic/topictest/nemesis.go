package topictest

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"crosswalk/internal/topic"
)

// nemesis breaks connections around produce requests, in the ways that a network and a dying broker do.
type nemesis struct {
	mu     sync.Mutex
	rng    *rand.Rand
	chance float64 // that a produce request meets with a fault
	hits   int
}

// produceKey is the number of the produce request in the protocol.
const produceKey = 0

type fault int

const (
	none     fault = iota
	unsent         // the request does not reach the broker
	cut            // half of it does
	lostAck        // all of it does, and the broker acts on it, but the answer is lost
	numFault = 4
)

func newNemesis(rng *rand.Rand, chance float64) *nemesis {
	return &nemesis{rng: rand.New(rand.NewPCG(rng.Uint64(), 1)), chance: chance}
}

func (n *nemesis) choose() fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rng.Float64() >= n.chance {
		return none
	}
	n.hits++
	return fault(1 + n.rng.IntN(numFault-1))
}

// between puts the nemesis between a client and its brokers.
func (n *nemesis) between(config *topic.Config) {
	config.Dial = through(config.Dial, func(c net.Conn) net.Conn { return &brokenConn{Conn: c, nemesis: n} })
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

func through(next dial, wrap func(net.Conn) net.Conn) dial {
	if next == nil {
		next = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	}
}

type brokenConn struct {
	net.Conn
	nemesis *nemesis
	left    int // bytes of the request that is being written
	fault   fault
}

var errNemesis = errors.New("connection broken by the test")

func (c *brokenConn) Write(b []byte) (int, error) {
	if c.left == 0 && len(b) >= 6 {
		c.left, c.fault = 4+int(binary.BigEndian.Uint32(b)), none
		if binary.BigEndian.Uint16(b[4:]) == produceKey {
			c.fault = c.nemesis.choose()
		}
	}
	c.left = max(0, c.left-len(b))
	switch c.fault {
	case unsent:
		return 0, errors.Join(errNemesis, c.Close())
	case cut:
		n, err := c.Conn.Write(b[:len(b)/2])
		return n, errors.Join(errNemesis, err, c.Close())
	}
	return c.Conn.Write(b)
}

func (c *brokenConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.fault == lostAck && err == nil {
		return 0, errors.Join(errNemesis, c.Close())
	}
	return n, err
}

// freezer stops all traffic of a client for a while, as when its process is stopped.
type freezer struct {
	mu   sync.Mutex
	cond *sync.Cond
	cold bool
}

func newFreezer() *freezer {
	f := &freezer{}
	f.cond = sync.NewCond(&f.mu)
	return f
}

func (f *freezer) set(cold bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cold = cold
	f.cond.Broadcast()
}

func (f *freezer) wait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.cold {
		f.cond.Wait()
	}
}

func (f *freezer) between(config *topic.Config) {
	config.Dial = through(config.Dial, func(c net.Conn) net.Conn { return &frozenConn{Conn: c, freezer: f} })
}

type frozenConn struct {
	net.Conn
	freezer *freezer
}

func (c *frozenConn) Write(b []byte) (int, error) {
	c.freezer.wait()
	return c.Conn.Write(b)
}

func (c *frozenConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.freezer.wait()
	return n, err
}
