// Command crosswalk puts Salesforce contacts and notes on the ERP customers that they belong to.
//
// Each command stands in a file of its own: its flags, one call into internal/app, and the printing of what came back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
	"crosswalk/internal/config"
)

// Exit statuses, the same for every command.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRejects = 3
)

const exitHelp = `
Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 done with rejects.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// shell is what every command gets: where to read and print, and the flags that all of them have.
type shell struct {
	in       io.Reader // what a person types; nil: nobody does
	out      io.Writer
	err      *stderr
	environ  []string
	config   string
	json     bool
	dataDir  string
	logLevel string
}

// run executes one command line and returns its exit status; main and the tests call it alike.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer, environ []string) int {
	s := &shell{in: in, out: out, err: &stderr{out: errOut}, environ: environ}
	defer s.err.end()
	root := &cobra.Command{
		Use:   "crosswalk",
		Short: "Salesforce contacts and notes on the ERP customers they belong to",
		Long: `Crosswalk reads a Salesforce org (a Bulk API snapshot, then Change Data Capture) and ERP customers, publishes both as
Avro events to Kafka, and joins them on a common identifier, byte for byte. Without a Kafka of yours it brings its own.

Try it:  crosswalk demo` + exitHelp,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			hint := ""
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("; did you mean %q?", near[0])
			}
			return usageError{fmt.Errorf("unknown command %q%s", args[0], hint)}
		},
	}
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return s.checkLogLevel() }
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(s.err)
	flags := root.PersistentFlags()
	flags.StringVarP(&s.config, "config", "c", lookup(environ, "CROSSWALK_CONFIG"), "configuration `FILE` (YAML; every key also as CROSSWALK_… in the environment)")
	flags.BoolVar(&s.json, "json", false, "print JSON, one value a line, for programs")
	flags.StringVar(&s.dataDir, "data-dir", "", "`DIR` for local state (configuration key data_dir)")
	flags.StringVar(&s.logLevel, "log-level", "", "debug, info, warn or error (configuration key log.level)")
	root.AddCommand(s.demo(), s.run(), s.erp(), s.backfill(), s.customers(), s.issues(), s.identifier(), s.status(), s.connect(), s.doctor(), s.simulator(), s.version())
	for _, c := range root.Commands() {
		c.Args = usage(c.Args)
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	err := root.ExecuteContext(ctx)
	return s.status2exit(err)
}

// usageError marks a mistake in the command line itself.
type usageError struct{ error }

// configError marks a configuration that cannot be used.
type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

func (e usageError) Unwrap() error { return e.error }

// usage makes what a command says about its arguments a usageError.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check == nil {
			check = noArguments
		}
		if err := check(c, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// one wants exactly one argument: what says which.
func one(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s wants %s, and was given %d arguments", c.CommandPath(), what, len(args))
		}
		return nil
	}
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments; remove %q", c.CommandPath(), args[0])
	}
	return nil
}

// status2exit prints the error, in one sentence, and returns its exit status.
func (s *shell) status2exit(err error) int {
	var wrong usageError
	var unread configError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return exitDone
	case errors.Is(err, app.ErrRejects):
		return exitRejects
	}
	fmt.Fprintf(s.err, "crosswalk: %v\n", err)
	if errors.As(err, &wrong) {
		fmt.Fprintln(s.err, "Run 'crosswalk --help' for usage.")
		return exitUsage
	}
	var misused app.UsageError
	if errors.As(err, &unread) || errors.As(err, &misused) {
		return exitUsage
	}
	return exitFailed
}

// load reads the configuration and makes the logger that it asks for.
func (s *shell) load() (*config.Config, *slog.Logger, error) {
	environ := s.environ
	if s.dataDir != "" {
		environ = append(environ[:len(environ):len(environ)], config.EnvPrefix+"DATA_DIR="+s.dataDir)
	}
	if s.logLevel != "" {
		environ = append(environ[:len(environ):len(environ)], config.EnvPrefix+"LOG_LEVEL="+s.logLevel)
	}
	cfg, err := config.Load(s.config, environ)
	if err != nil {
		return nil, nil, configError{err}
	}
	log := s.logger(cfg.Log)
	if len(cfg.Ignored) > 0 {
		log.Warn("variables of the environment begin like Crosswalk's and are no configuration key; they are ignored", "variables", strings.Join(cfg.Ignored, " "))
	}
	return cfg, log, nil
}

// checkLogLevel refuses a level that does not exist for commands that read no configuration, too.
func (s *shell) checkLogLevel() error {
	switch s.logLevel {
	case "", "debug", "info", "warn", "error":
		return nil
	}
	return usageError{fmt.Errorf("--log-level is %q; give debug, info, warn or error", s.logLevel)}
}

func (s *shell) logger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(s.err, opts))
	}
	return slog.New(slog.NewTextHandler(s.err, opts))
}

func lookup(environ []string, name string) string {
	for _, kv := range environ {
		if len(kv) > len(name) && kv[:len(name)] == name && kv[len(name)] == '=' {
			return kv[len(name)+1:]
		}
	}
	return ""
}
