package topic

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"crosswalk/internal/broker"
)

// certificate makes one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func start(t *testing.T, config broker.Config) *broker.Broker {
	t.Helper()
	b, err := broker.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestTLSAndLogin(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	for _, mechanism := range []string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run("login "+mechanism, func(t *testing.T) {
			t.Parallel()
			config := broker.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}
			if mechanism != "" {
				config.Users = []broker.User{{Mechanism: mechanism, Name: "crosswalk", Password: "right"}}
			}
			b := start(t, config)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			defer cancel()
			login := Config{Brokers: []string{b.Addr()}, TLS: &tls.Config{RootCAs: pool}, SASL: SASL{Mechanism: mechanism, User: "crosswalk", Password: "right"}}
			c, err := Dial(ctx, login)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(writeAndRead(ctx, c), c.Close()); err != nil {
				t.Fatal(err)
			}
			if mechanism == "" {
				return
			}
			login.SASL.Password = "wrong"
			dialFails(ctx, t, login, "login", "crosswalk")
		})
	}
}

func writeAndRead(ctx context.Context, c *Client) error {
	if err := c.Ensure(ctx, Spec{Name: "t", Partitions: 1}); err != nil {
		return err
	}
	w, err := c.NewWriter(ctx, WriterConfig{Task: "t", Topics: []string{"t"}})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Write(ctx, Record{Topic: "t", Key: []byte("k")}); err != nil {
		return err
	}
	r, err := c.NewReader(ctx, ReaderConfig{Topics: []string{"t"}})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	for {
		f, err := r.Poll(ctx)
		if err != nil {
			return err
		}
		if len(f.Records) == 1 && string(f.Records[0].Key) == "k" {
			return nil
		}
	}
}

// dialFails expects a sentence with the address and the words, and without the password.
func dialFails(ctx context.Context, t *testing.T, config Config, words ...string) {
	t.Helper()
	c, err := Dial(ctx, config)
	if err == nil {
		t.Error("connected", c.Close())
		return
	}
	for _, word := range append(words, strings.Join(config.Brokers, ", ")) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not tell %q", err, word)
		}
	}
	if p := config.SASL.Password.Reveal(); p != "" && strings.Contains(fmt.Sprintf("%v %+v", err, config), p) {
		t.Errorf("the password is in %q or %+v", err, config)
	}
}

func TestDialSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	other, err := net.Listen("tcp", "127.0.0.1:0") // something that is not Kafka: it hangs up
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	// Nothing listens at the near end of a connection, and nothing can while it is open.
	near, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}).DialContext(ctx, "tcp", other.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = near.Close() }()
	cert, _ := certificate(t)
	private := start(t, broker.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	dialFails(ctx, t, Config{Brokers: []string{near.LocalAddr().String()}}, "kafka.brokers")
	dialFails(ctx, t, Config{Brokers: []string{other.Addr().String()}}, "kafka.tls")
	dialFails(ctx, t, Config{Brokers: []string{private.Addr()}}, "kafka.tls")
	dialFails(ctx, t, Config{Brokers: []string{private.Addr()}, TLS: &tls.Config{}}, "certificate")
	dialFails(ctx, t, Config{}, "kafka.brokers")
	if _, err := Dial(ctx, Config{Brokers: []string{"127.0.0.1:1"}, SASL: SASL{Mechanism: "GSSAPI"}}); err == nil || !strings.Contains(err.Error(), "SCRAM-SHA-512") {
		t.Errorf("Dial with an unknown mechanism = %v", err)
	}
}

func TestOffsetsOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	x := setup(t)
	if _, err := x.client.Offsets(x.ctx, "absent"); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("Offsets = %v", err)
	}
}

// TestReadAllEndsWhereItBegan: what comes while a topic is read is neither yielded nor lost.
func TestReadAllEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	x := setup(t)
	w := x.writer(x.ctx, t)
	write := func(key string) {
		if err := w.Write(x.ctx, Record{Topic: x.topic, Key: []byte(key)}); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	write("b")
	var got []string
	next, err := x.client.ReadAll(x.ctx, []string{x.topic}, func(r Record) error {
		got = append(got, string(r.Key))
		if len(got) == 1 {
			write("c")
		}
		return nil
	})
	if err != nil || fmt.Sprint(got) != "[a b]" || fmt.Sprint(next) != "map[t:[3]]" {
		t.Errorf("ReadAll = %v, %v after %v", next, err, got)
	}
	r, err := x.client.NewReader(x.ctx, ReaderConfig{Topics: []string{x.topic}, From: next})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	f, err := r.Poll(x.ctx)
	if err != nil || len(f.Records) != 1 || string(f.Records[0].Key) != "c" {
		t.Errorf("read on: %v, %v", f.Records, err)
	}
	stop := errors.New("stop")
	if _, err := x.client.ReadAll(x.ctx, []string{x.topic}, func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("ReadAll = %v, want the error of fn", err)
	}
	for topic, want := range map[string]bool{x.topic: true, "absent": false} {
		if got, err := x.client.Exists(x.ctx, topic); got != want || err != nil {
			t.Errorf("Exists(%s) = %v, %v", topic, got, err)
		}
	}
}

func TestEnsureKeepsWhatExists(t *testing.T) {
	t.Parallel()
	x := setup(t)
	if err := x.client.Ensure(x.ctx, Spec{Name: x.topic, Partitions: 9}, Spec{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	ranges, err := x.client.Offsets(x.ctx, x.topic, "other")
	if err != nil {
		t.Fatal(err)
	}
	if len(ranges[x.topic]) != 1 || len(ranges["other"]) != broker.DefaultPartitions {
		t.Errorf("topics have %d and %d partitions", len(ranges[x.topic]), len(ranges["other"]))
	}
	x.broker.Fail(broker.Fault{Request: broker.CreateTopics, Code: int16(kafka.TopicAuthorizationFailed), Times: 1})
	err = x.client.Ensure(x.ctx, Spec{Name: "forbidden"})
	if !errors.Is(err, kafka.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("Ensure of a topic that may not be made = %v", err)
	}
}

func TestTransient(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{kafka.NotLeaderForPartition, true},
		{fmt.Errorf("x: %w", kafka.BrokerNotAvailable), true},
		{kafka.TopicAuthorizationFailed, false},
		{net.ErrClosed, true},
		{context.DeadlineExceeded, true},
		{context.Canceled, false},
		{permanent(kafka.UnknownTopicOrPartition), false},
	} {
		if got := transient(test.err); got != test.want {
			t.Errorf("transient(%v) = %v", test.err, got)
		}
	}
}
