package avro

import (
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/avro"

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
					reader, writer := avro.MustParse(codec.Schema()), avro.MustParse(latest)
					if err := avro.CheckCompatibility(writer, reader); err != nil {
						t.Errorf("step %d is not BACKWARD: %v", i, err)
					}
				}
				latest = codec.Schema()
				row := change.Row{Schema: s, ID: "1", Values: []change.Value{tc.values[i], change.StringValue("1")}}
				body, err := codec.Append(nil, row, change.Meta{Op: change.OpSnapshot})
				if err != nil {
					t.Fatal(err)
				}
				parsed, err := ParseRowCodec(latest)
				if err != nil {
					t.Fatal(err)
				}
				if got, _, err := parsed.Decode(body); err != nil || !reflect.DeepEqual(got.Values, row.Values) {
					t.Errorf("step %d: Decode = %v, %v; want %v", i, got.Values, err, row.Values)
				}
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
