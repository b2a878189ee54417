package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
)

// connect logs in to an org and stores what the login brought.
func (s *shell) connect() *cobra.Command {
	opts := app.ConnectOptions{Pasted: s.in}
	var noBrowser bool
	c := &cobra.Command{
		Use:   "connect",
		Short: "Log in to a Salesforce org: a person approves once in the browser, the tokens are stored",
		Long: `Log in to a Salesforce org.

With auth.flow web_server it prints the address of the approval page (and opens it when there is a desktop), waits for the
callback, and stores the tokens, encrypted, under data_dir. The callback is auth.redirect_url, or else
http://localhost:8400/callback; it must be registered with the app, equal character for character:

  External Client App   Setup > External Client App Manager > the app > Settings > OAuth Settings > Callback URL
  connected app         Setup > App Manager > the app > Edit > Callback URL

Over SSH the browser runs elsewhere and finds nothing at the callback: copy the address that it was sent to (it begins with
the callback's and holds code=…), or the code alone, and paste it here. When Salesforce shows a text such as
error=redirect_uri_mismatch instead of a page, paste that text, and it is explained.

A crosswalk run that waits for the approval takes the tokens within seconds, and needs no restart. Its console's page has a button for
the same: there the callback is at the console's port.

With another flow (jwt, client_credentials, password) it obtains a token once and says whom it is for.` + exitHelp,
		Example: "  crosswalk connect --config crosswalk.yaml\n  crosswalk connect --org emea --no-browser\n  crosswalk connect --listen 0.0.0.0:8400   # in a container that publishes the port",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancelCause(c.Context())
			defer stop(nil)
			opts.Approve = func(address, waiting string) {
				if err := s.printApproval(address, waiting, !noBrowser && s.desktop()); err != nil {
					stop(err) // nobody has read where to approve
				}
			}
			opts.Again = func(err error) { fmt.Fprintf(s.err, "Not an answer yet: %s. Paste again:\n", printable(err.Error())) }
			connection, err := app.New(cfg, log).Connect(ctx, opts)
			if err != nil {
				return err
			}
			return s.printConnection(connection)
		},
	}
	f := c.Flags()
	f.StringVar(&opts.Org, "org", "", "`ALIAS` of the org (needed only with several)")
	f.BoolVar(&noBrowser, "no-browser", false, "print the address only")
	f.StringVar(&opts.Listen, "listen", "", "`ADDR` where the callback is awaited (default: that of auth.redirect_url, else localhost:8400)")
	return c
}

// printApproval says where to approve and how the answer comes back, and opens the page if it may.
func (s *shell) printApproval(address, waiting string, open bool) error {
	opened := open && openBrowser(address) == nil
	if s.json {
		return s.emit(map[string]any{"approve": address, "callback": waiting, "opened": opened})
	}
	if opened {
		fmt.Fprint(s.out, "The approval page opens in the browser. If it does not, open this address:\n")
	} else {
		fmt.Fprint(s.out, "Open this address in a browser and approve:\n")
	}
	fmt.Fprintf(s.out, "\n  %s\n\n", printable(address))
	if waiting != "" {
		fmt.Fprintf(s.out, "Waiting for the browser at %s. If it runs on another machine, or shows error=…,\n", printable(waiting))
	}
	fmt.Fprintln(s.out, "Paste here the address that the browser was sent to (or the code, or the error text) and press Enter:")
	return nil
}

func (s *shell) printConnection(c app.Connection) error {
	if s.json {
		return s.emit(c)
	}
	who := strings.TrimSpace(c.Username + " " + c.Name)
	if c.Username != "" && c.Name != "" {
		who = c.Username + " (" + c.Name + ")"
	}
	fmt.Fprintf(s.out, "Connected to %s as %s\n", printable(c.InstanceURL), printable(who))
	fmt.Fprintf(s.out, "  org   %s\n  user  %s\n  flow  %s\n", printable(c.OrgID), printable(c.UserID), c.Flow)
	if len(c.Scopes) > 0 {
		fmt.Fprintf(s.out, "  scope %s\n", printable(strings.Join(c.Scopes, " ")))
	}
	if c.TokenFile != "" {
		fmt.Fprintf(s.out, "The tokens are stored, encrypted, in %s\n", printable(c.TokenFile))
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(s.out, "Warning: %s\n", printable(w))
	}
	fmt.Fprintln(s.out, "Next: crosswalk doctor")
	return nil
}

// desktop reports whether a browser that is opened here would be seen by the person who types.
func (s *shell) desktop() bool {
	if lookup(s.environ, "SSH_CONNECTION") != "" || lookup(s.environ, "SSH_TTY") != "" {
		return false
	}
	switch runtime.GOOS {
	case "darwin", "windows":
		return true
	}
	return lookup(s.environ, "DISPLAY") != "" || lookup(s.environ, "WAYLAND_DISPLAY") != ""
}

// openBrowser starts the desktop's own opener. It does not wait: the page may stay open for hours.
func openBrowser(address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // only reaps the opener
	return nil
}
