// Command run starts a simulated org by itself, for the witnesses and for trying things out: the program's own command
// is `crosswalk simulator`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"crosswalk/internal/simulator"
)

func main() {
	var c simulator.Config
	var idle, queue, read time.Duration
	flag.StringVar(&c.Listen, "listen", "", "address of the org")
	flag.StringVar(&c.Control, "control", "", "address of the control")
	data := flag.String("data", "", "folder with CSV files")
	flag.StringVar(&c.KeyDir, "keys", os.TempDir(), "folder for the key of the JWT bearer flow")
	flag.Uint64Var(&c.Org.Seed, "seed", 0, "seed of made-up rows")
	flag.IntVar(&c.Org.Accounts, "accounts", 0, "made-up accounts")
	flag.IntVar(&c.Org.Contacts, "contacts", 0, "made-up contacts")
	flag.BoolVar(&c.Settings.AutoApprove, "auto-approve", false, "approve by itself")
	flag.IntVar(&c.Settings.Bulk.PageRows, "page-rows", 0, "rows of a Bulk result page")
	flag.DurationVar(&idle, "session-idle", 0, "idle time that ends a session")
	flag.DurationVar(&queue, "queue-delay", 0, "how long a Bulk job waits")
	flag.DurationVar(&read, "read-time", 0, "how long a Bulk job reads")
	flag.BoolVar(&c.TLS, "tls", false, "https with a self-signed certificate")
	flag.Parse()
	c.Settings.SessionIdle = simulator.Duration(idle)
	c.Settings.Bulk.QueueDelay, c.Settings.Bulk.ReadTime = simulator.Duration(queue), simulator.Duration(read)
	if *data != "" {
		c.Org.Files = os.DirFS(*data)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := simulator.Serve(ctx, c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
