//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"

	"crosswalk/internal/broker"
	"crosswalk/internal/topic"
)

// serve is the embedded broker's part: it ends when its input does.
func serve() error {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		return err
	}
	fmt.Println(b.Addr())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return b.Close()
}

// startBroker starts what the options ask for, sets o.Brokers, and returns how it is ended.
func (o *options) startBroker(ctx context.Context) (end func(), err error) {
	switch {
	case o.Brokers != "":
		return func() {}, nil
	case o.Kafka != "":
		return o.startKafka(ctx)
	}
	b, err := start(ctx, *o, "broker")
	if err != nil {
		return nil, err
	}
	line, err := b.out.ReadString('\n')
	o.Brokers = strings.TrimSpace(line)
	return func() { _ = b.end() }, err // the program ends with it
}

func (o *options) startKafka(ctx context.Context) (end func(), err error) {
	data, err := os.MkdirTemp("", "crosswalk-bench-kafka")
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	verb := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, o.Kafka, append(args, "--port", port, "--data", data)...)
		cmd.Env = append(os.Environ(), "CROSSWALK_LOCAL_JAVA_OPTS=", "CROSSWALK_LOCAL_HEAP=1g") // compiled fully
		cmd.Stderr = os.Stderr
		return cmd
	}
	out, err := verb("start").Output()
	if err != nil {
		return nil, fmt.Errorf("start Kafka with %s: %w", o.Kafka, err)
	}
	o.Brokers = strings.TrimSpace(string(out))
	return func() {
		_ = verb("wipe").Run() // tells itself what is wrong
		_ = os.RemoveAll(data)
	}, nil
}

func dial(ctx context.Context, o options) (*topic.Client, error) {
	return topic.Dial(ctx, topic.Config{Brokers: strings.Split(o.Brokers, ",")})
}
