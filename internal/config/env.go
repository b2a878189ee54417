package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EnvPrefix starts every environment variable of the configuration.
const EnvPrefix = "CROSSWALK_"

// reserved are variables with the prefix that are not configuration keys.
var reserved = []string{"CROSSWALK_CONFIG", "CROSSWALK_SECRET_KEY", "CROSSWALK_SECRET_KEY_FILE"}

// reservedPrefixes belong to the scripts under deploy and to tests.
var reservedPrefixes = []string{"CROSSWALK_LOCAL_", "CROSSWALK_TEST_"}

// overlay sets every key that the environment names. Lists of texts are separated by commas; list items of
// structures are numbered from 0 and may extend the list by one at a time.
func overlay(c *Config, environ []string) error {
	vars := slices.Clone(environ)
	slices.Sort(vars)
	for _, kv := range vars {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, EnvPrefix) || isReserved(name) {
			continue
		}
		path := strings.ToLower(strings.TrimPrefix(name, EnvPrefix))
		found, err := assign(reflect.ValueOf(c).Elem(), path, value)
		if err != nil {
			return fmt.Errorf("environment variable %s: %w", name, err)
		}
		if !found {
			return fmt.Errorf("environment variable %s names no configuration key; unset it, or see the README for the keys", name)
		}
	}
	return nil
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
		if tag == "" {
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
		}
	}
	return false, nil
}

func assignItem(list reflect.Value, path, text string) (bool, error) {
	number, rest, _ := strings.Cut(path, "_")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return false, nil
	}
	if n > list.Len() {
		return false, fmt.Errorf("item %d is set but item %d is not; number items from 0 without holes", n, list.Len())
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
		var items []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
		field.Set(reflect.ValueOf(items))
	default:
		return fmt.Errorf("names a group of keys; name one key of it")
	}
	return nil
}
