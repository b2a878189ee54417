package simulator

import (
	"net/http"
	"time"

	"crosswalk/internal/simulator/org"
)

// soapTypes are describe's soapType by type; the rest are xsd:string (facts 2.5).
var soapTypes = map[string]string{
	"id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "long": "xsd:long", "double": "xsd:double",
	"currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime", "time": "xsd:time",
	"base64": "xsd:base64Binary", "anyType": "xsd:anyType", "address": "urn:address", "location": "urn:location",
}

// describeField has every key of facts 2.5.
func describeField(ob *org.Object, f *org.Field) map[string]any {
	soap, ok := soapTypes[f.Type]
	if !ok {
		soap = "xsd:string"
	}
	out := map[string]any{
		"aggregatable": f.Filterable, "aiPredictionField": false, "autoNumber": false, "byteLength": 3 * f.Length, "calculated": f.Calculated(), "calculatedFormula": nil,
		"cascadeDelete": f.Cascade && !(ob.Name == "Contact" && f.Name == "AccountId"), "caseSensitive": false, "compoundFieldName": nil, "controllerName": nil,
		"createable": f.Createable, "custom": f.Custom, "defaultValue": nil, "defaultValueFormula": nil, "defaultedOnCreate": f.System || f.Kind == org.Bool || f.Name == "OwnerId" || f.Default != "",
		"dependentPicklist": false, "deprecatedAndHidden": false, "digits": 0, "displayLocationInDecimal": f.Type == "location", "encrypted": false, "externalId": f.ExternalID,
		"extraTypeInfo": nil, "filterable": f.Filterable, "filteredLookupInfo": nil, "formulaTreatNullNumberAsZero": false, "groupable": f.Filterable && f.Kind != org.Datetime && f.Kind != org.Number,
		"highScaleNumber": false, "htmlFormatted": false, "idLookup": f.Name == "Id" || f.ExternalID, "inlineHelpText": nil, "label": f.Label, "length": f.Length, "mask": nil, "maskType": nil,
		"name": f.Name, "nameField": f.NameField, "namePointing": len(f.ReferenceTo) > 1, "nillable": !f.Required && f.Kind != org.Bool && !f.System && f.Name != "Id", "permissionable": !f.System && !f.Required && f.Component == "" && f.Name != "Id",
		"picklistValues": picklist(f), "polymorphicForeignKey": len(f.ReferenceTo) > 1, "precision": f.Precision, "queryByDistance": f.Kind == org.Compound, "referenceTargetField": nil,
		"referenceTo": orEmpty(f.ReferenceTo), "relationshipName": nil, "relationshipOrder": nil, "restrictedDelete": false, "restrictedPicklist": false, "scale": f.Scale,
		"searchPrefilterable": f.Type == "reference", "soapType": soap, "sortable": f.Filterable, "type": f.Type, "unique": f.Unique, "updateable": f.Updateable, "writeRequiresMasterRead": false,
	}
	if f.Kind == org.Int {
		out["digits"], out["precision"] = f.Precision, 0
	}
	if f.Calculated() {
		out["calculatedFormula"] = f.Formula.Source
	}
	if f.Component != "" {
		out["compoundFieldName"] = f.Component
	}
	if f.Relation != "" {
		out["relationshipName"] = f.Relation
	}
	switch {
	case f.Kind == org.Bool:
		out["defaultValue"] = f.Default == "true"
	case f.Default != "":
		out["defaultValue"] = f.Default
	}
	if f.Type == "textarea" && f.Length > 255 {
		out["extraTypeInfo"] = "plaintextarea"
	}
	return out
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func picklist(f *org.Field) []any {
	out := []any{}
	for _, v := range f.Values {
		out = append(out, map[string]any{"active": true, "defaultValue": v == f.Default, "label": v, "validFor": nil, "value": v})
	}
	return out
}

// objectKeys are what describe and describe global say about an object.
func (c *call) objectKeys(ob *org.Object) map[string]any {
	base := "/services/data/v" + c.version + "/sobjects/" + ob.Name
	return map[string]any{
		"activateable": false, "associateEntityType": nil, "associateParentEntity": nil, "createable": ob.Can('c'), "custom": ob.Custom, "customSetting": false,
		"deepCloneable": false, "deletable": ob.Can('d'), "deprecatedAndHidden": false, "feedEnabled": false, "hasSubtypes": false, "isInterface": false, "isSubtype": false,
		"keyPrefix": ob.Prefix, "label": ob.Label, "labelPlural": ob.Label + "s", "layoutable": true, "mergeable": ob.Name == "Account" || ob.Name == "Contact", "mruEnabled": true,
		"name": ob.Name, "queryable": ob.Can('q'), "replicateable": ob.Can('R'), "retrieveable": ob.Can('r'), "searchable": true, "triggerable": ob.Can('e'),
		"undeletable": ob.Can('U'), "updateable": ob.Can('u'),
		"urls": map[string]string{"sobject": base, "describe": base + "/describe", "rowTemplate": base + "/{ID}"},
	}
}

func (c *call) describeGlobal() {
	cat := c.s.catalog()
	objects := []any{}
	for _, ob := range c.s.org.Objects() {
		if _, ok := cat.Object(ob.Name); ok {
			objects = append(objects, c.objectKeys(ob))
		}
	}
	if !c.notModified(c.s.described()) {
		c.json(http.StatusOK, map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})
	}
}

