// Command witness holds our client against a Bayeux server that we did not write: it follows a channel while it has
// the server's control address forget sessions, refuse tokens and say goodbye, and while it drops connections and
// replies itself, and compares what came with the server's log. A line per check; exit status 1 when one failed.
//
//	witness NAME BAYEUX-URL CONTROL-URL
package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: witness NAME BAYEUX-URL CONTROL-URL")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	passed, failed := 0, 0
	for _, check := range checks {
		began := time.Now()
		err := check.run(ctx, newTrial(os.Args[2], os.Args[3]))
		if err != nil {
			failed++
			fmt.Printf("FAIL %s: %s: %v\n", os.Args[1], check.name, err)
			continue
		}
		passed++
		fmt.Printf("ok   %s: %s (%.1f s)\n", os.Args[1], check.name, time.Since(began).Seconds())
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
