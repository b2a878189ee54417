// Command realtest holds internal/topic to its promises on a real Kafka:
//
//	go run ./internal/topic/realtest -brokers 127.0.0.1:29092 [-run WORDS] [-seed N] [-seeds N] [-disturb COMMAND]
//
// It makes topics of its own whose names begin with topictest-. Exit status 0 all promises are kept, 1 not.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
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
	disturb := flag.String("disturb", "", "shell command that makes leaders move; $1 is the number of the call, from 0")
	bench := flag.Int("bench", 0, "instead of the cases: compare costs with kafka-go's on so many records")
	flag.Parse()
	if *bench > 0 {
		env := &topictest.Env{Config: topic.Config{Brokers: strings.Split(*brokers, ",")}}
		if err := topictest.Compare(context.Background(), env, *bench, os.Stdout); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	failed := 0
	for s := range *seeds {
		env := &topictest.Env{
			Config: topic.Config{Brokers: strings.Split(*brokers, ",")}, Session: *session, Seed: *seed + s,
			Logf: func(format string, args ...any) { fmt.Printf("      "+format+"\n", args...) },
		}
		if *disturb != "" {
			env.Disturb = shell(*disturb)
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

func shell(command string) func(ctx context.Context, i int) error {
	return func(ctx context.Context, i int) error {
		cmd := exec.CommandContext(ctx, "sh", "-c", command, "disturb", strconv.Itoa(i))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("disturb: %w: %s", err, out)
		}
		return nil
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
