package avro

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"

	"crosswalk/internal/change"
)

// benchRow is an Account of twenty fields, as orgs have them: mostly text, some numbers and dates, some nulls.
func benchRow(tb testing.TB) (*RowCodec, change.Row, change.Meta) {
	tb.Helper()
	fields := []change.Field{
		{Name: "Id"},
		{Name: "AnnualRevenue", Type: change.TypeDecimal},
		{Name: "Credit__c", Type: change.TypeDecimal},
		{Name: "NumberOfEmployees", Type: change.TypeInt},
		{Name: "IsActive__c", Type: change.TypeBool},
		{Name: "Since__c", Type: change.TypeDate},
		{Name: "CreatedDate", Type: change.TypeDatetime},
		{Name: "LastModifiedDate", Type: change.TypeDatetime},
	}
	for i := range 12 {
		fields = append(fields, change.Field{Name: fmt.Sprintf("Text%02d__c", i)})
	}
	c, err := NewRowCodec(change.NewSchema("Account", fields))
	if err != nil {
		tb.Fatal(err)
	}
	row := change.Row{Schema: c.Fields(), ID: "001D000000IqhSLIAZ"}
	for i, f := range c.Fields().Fields {
		row.Values = append(row.Values, map[change.Type]change.Value{
			change.TypeString: change.StringValue(fmt.Sprintf("some text of field %d", i)), change.TypeBool: change.BoolValue(true), change.TypeInt: change.IntValue(1200),
			change.TypeDecimal: decimalOf(tb, "1234567.89"), change.TypeDate: change.DateValue(20_000), change.TypeDatetime: change.DatetimeValue(1_795_000_000_000),
		}[f.Type])
		if f.Name == "Text03__c" || f.Name == "Text07__c" {
			row.Values[i] = change.NullValue()
		}
	}
	return c, row, eventMeta()
}

// BenchmarkRow compares our codec with goavro and twmb/avro on the same row. goavro and twmb take and give maps, since the
// fields of a row are known at run time only; making the maps from a row is not counted.
func BenchmarkRow(b *testing.B) {
	c, row, meta := benchRow(b)
	body, err := c.Append(nil, row, meta)
	if err != nil {
		b.Fatal(err)
	}
	linkedin, err := goavro.NewCodec(c.Schema())
	if err != nil {
		b.Fatal(err)
	}
	native, _, err := linkedin.NativeFromBinary(body)
	if err != nil {
		b.Fatal(err)
	}
	twmb := avro.MustParse(c.Schema())
	var generic any
	if _, err := twmb.Decode(body, &generic); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	for name, op := range map[string]func() error{
		"encode/ours":   func() (err error) { buf, err = c.Append(buf[:0], row, meta); return err },
		"encode/goavro": func() (err error) { buf, err = linkedin.BinaryFromNative(buf[:0], native); return err },
		"encode/twmb":   func() (err error) { buf, err = twmb.AppendEncode(buf[:0], generic); return err },
		"decode/ours":   func() error { _, _, err := c.Decode(body); return err },
		"decode/row":    func() error { _, err := c.Row(body); return err },
		"decode/goavro": func() error { _, _, err := linkedin.NativeFromBinary(body); return err },
		"decode/twmb":   func() error { var v any; _, err := twmb.Decode(body, &v); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if err := op(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWalker is what the matcher does with a row: check it, find the identifier, copy the fields into a view.
func BenchmarkWalker(b *testing.B) {
	c, row, meta := benchRow(b)
	body, err := c.Append(nil, row, meta)
	if err != nil {
		b.Fatal(err)
	}
	w := walker(b, c.Schema())
	buf, lengths := make([]byte, 0, 4096), make([]int, 0, 64)
	for name, op := range map[string]func() error{
		"values": func() (err error) { buf, lengths, err = w.AppendValues(buf[:0], lengths[:0], body); return err },
		"check":  func() error { return w.Check(body) },
		"lookup": func() error { _, err := w.Lookup(body, "Text11__c"); return err },
		"fields": func() (err error) { buf, err = w.AppendFields(buf[:0], body); return err },
		"record": func() error { _, err := w.Record(body); return err },
		"json":   func() (err error) { buf, err = w.AppendJSON(buf[:0], body); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := op(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecimal compares 128-bit arithmetic with math/big.
func BenchmarkDecimal(b *testing.B) {
	buf := make([]byte, 0, 64)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			var err error
			if buf, err = appendDecimal(buf[:0], "-1234567.89", 18); err != nil {
				b.Fatal(err)
			}
			buf = appendDecimalText(buf, buf[1:], 18)
		}
	})
	b.Run("big", func(b *testing.B) {
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil)
		for b.Loop() {
			r, ok := new(big.Rat).SetString("-1234567.89")
			if !ok {
				b.Fatal("not a number")
			}
			n := new(big.Int).Div(new(big.Int).Mul(r.Num(), scale), r.Denom())
			buf = append(buf[:0], new(big.Rat).SetFrac(n, scale).FloatString(2)...)
		}
	})
}
