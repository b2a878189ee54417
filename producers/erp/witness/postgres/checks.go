package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"crosswalk/internal/config"
	"crosswalk/internal/secret"
	"crosswalk/producers/erp"
)

// check is one promise of the source.
type check struct {
	name string
	run  func(b *bench) error
}

var checks = []check{
	{"values arrive exactly, with their own types", values},
	{"changes arrive, and nothing twice", changes},
	{"a row whose transaction committed late arrives", late},
	{"a cursor in the future hides nothing, and rows without a cursor arrive", future},
	{"a cursor of numbers", numbers},
	{"a query without a cursor", whole},
	{"deletions are found by comparing all rows, and not too many at once", deletions},
	{"a restart goes on at the stored cursor", restart},
	{"a row that cannot be taken goes to the dead letters, once, and arrives when it is mended", damage},
	{"a server that goes away is waited for", outage},
	{"what is wrong is said in one sentence, without the password", sentences},
}

// with runs a task while do looks at it.
func (t *task) with(do func() error) error {
	if err := t.start(); err != nil {
		return err
	}
	return errors.Join(do(), t.stop())
}

func values(b *bench) error {
	err := b.sql(`CREATE TABLE v (no text, name text, ref bigint, due numeric(38,10), at timestamptz, local timestamp, day date, big numeric, flag boolean,
		doc jsonb, raw bytea, id uuid, f float8, nan numeric, list int[], n text)`,
		`INSERT INTO v VALUES ('C1', E'Müller & Söhne \u2014 Œuvre', 9007199254740993, 12345678901234567890.0123456789, '2026-11-21 10:00:00.123456+02',
		'2026-11-21 10:00:00.5', '2026-11-21', 0.000000000000000001, true, '{"a":{"b":[1.10,null,"x"]},"n":12345678901234567890.12}', '\x00ff',
		'6f1c2c9e-0000-4000-8000-000000000001', 0.1, 'NaN', '{1,2}', NULL)`)
	if err != nil {
		return err
	}
	t := b.newTask("SELECT * FROM v;", "", func(s *config.ERPSource) {
		s.Columns = map[string]string{"number": "no", "name": "name", "identifier": "ref", "balance": "due", "updated_at": "at", "email": "n"}
	})
	return t.with(func() error {
		if err := t.holds("C1=Müller & Söhne — Œuvre"); err != nil {
			return err
		}
		all, err := t.records()
		if err != nil {
			return err
		}
		c := all[0].customer
		got := fmt.Sprint(c.Identifier, " ", c.Balance, " ", c.UpdatedAt, " ", c.Email)
		for _, a := range c.Attributes {
			got += fmt.Sprint(" ", a.Name, "=", a.Value)
		}
		for _, want := range []string{
			"9007199254740993 12345678901234567890.0123456789 2026-11-21T08:00:00.123Z null", "big={0.000000000000000001 ", "day={2026-11-21 ", "f={0.1 ",
			"flag={true ", "id={6f1c2c9e-0000-4000-8000-000000000001 ", "local={2026-11-21T10:00:00.5 ", "nan={NaN ", `raw={\x00ff `, "list={{1,2} ",
			"1.1", "12345678901234567890.12",
		} {
			if !strings.Contains(got, want) {
				return fmt.Errorf("the customer is %s; want %s in it", got, want)
			}
		}
		return nil
	})
}

// ledger makes a table of customers with a cursor.
func (b *bench) ledger(name string) error {
	return b.sql("CREATE TABLE "+name+" (number text PRIMARY KEY, name text, balance text, changed timestamptz DEFAULT clock_timestamp(), seq bigserial)",
		"INSERT INTO "+name+" (number, name) VALUES ('C1','Acme'), ('C2','Beta'), ('C3','Gamma')")
}

