// Command realtest holds internal/topic to its promises on a real Kafka:
//
//	go run ./internal/topic/realtest -brokers 127.0.0.1:29092 [-run WORDS] [-seed N] [-seeds N]
//
// It makes topics of its own whose names begin with topictest-. Exit status 0 all promises are kept, 1 not.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"crosswalk/internal/topic"
	"crosswalk/internal/topic/topictest"
)

func main() {
	brokers := flag.String("brokers", "127.0.0.1:9092", "host:port, comma separated")
	words := flag.String("run", "", "only the cases whose name contains this")
	seed := flag.Uint64("seed", 1, "first seed of the random cases")
	seeds := flag.Uint64("seeds", 1, "number of seeds")
	session := flag.Duration("session", 6*time.Second, "shortest session timeout that the broker allows")
	flag.Parse()
	failed := 0
	for s := range *seeds {
		env := &topictest.Env{
			Config: topic.Config{Brokers: strings.Split(*brokers, ",")}, Session: *session, Seed: *seed + s,
			Logf: func(format string, args ...any) { fmt.Printf("      "+format+"\n", args...) },
		}
		for _, c := range topictest.Cases() {
			if strings.Contains(c.Name, *words) && !run(env, c) {
				failed++
			}
		}
	}
	if failed > 0 {
		fmt.Printf("%d failed\n", failed)
		os.Exit(1)
	}
}

func run(env *topictest.Env, c topictest.Case) (ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	begun := time.Now()
	err := c.Run(ctx, env)
	verdict := "ok  "
	if err != nil {
		verdict = "FAIL"
	}
	fmt.Printf("%s  %s (%.1f s, seed %d)\n", verdict, c.Name, time.Since(begun).Seconds(), env.Seed)
	if err != nil {
		fmt.Printf("      %v\n", err)
	}
	return err == nil
}
