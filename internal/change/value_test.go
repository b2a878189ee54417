package change

import "testing"

func TestDecimalValueIsCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "00.10": "0.1", "1042.0": "1042", "10.50": "10.5", "1E3": "1000", "1.5e-3": "0.0015",
		"+7": "7", "-12.340": "-12.34", ".5": "0.5", "5.": "5", "123456789012345678": "123456789012345678", "1.23E1": "12.3",
	} {
		v, err := DecimalValue(in)
		if err != nil || v.Str() != want {
			t.Errorf("DecimalValue(%q) = %q, %v; want %q", in, v.Str(), err, want)
		}
	}
	for _, in := range []string{"", "-", ".", "1,5", "abc", "1e", "0x10", "1E999999999", "NaN", "Infinity", "1.2.3"} {
		if v, err := DecimalValue(in); err == nil {
			t.Errorf("DecimalValue(%q) = %q, want an error", in, v.Str())
		}
	}
}

func TestSchemaSortsAndFinds(t *testing.T) {
	t.Parallel()
	s := NewSchema("Account", []Field{{Name: "Name"}, {Name: "Id"}})
	if s.Fields[0].Name != "Id" || s.Index("Name") != 1 || s.Index("Nope") != -1 {
		t.Fatalf("unexpected order or index: %+v", s)
	}
	r := Row{Schema: s, ID: "001", Values: []Value{StringValue("001"), NullValue()}}
	if !r.Get("Name").IsNull() || r.Get("Nope").Kind() != Absent {
		t.Fatal("null and absent must differ")
	}
}

func TestVersionOrder(t *testing.T) {
	t.Parallel()
	if !(Version{1, 9}).Less(Version{2, 1}) || (Version{2, 1}).Less(Version{1, 9}) || !(Version{1, 1}).Less(Version{1, 2}) || (Version{1, 1}).Less(Version{1, 1}) {
		t.Fatal("versions compare by epoch, then rev")
	}
}