func changes(b *bench) error {
	if err := b.ledger("c"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name, changed FROM c", "changed", func(s *config.ERPSource) { s.Attributes = "none" })
	return t.with(func() error {
		if err := t.holds("C1=Acme C2=Beta C3=Gamma"); err != nil {
			return err
		}
		if err := b.sql("UPDATE c SET name = 'Beta Ltd', changed = clock_timestamp() WHERE number = 'C2'", "INSERT INTO c (number, name) VALUES ('C4','Delta')"); err != nil {
			return err
		}
		if err := t.holds("C1=Acme C2=Beta Ltd C3=Gamma C4=Delta"); err != nil {
			return err
		}
		all, err := t.records()
		if err == nil && len(all) != 5 {
			err = fmt.Errorf("%d records, want 5", len(all))
		}
		return err
	})
}

func late(b *bench) error {
	if err := b.ledger("l"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name, changed FROM l", "changed", func(s *config.ERPSource) { s.Mode = "delta" })
	return t.with(func() error {
		conn, err := pgx.Connect(b.ctx, b.address)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(b.ctx)) }()
		tx, err := conn.Begin(b.ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(b.ctx, "INSERT INTO l (number, name, changed) VALUES ('C0','Late', clock_timestamp() - interval '4 minutes')"); err != nil {
			return err
		}
		if err := b.sql("INSERT INTO l (number, name) VALUES ('C4','Delta')"); err != nil {
			return err
		}
		if err := t.holds("C1=Acme C2=Beta C3=Gamma C4=Delta"); err != nil {
			return err
		}
		if err := tx.Commit(b.ctx); err != nil {
			return err
		}
		return t.holds("C0=Late C1=Acme C2=Beta C3=Gamma C4=Delta")
	})
}

func future(b *bench) error {
	if err := b.ledger("f"); err != nil {
		return err
	}
	if err := b.sql("INSERT INTO f (number, name, changed) VALUES ('C9','Future', '2999-01-01'), ('C8','Never', NULL)"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name, changed FROM f -- and a comment", "changed", func(s *config.ERPSource) { s.Mode = "delta" })
	return t.with(func() error {
		if err := t.holds("C1=Acme C2=Beta C3=Gamma C8=Never C9=Future"); err != nil {
			return err
		}
		if err := b.sql("UPDATE f SET name = 'Now', changed = clock_timestamp() WHERE number = 'C1'", "UPDATE f SET name = 'Still' WHERE number = 'C8'"); err != nil {
			return err
		}
		return t.holds("C1=Now C2=Beta C3=Gamma C8=Still C9=Future")
	})
}

func numbers(b *bench) error {
	if err := b.ledger("n"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name, seq FROM n", "seq", func(s *config.ERPSource) { s.Mode = "delta"; s.Postgres.Overlap = "1" })
	return t.with(func() error {
		if err := t.holds("C1=Acme C2=Beta C3=Gamma"); err != nil {
			return err
		}
		if err := b.sql("INSERT INTO n (number, name) VALUES ('C4','Delta')"); err != nil {
			return err
		}
		if err := t.holds("C1=Acme C2=Beta C3=Gamma C4=Delta"); err != nil {
			return err
		}
		// One back is within the overlap, two are not: who sets it must know.
		if err := b.sql("UPDATE n SET name = 'Old' WHERE number = 'C1'", "UPDATE n SET name = 'Seen' WHERE number = 'C3'"); err != nil {
			return err
		}
		return t.holds("C1=Acme C2=Beta C3=Seen C4=Delta")
	})
}

func whole(b *bench) error {
	if err := b.ledger("w"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name FROM w ORDER BY name DESC", "", nil)
	return t.with(func() error {
		if err := t.holds("C1=Acme C2=Beta C3=Gamma"); err != nil {
			return err
		}
		if err := b.sql("DELETE FROM w WHERE number = 'C2'", "UPDATE w SET name = 'Acme Ltd' WHERE number = 'C1'"); err != nil {
			return err
		}
		return t.holds("C1=Acme Ltd C3=Gamma")
	})
}

func deletions(b *bench) error {
	if err := b.ledger("d"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name, changed FROM d", "changed", nil)
	return t.with(func() error {
		if err := t.holds("C1=Acme C2=Beta C3=Gamma"); err != nil {
			return err
		}
		if err := b.sql("DELETE FROM d WHERE number = 'C2'"); err != nil {
			return err
		}
		if err := t.holds("C1=Acme C3=Gamma"); err != nil {
			return err
		}
		if err := b.sql("DELETE FROM d"); err != nil {
			return err
		}
		if err := t.until("wait for the refusal", func(s erp.State) bool { return strings.Contains(s.Error, "would delete 2 of 2 customers") }); err != nil {
			return err
		}
		return t.holds("C1=Acme C3=Gamma")
	})
}

func restart(b *bench) error {
	if err := b.ledger("r"); err != nil {
		return err
	}
	if err := b.sql("UPDATE r SET changed = changed - interval '1 hour' WHERE number <> 'C3'"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name, changed FROM r", "changed", func(s *config.ERPSource) { s.Mode = "delta"; s.Postgres.Overlap = "1ms" })
	if err := t.with(func() error {
		if err := t.holds("C1=Acme C2=Beta C3=Gamma"); err != nil {
			return err
		}
		return t.until("wait for a poll", func(s erp.State) bool { return s.Result.Rows < 3 })
	}); err != nil {
		return err
	}
	// Changed without a later time: only a reading of all rows would see it.
	if err := b.sql("UPDATE r SET name = 'Unseen' WHERE number = 'C1'", "UPDATE r SET name = 'Seen', changed = clock_timestamp() WHERE number = 'C2'"); err != nil {
		return err
	}
	if err := t.with(func() error { return t.holds("C1=Acme C2=Seen C3=Gamma") }); err != nil {
		return err
	}
	// Another query: its cursor says nothing about this one, so all rows are read.
	t.source.Postgres.Query += " WHERE true"
	return t.with(func() error { return t.holds("C1=Unseen C2=Seen C3=Gamma") })
}

func damage(b *bench) error {
	if err := b.ledger("x"); err != nil {
		return err
	}
	if err := b.sql("UPDATE x SET balance = 'twelve' WHERE number = 'C2'"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name, balance, changed FROM x", "changed", nil)
	return t.with(func() error {
		if err := t.holds("C1=Acme C3=Gamma"); err != nil {
			return err
		}
		polls := 0
		if err := t.until("wait for more polls", func(s erp.State) bool { polls++; return s.Result.Rejected == 1 && polls > 10 }); err != nil {
			return err
		}
		letters, err := t.letters()
		if err != nil || strings.Count(letters, "balance|") != 1 || !strings.Contains(letters, `"twelve" is not a number`) {
			return fmt.Errorf("the dead letters are %s, %w", letters, err)
		}
		if err := b.sql("UPDATE x SET balance = '12', changed = clock_timestamp() WHERE number = 'C2'"); err != nil {
			return err
		}
		return t.holds("C1=Acme C2=Beta C3=Gamma")
	})
}

func outage(b *bench) error {
	if err := b.ledger("o"); err != nil {
		return err
	}
	t := b.newTask("SELECT number, name, changed FROM o", "changed", nil)
	return t.with(func() error {
		if err := t.holds("C1=Acme C2=Beta C3=Gamma"); err != nil {
			return err
		}
		if err := b.run("stop"); err != nil {
			return err
		}
		away := t.until("wait until it is missed", func(s erp.State) bool { return strings.Contains(s.Error, "see whether it runs") })
		if err := errors.Join(away, b.run("start")); err != nil {
			return err
		}
		if err := b.sql("UPDATE o SET name = 'Back', changed = clock_timestamp() WHERE number = 'C1'"); err != nil {
			return err
		}
		if err := t.holds("C1=Back C2=Beta C3=Gamma"); err != nil {
			return err
		}
		return t.until("wait until it is well", func(s erp.State) bool { return s.Error == "" })
	})
}

func sentences(b *bench) error {
	parsed, err := pgx.ParseConfig(b.address)
	if err != nil {
		return err
	}
	wrong := strings.Replace(b.address, parsed.Password, "hush-hush", 1)
	for want, t := range map[string]*task{
		"has no column \"when\", which postgres.cursor names; its columns are: number": b.newTask("SELECT '1' AS number", "when", nil),
		"relation \"nothing\" does not exist (SQLSTATE 42P01)":                         b.newTask("SELECT * FROM nothing", "", nil),
		"has no column \"title\", which source \"pg\" maps to name; its header is: number": b.newTask("SELECT '1' AS number", "", func(s *config.ERPSource) {
			s.Columns = map[string]string{"number": "number", "name": "title"}
		}),
		"neither a time nor a number":    b.newTask("SELECT 'x'::text AS number, 'y'::text AS changed", "changed", nil),
		"password authentication failed": b.newTask("SELECT '1' AS number", "", func(s *config.ERPSource) { s.Postgres.URL = secret.String(wrong) }),
	} {
		err := t.with(func() error {
			return t.until("wait for "+want, func(s erp.State) bool {
				return strings.Contains(s.Error, want) && !strings.Contains(s.Error, "hush-hush") && !strings.Contains(s.Error, parsed.Password)
			})
		})
		if err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Second)
	defer cancel()
	_, err = erp.New(erp.Config{}, config.ERP{Sources: []config.ERPSource{{Name: "pg", Postgres: config.Postgres{URL: "postgres://u:hush-hush@h:port/d"}}}})
	if err == nil || strings.Contains(err.Error(), "hush-hush") || ctx.Err() != nil {
		return fmt.Errorf("a wrong address is answered by %w", err)
	}
	return nil
}
