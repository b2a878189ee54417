package avro

import (
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"crosswalk/internal/avro/schema"
	"crosswalk/internal/change"
)

// What happens to a field between two describes: the schema stays readable for what was written before, and the value of
// the new type comes back.
func TestEvolveRowCodec(t *testing.T) {
	t.Parallel()
	date, datetime := change.DateValue(20_000), change.DatetimeValue(1_795_000_000_123)
	for name, tc := range map[string]struct {
		types  []change.Type
		values []change.Value
		union  string // of the last schema
	}{
		"string to decimal": {
			[]change.Type{change.TypeString, change.TypeDecimal},
			[]change.Value{change.StringValue("12"), decimalOf(t, "12.5")},
			`["null","string",{"type":"bytes","logicalType":"decimal","precision":38,"scale":18}]`,
		},
		"and back": {
			[]change.Type{change.TypeString, change.TypeDecimal, change.TypeString},
			[]change.Value{change.StringValue("12"), decimalOf(t, "12.5"), change.StringValue("13")},
			`["null","string",{"type":"bytes","logicalType":"decimal","precision":38,"scale":18}]`,
		},
		"date to datetime": {
			[]change.Type{change.TypeDate, change.TypeDatetime},
			[]change.Value{date, datetime},
			`["null",{"type":"int","logicalType":"date"},{"type":"long","logicalType":"timestamp-millis"}]`,
		},
		"date to time: both are int": {
			[]change.Type{change.TypeDate, change.TypeTime},
			[]change.Value{date, change.TimeValue(34_200_001)},
			`["null",{"type":"int","logicalType":"date"},"string"]`,
		},
		"time to date": {
			[]change.Type{change.TypeTime, change.TypeDate},
			[]change.Value{change.TimeValue(34_200_001), date},
			`["null",{"type":"int","logicalType":"time-millis"},"string"]`,
		},
		"int to datetime to string": {
			[]change.Type{change.TypeInt, change.TypeDatetime, change.TypeString},
			[]change.Value{change.IntValue(5), datetime, change.StringValue("x")},
			`["null","long","string"]`,
		},
		"datetime to int": {
			[]change.Type{change.TypeDatetime, change.TypeInt},
			[]change.Value{datetime, change.IntValue(-7)},
			`["null",{"type":"long","logicalType":"timestamp-millis"},"string"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var latest string
			var codec *RowCodec
			roundTrip := func(codec *RowCodec, v change.Value) error {
				row := change.Row{Schema: codec.Fields(), ID: "1", Values: []change.Value{v, change.StringValue("1")}}
				body, err := codec.Append(nil, row, change.Meta{Op: change.OpSnapshot})
				if err != nil {
					return err
				}
				parsed, err := ParseRowCodec(codec.Schema())
				if err != nil {
					return err
				}
				if got, _, err := parsed.Decode(body); err != nil || !reflect.DeepEqual(got.Values, row.Values) {
					t.Errorf("Decode = %v, %v; want %v", got.Values, err, row.Values)
				}
				return nil
			}
			for i, typ := range tc.types {
				s := change.NewSchema("Account", []change.Field{{Name: "Id"}, {Name: "F__c", Type: typ}})
				var previous []string
				if latest != "" {
					previous = []string{latest}
				}
				var err error
				if codec, err = EvolveRowCodec(s, previous...); err != nil {
					t.Fatal(err)
				}
				if latest != "" {
					if found := schema.CanRead(mustNode(codec.Schema()), mustNode(latest)); found != nil {
						t.Errorf("step %d is not BACKWARD: %v", i, found)
					}
					if err := avro.CheckCompatibility(avro.MustParse(latest), avro.MustParse(codec.Schema())); err != nil {
						t.Errorf("step %d is not BACKWARD to twmb/avro: %v", i, err)
					}
				}
				latest = codec.Schema()
				if err := roundTrip(codec, tc.values[i]); err != nil {
					t.Fatal(err)
				}
			}
			// The first value, not read again since, goes on being what it was, unless text now means the new type.
			if err := roundTrip(codec, tc.values[0]); err != nil {
				t.Errorf("a value of the first type under the last schema: %v", err)
			}
			if !strings.Contains(latest, `"type":`+tc.union) {
				t.Errorf("the union is not %s in\n%s", tc.union, latest)
			}
		})
	}
}

func TestEvolveRowCodecLeavesOutWhatVanished(t *testing.T) {
	t.Parallel()
	before, err := NewRowCodec(accountSchema())
	if err != nil {
		t.Fatal(err)
	}
	after, err := EvolveRowCodec(change.NewSchema("Account", []change.Field{{Name: "Id"}, {Name: "New__c"}}), before.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(after.Schema(), "Phone") || !strings.Contains(after.Schema(), "New__c") {
		t.Errorf("fields of the next schema: %s", after.Schema())
	}
	body, err := before.Append(nil, accountRow(t, before.Fields()), eventMeta())
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := avro.Resolve(avro.MustParse(before.Schema()), avro.MustParse(after.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if _, err := resolved.Decode(body, &v); err != nil || v.(map[string]any)["Id"] != "001D000000IqhSLIAZ" || v.(map[string]any)["New__c"] != nil {
		t.Errorf("an old record under the new schema: %v, %v", v, err)
	}
}

// A field that vanishes and comes back as something else goes with the latest schema alone under BACKWARD, and with all of
// them under BACKWARD_TRANSITIVE.
func TestEvolveRowCodecRemembersWhatVanished(t *testing.T) {
	t.Parallel()
	id := change.Field{Name: "Id"}
	var all []string
	for _, fields := range [][]change.Field{{id, {Name: "F__c"}}, {id}, {id, {Name: "F__c", Type: change.TypeBool}}} {
		c, err := EvolveRowCodec(change.NewSchema("Account", fields), all...)
		if err != nil {
			t.Fatal(err)
		}
		for _, before := range all {
			if found := schema.CanRead(mustNode(c.Schema()), mustNode(before)); found != nil {
				t.Errorf("%s\ncannot read %s: %v", c.Schema(), before, found)
			}
		}
		all = append(all, c.Schema())
	}
	if !strings.Contains(all[2], `"F__c","type":["null","string","boolean"]`) {
		t.Errorf("the third schema is %s", all[2])
	}
}

func TestParseRowCodecRefuses(t *testing.T) {
	t.Parallel()
	c, err := NewRowCodec(accountSchema())
	if err != nil {
		t.Fatal(err)
	}
	for old, replaced := range map[string][2]string{
		"is required":             {`"name":"Phone","type":["null","string"],"default":null`, `"name":"Phone","type":"int"`},
		"no branch for a boolean": {`"name":"IsActive__c","type":["null","boolean"]`, `"name":"IsActive__c","type":["null","int"]`},
		"type that is not":        {`"name":"commit_number","type":["null","long"]`, `"name":"commit_number","type":["null","string"]`},
		"no attribute":            {`"salesforce.type":"time"`, `"salesforce.kind":"time"`},
		"not defined":             {`"name":"Phone","type":["null","string"]`, `"name":"Phone","type":["null","text"]`},
	} {
		text := strings.Replace(c.Schema(), replaced[0], replaced[1], 1)
		if text == c.Schema() {
			t.Fatalf("%s is not in %s", replaced[0], text)
		}
		if _, err := ParseRowCodec(text); err == nil || !strings.Contains(err.Error(), old) {
			t.Errorf("ParseRowCodec = %v, want an error with %q", err, old)
		}
	}
	without := c.Schema()[:strings.Index(c.Schema(), `,{"name":"_change"`)] + "]}"
	if _, err := ParseRowCodec(without); err == nil || !strings.Contains(err.Error(), "has no _change") {
		t.Errorf("ParseRowCodec without _change = %v", err)
	}
	if _, err := EvolveRowCodec(accountSchema(), "{"); err == nil {
		t.Error("a previous schema that is none is taken")
	}
	// Rows under another _change can be read, not written.
	other, err := ParseRowCodec(strings.Replace(c.Schema(), `"name":"origin"`, `"name":"later"`, 1))
	if err != nil {
		t.Fatal(err)
	}
	row := accountRow(t, c.Fields())
	body, err := c.Append(nil, row, eventMeta())
	if err != nil {
		t.Fatal(err)
	}
	if got, meta, err := other.Decode(body); err != nil || meta.Origin != "" || meta.ReplayID != 77 || got.ID != row.ID {
		t.Errorf("Decode = %v, %+v, %v", got, meta, err)
	}
	if _, err := other.Append(nil, row, eventMeta()); err == nil || !strings.Contains(err.Error(), "EvolveRowCodec") {
		t.Errorf("Append = %v", err)
	}
}
