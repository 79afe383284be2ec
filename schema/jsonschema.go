package schema

// JSON Schema fragments that several keys share.
const (
	textForm     = `{"type":["string","number","boolean","null"]}`
	boolForm     = `{"anyOf":[{"type":["boolean","null"]},{"enum":["y","Y","yes","Yes","YES","on","On","ON","n","N","no","No","NO","off","Off","OFF"]}]}`
	listOfText   = `{"type":["array","null"],"items":{"type":["string","number","boolean","null"]}}`
	durationForm = `{"type":["string","null"]}`
	anyForm      = `{}`
	methodForm   = textForm
	runForm      = textForm
	ruleForm     = `{"enum":["` + FingerprintFull + `","` + FingerprintV3 + `",null]}`
	globsForm    = `{"type":["array","null"],"items":{"$ref":"#/$defs/glob"}}`
)
