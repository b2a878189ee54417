// Command postgres holds the PostgreSQL source against a real server. The address comes from CROSSWALK_TEST_POSTGRES, the argument is
// a program that starts and stops the server. It prints a line per check and "N passed, N failed".
package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: postgres SERVER; run postgres.sh")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	b, err := newBench(ctx, os.Getenv("CROSSWALK_TEST_POSTGRES"), os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	passed, failed := 0, 0
	for _, c := range checks {
		err := c.run(b)
		if err == nil {
			passed++
			fmt.Printf("ok      %s\n", c.name)
		} else {
			failed++
			fmt.Printf("FAILED  %s: %v\n", c.name, err)
		}
	}
	b.close()
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
