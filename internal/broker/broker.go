// Package broker is the embedded default for Kafka: a broker in this process that speaks Kafka's protocol on a loopback
// port, so that any Kafka client can read along, and keeps its topics in a data directory. It exists so that nothing has
// to be installed to try and to test Crosswalk; a record goes through it as through a real broker.
//
// It is franz-go's kfake. What is written survives the death of the process at once (a SIGKILL); it survives a power
// failure only with Config.Sync. Topics are not made by the mere asking for them, as in a well-kept Kafka. It differs
// from Kafka in two points: it takes records without a key on compacted topics, and after a SIGKILL it does not know any
// more which batches of a producer it has, so that a batch that was on its way can be there twice, in order.
package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DefaultPartitions is the number of partitions of a topic whose creator did not say.
const DefaultPartitions = 4

// Config says where the broker keeps its data and where it listens.
type Config struct {
	DataDir    string        // empty: everything is in memory and gone after Close
	Listen     string        // host:port; default 127.0.0.1:0, a free port
	KeepPort   bool          // with port 0: listens where it listened last time, if that port is still free
	Brokers    int           // default 1; more of them share the partitions, each on its own free port
	Partitions int           // of a topic whose creator leaves it open; default DefaultPartitions
	Sync       bool          // every batch is on the disk before it is acknowledged: survives power failures, slower
	MinSession time.Duration // shortest session timeout that a group may ask for; default 6 s, as in Kafka
	TLS        *tls.Config   // nil: plain text
	Users      []User        // empty: nobody has to log in
	Logger     *slog.Logger  // default discards
}

// User may log in by SASL and may do everything.
type User struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Name      string
	Password  string
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	addrs   []string
	lock    *os.File
}

// Start makes the data directory when it is missing, takes it for this process, and listens. The error is one sentence
// for the operator when the directory or the port is taken.
func Start(config Config) (_ *Broker, err error) {
	b := &Broker{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.unlock())
		}
	}()
	if config.DataDir != "" {
		if b.lock, err = lock(config.DataDir); err != nil {
			return nil, err
		}
	}
	listen, err := config.listener()
	if err != nil {
		return nil, err
	}
	if b.cluster, err = kfake.NewCluster(append(config.options(), kfake.ListenFn(listen))...); err != nil {
		return nil, fmt.Errorf("start embedded broker with data in %s: %w", config.DataDir, err)
	}
	b.addrs = b.cluster.ListenAddrs()
	if err := config.rememberPort(b.addrs[0]); err != nil {
		b.cluster.Close()
		return nil, err
	}
	return b, nil
}

func (c *Config) options() []kfake.Opt {
	partitions, brokers := c.Partitions, c.Brokers
	if partitions == 0 {
		partitions = DefaultPartitions
	}
	if brokers == 0 {
		brokers = 1
	}
	options := []kfake.Opt{
		kfake.NumBrokers(brokers),
		kfake.DefaultNumPartitions(partitions),
		kfake.WithLogger(logger{c.Logger}),
		kfake.ClusterID("crosswalk"),
	}
	if c.DataDir != "" {
		options = append(options, kfake.DataDir(c.DataDir))
	}
	if c.Sync {
		options = append(options, kfake.SyncWrites())
	}
	if c.MinSession > 0 {
		options = append(options, kfake.GroupMinSessionTimeout(c.MinSession))
	}
	if c.TLS != nil {
		options = append(options, kfake.TLS(c.TLS))
	}
	if len(c.Users) > 0 {
		options = append(options, kfake.EnableSASL())
	}
	for _, u := range c.Users {
		options = append(options, kfake.Superuser(u.Mechanism, u.Name, u.Password))
	}
	return options
}

// Addr returns host:port of the first broker, for clients to start from.
func (b *Broker) Addr() string { return b.addrs[0] }

// Close stops the broker after what was written is on the disk.
func (b *Broker) Close() error {
	b.cluster.Close()
	return b.unlock()
}

// --- where it listens ---

const portFile = "port"

// listener returns the function that opens a port: the first call gets the address of the configuration.
func (c *Config) listener() (func(network, address string) (net.Listener, error), error) {
	address := c.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen for Kafka clients on %q: write host:port: %w", address, err)
	}
	first := true
	var config net.ListenConfig
	return func(network, _ string) (net.Listener, error) {
		ctx := context.Background() // opening a local port does not wait for anything
		if !first {
			return config.Listen(ctx, network, net.JoinHostPort(host, "0"))
		}
		first = false
		if kept := c.keptPort(); kept != "" && port == "0" {
			if l, err := config.Listen(ctx, network, net.JoinHostPort(host, kept)); err == nil {
				return l, nil
			}
		}
		l, err := config.Listen(ctx, network, address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("listen for Kafka clients on %s: another process has that port; stop it or choose another: %w", address, err)
		}
		return l, err
	}, nil
}

func (c *Config) keptPort() string {
	if !c.KeepPort || c.DataDir == "" {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(c.DataDir, portFile))
	port := strings.TrimSpace(string(text))
	if _, nerr := strconv.ParseUint(port, 10, 16); err != nil || nerr != nil {
		return "" // not started before: any port will do
	}
	return port
}

func (c *Config) rememberPort(addr string) error {
	if !c.KeepPort || c.DataDir == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("remember port of embedded broker: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.DataDir, portFile), []byte(port+"\n"), 0o600); err != nil {
		return fmt.Errorf("remember port of embedded broker: %w", err)
	}
	return nil
}

// --- the data directory belongs to one process ---

func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory of embedded broker: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory of embedded broker: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("start embedded broker in %s: another process uses this directory; stop it or set another data_dir: %w", dir, err)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unlock gives the directory up by name. Closing alone would not: a child that is being started at this moment has a copy
// of every open file until it executes its own program, and the lock lives as long as the last copy.
func (b *Broker) unlock() error {
	if b.lock == nil {
		return nil
	}
	return errors.Join(syscall.Flock(int(b.lock.Fd()), syscall.LOCK_UN), b.lock.Close())
}

// logger passes on what kfake reports as an error; the rest is its normal work.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if l.log != nil && level == kfake.LogLevelError {
		l.log.Error("embedded broker reports an error", "error", fmt.Sprintf(format, args...))
	}
}

// --- faults, for tests of clients ---

// Kafka's numbers of the requests that a [Fault] may name.
const (
	Produce        = int16(kmsg.Produce)
	Fetch          = int16(kmsg.Fetch)
	ListOffsets    = int16(kmsg.ListOffsets)
	Heartbeat      = int16(kmsg.Heartbeat)
	CreateTopics   = int16(kmsg.CreateTopics)
	InitProducerID = int16(kmsg.InitProducerID)
)

// Fault makes the broker answer requests with an error of Kafka's.
type Fault struct {
	Request int16  // Kafka's number of the request
	Topic   string // empty: any
	Code    int16  // Kafka's error code; 7 (timed out) on Produce is answered after the records were written
	Times   int    // negative: until the function that Fail returned is called
}

// Fail installs a fault and returns the function that removes it.
func (b *Broker) Fail(f Fault) (remove func()) {
	handle := b.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Key(f.Request)}, Topic: f.Topic, Count: f.Times,
		Err: kerr.TypedErrorForCode(f.Code),
	})
	return handle.Remove
}

// MoveLeaders gives each partition a leader by chance.
func (b *Broker) MoveLeaders() { b.cluster.ShufflePartitionLeaders() }

// Compact removes what a compacted topic does not have to keep, now.
func (b *Broker) Compact() { b.cluster.Compact() }
