package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// SimulatorOptions say which org is simulated where.
type SimulatorOptions struct {
	Listen, Control    string
	Data               string // folder of CSV files
	Seed               uint64
	Accounts, Contacts int
	AutoApprove, TLS   bool
	KeyDir             string // where the private key of the JWT bearer flow is written
}

// Simulate runs a simulated org until ctx ends. ready is called once, with its addresses and credentials.
func Simulate(ctx context.Context, opts SimulatorOptions, log *slog.Logger, ready func(any)) error {
	sim, err := simulator.New(simulator.Config{
		Listen: opts.Listen, Control: opts.Control, TLS: opts.TLS, KeyDir: opts.KeyDir, Logger: log,
		Org:      org.Config{Seed: opts.Seed, Accounts: opts.Accounts, Contacts: opts.Contacts},
		Settings: simulator.Settings{AutoApprove: opts.AutoApprove},
	})
	if err != nil {
		return err
	}
	if opts.Data != "" {
		if info, err := os.Stat(opts.Data); err != nil || !info.IsDir() {
			return fmt.Errorf("load the simulated org: %s is no folder; give one with Account.csv, Contact.csv, … with --data", opts.Data)
		}
		if err := sim.Org().Load(os.DirFS(opts.Data)); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return sim.Run(ctx) })
	group.Go(func() error {
		r, err := sim.AwaitReady(ctx)
		if err != nil {
			return nil // Run says why
		}
		ready(r)
		return nil
	})
	return group.Wait()
}