// object finds an object that the user may read; false when it answered.
func (c *call) object(name string) (*org.Object, bool) {
	ob, ok := c.s.catalog().Object(name)
	if !ok {
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
	}
	return ob, ok
}

func (c *call) describeObject() {
	ob, ok := c.object(c.path[0])
	if !ok || c.notModified(c.s.described()) {
		return
	}
	out := c.objectKeys(ob)
	cat := c.s.catalog()
	fields := []any{}
	for _, f := range cat.fields(ob) {
		fields = append(fields, describeField(ob, f))
	}
	out["fields"] = fields
	out["childRelationships"] = c.childRelationships(cat, ob)
	out["recordTypeInfos"] = []any{map[string]any{
		"active": true, "available": true, "defaultRecordTypeMapping": true, "developerName": "Master", "master": true, "name": "Master", "recordTypeId": "012000000000000AAA",
		"urls": map[string]string{"layout": "/services/data/v" + c.version + "/sobjects/" + ob.Name + "/describe/layouts/012000000000000AAA"},
	}}
	out["actionOverrides"], out["namedLayoutInfos"], out["supportedScopes"] = []any{}, []any{}, []any{}
	out["compactLayoutable"], out["searchLayoutable"], out["defaultImplementation"], out["implementedBy"], out["implementsInterfaces"] = false, true, nil, nil, nil
	out["extendedBy"], out["extendsInterfaces"], out["listviewable"], out["lookupLayoutable"], out["networkScopeFieldName"], out["sobjectDescribeOption"] = nil, nil, nil, nil, nil, "FULL"
	c.json(http.StatusOK, out)
}

func (c *call) childRelationships(cat catalog, parent *org.Object) []any {
	out := []any{}
	for _, ob := range c.s.org.Objects() {
		if _, ok := cat.Object(ob.Name); !ok {
			continue
		}
		for _, f := range cat.fields(ob) {
			for _, to := range f.ReferenceTo {
				if to != parent.Name {
					continue
				}
				var name any
				if f.ChildName != "" {
					name = f.ChildName
				}
				out = append(out, map[string]any{
					"cascadeDelete": f.Cascade, "childSObject": ob.Name, "deprecatedAndHidden": false, "field": f.Name, "junctionIdListNames": []any{},
					"junctionReferenceTo": []any{}, "relationshipName": name, "restrictedDelete": false,
				})
			}
		}
	}
	return out
}

// basicInfo serves /sobjects/X.
func (c *call) basicInfo() {
	if ob, ok := c.object(c.path[0]); ok {
		c.json(http.StatusOK, map[string]any{"objectDescribe": c.objectKeys(ob), "recentItems": []any{}})
	}
}

// notModified answers 304 when the client has what is there (facts 2.1).
func (c *call) notModified(changed time.Time) bool {
	since, err := http.ParseTime(c.r.Header.Get("If-Modified-Since"))
	if err != nil || changed.Truncate(time.Second).After(since) {
		return false
	}
	c.w.WriteHeader(http.StatusNotModified)
	return true
}

// resources serves /services/data/vXX.X/: the cheap probe of the api scope.
func (c *call) resources() {
	base := "/services/data/v" + c.version
	c.json(http.StatusOK, map[string]string{
		"identity": c.identityURL(), "query": base + "/query", "queryAll": base + "/queryAll", "sobjects": base + "/sobjects", "composite": base + "/composite",
		"jobs": base + "/jobs", "limits": base + "/limits", "tooling": base + "/tooling",
	})
}

// limits serves the org's limits (facts 2.4).
func (c *call) limits() {
	if c.s.profile.Load().NoSetup {
		c.fail(http.StatusForbidden, "INSUFFICIENT_ACCESS", "insufficient access rights on object id")
		return
	}
	set := c.s.settings.Load()
	type limit struct {
		Max       int
		Remaining int
	}
	left := func(most, used int) limit { return limit{most, max(0, most-used)} }
	most := orInt(set.DailyRequests, 1_000_000)
	used := c.s.usage.used(c.s.now()) + set.OtherRequests
	stats := c.s.stream.Stats()
	delivered := orInt(c.s.config.Streaming.DeliveryLimit, 50_000)
	volume := c.s.jobs.stored()
	if set.Bulk.Exhausted {
		volume = 976_562
	}
	jobs := orInt(set.Bulk.MaxJobs, 10_000)
	limits := map[string]limit{
		"DailyApiRequests": left(most, used), "DailyBulkApiBatches": left(15_000, 0), "DailyBulkV2QueryJobs": left(jobs, c.s.jobs.today(c.s.now())),
		"DailyBulkV2QueryFileStorageMB": left(976_562, volume), "DailyDeliveredPlatformEvents": left(delivered, c.s.stream.Delivered()),
		"DailyDurableStreamingApiEvents": left(10_000, 0), "DurableStreamingApiConcurrentClients": left(20, 0),
		"StreamingApiConcurrentClients": left(2_000, stats.Sessions), "DataStorageMB": left(10_240, 0), "FileStorageMB": left(10_240, 0),
	}
	if set.MonthlyEvents > 0 {
		limits["MonthlyPlatformEventsUsageEntitlement"] = left(set.MonthlyEvents, set.MonthlyUsed)
	}
	c.json(http.StatusOK, limits)
}
