package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/nearest"
)

// EnvPrefix starts every environment variable of the configuration.
const EnvPrefix = "CROSSWALK_"

// reserved are variables with the prefix that are not configuration keys.
var reserved = []string{"CROSSWALK_CONFIG", "CROSSWALK_SECRET_KEY", "CROSSWALK_SECRET_KEY_FILE"}

// reservedPrefixes belong to the scripts under deploy and to tests.
var reservedPrefixes = []string{"CROSSWALK_LOCAL_", "CROSSWALK_TEST_"}

// overlay sets every key that the environment names, and says what is wrong with the others. Lists of texts are separated by
// commas or numbered; list items of structures are numbered from 0 and may extend the list by one at a time.
func overlay(c *Config, environ []string) (wrong Errors) {
	vars := slices.Clone(environ)
	slices.SortFunc(vars, inOrder)
	for _, kv := range vars {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, EnvPrefix) || isReserved(name) {
			continue
		}
		path := strings.ToLower(strings.TrimPrefix(name, EnvPrefix))
		found, err := assign(reflect.ValueOf(c).Elem(), path, value)
		switch {
		case err != nil:
			wrong.add("environment variable %s: %w", name, err)
		case !found:
			wrong = append(wrong, c.stranger(name, path)...)
		}
	}
	return wrong
}

// stranger judges a variable with our prefix that names no key. One that is a key's name but for a slip, or begins with the name
// of a group of keys, is an error. Any other may be somebody else's: Kubernetes puts CROSSWALK_SERVICE_HOST and more beside
// them when a Service is called crosswalk. It is left alone and named in Ignored.
func (c *Config) stranger(name, path string) (wrong Errors) {
	if near := nearest.Of(path, environmentKeys(reflect.TypeFor[Config](), ""), 2); near != "" {
		wrong.add("environment variable %s names no configuration key; did you mean %s%s? Correct or unset it", name, EnvPrefix, strings.ToUpper(near))
		return wrong
	}
	for _, group := range keysOf(reflect.TypeFor[Config]()) {
		if group != "-" && strings.HasPrefix(path, group+"_") {
			wrong.add("environment variable %s names no configuration key; unset it, or see the README for the keys", name)
			return wrong
		}
	}
	c.Ignored = append(c.Ignored, name)
	return nil
}

// environmentKeys lists the names of all keys outside of lists, as they stand in the environment, in lower case.
func environmentKeys(t reflect.Type, prefix string) (names []string) {
	for i := range t.NumField() {
		tag := strings.ToLower(t.Field(i).Tag.Get("yaml"))
		switch f := t.Field(i).Type; {
		case tag == "" || tag == "-":
		case f.Kind() == reflect.Struct:
			names = append(names, environmentKeys(f, prefix+tag+"_")...)
			names = append(names, prefix+tag)
		default:
			names = append(names, prefix+tag)
		}
	}
	return names
}

var digits = regexp.MustCompile(`[0-9]+`)

// inOrder compares two variables so that item 2 of a list comes before item 10.
func inOrder(a, b string) int {
	padded := func(kv string) string {
		name, _, _ := strings.Cut(kv, "=")
		return digits.ReplaceAllStringFunc(name, func(n string) string { return fmt.Sprintf("%08s", n) })
	}
	return strings.Compare(padded(a), padded(b))
}

func isReserved(name string) bool {
	return slices.Contains(reserved, name) ||
		slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// assign finds the field that path ("orgs_0_salesforce_auth_client_id") leads to and sets it from text.
func assign(v reflect.Value, path, text string) (bool, error) {
	t := v.Type()
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("yaml")
		if tag == "" || tag == "-" {
			continue
		}
		rest, ok := strings.CutPrefix(path, strings.ToLower(tag))
		if !ok || rest != "" && rest[0] != '_' {
			continue
		}
		rest = strings.TrimPrefix(rest, "_")
		field := v.Field(i)
		switch {
		case rest == "":
			return true, set(field, text)
		case field.Kind() == reflect.Struct:
			if found, err := assign(field, rest, text); found || err != nil {
				return found, err
			}
		case field.Kind() == reflect.Map:
			if field.IsNil() {
				field.Set(reflect.MakeMap(field.Type()))
			}
			field.SetMapIndex(reflect.ValueOf(rest), reflect.ValueOf(text))
			return true, nil
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			if found, err := assignItem(field, rest, text); found || err != nil {
				return found, err
			}
		case field.Kind() == reflect.Slice:
			return setItem(field, rest, text)
		}
	}
	return false, nil
}

// setItem sets one text of a list by its number.
func setItem(list reflect.Value, number, text string) (bool, error) {
	n, err := strconv.Atoi(number)
	switch {
	case err != nil || n < 0:
		return false, nil
	case n > list.Len():
		return false, hole(n, list.Len())
	case n == list.Len():
		list.Set(reflect.Append(list, reflect.ValueOf(text)))
	default:
		list.Index(n).SetString(text)
	}
	return true, nil
}

func hole(n, length int) error {
	return fmt.Errorf("item %d is set but item %d is not; number items from 0 without holes", n, length)
}

func assignItem(list reflect.Value, path, text string) (bool, error) {
	number, rest, _ := strings.Cut(path, "_")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return false, nil
	}
	if n > list.Len() {
		return false, hole(n, list.Len())
	}
	if n == list.Len() {
		list.Set(reflect.Append(list, reflect.Zero(list.Type().Elem())))
	}
	return assign(list.Index(n), rest, text)
}

func set(field reflect.Value, text string) error {
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	if field.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			d, err = time.ParseDuration(text + "s") // a bare number is seconds
		}
		if err != nil {
			return fmt.Errorf("not a duration (write 30s, 5m, 2h)")
		}
		field.SetInt(int64(d))
		return nil
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("not true or false")
		}
		field.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("not a whole number")
		}
		field.SetInt(int64(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("not a number")
		}
		field.SetFloat(f)
	case reflect.Slice:
		if field.Type().Elem().Kind() != reflect.String {
			return fmt.Errorf("names a list; number its items: …_0_…")
		}
		field.Set(reflect.ValueOf(texts(text)))
	default:
		return fmt.Errorf("names a group of keys; name one key of it")
	}
	return nil
}
