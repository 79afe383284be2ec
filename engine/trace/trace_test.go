package trace

import "testing"

func TestParseParent(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, test := range []struct {
		text        string
		ok, sampled bool
	}{
		{good, true, true},
		{good[:len(good)-1] + "0", true, false},
		{good[:len(good)-2] + "03", true, true},
		{"cc" + good[2:], true, true},
		{"cc" + good[2:] + "-more", true, true},
		{"", false, false},
		{good[1:], false, false},
		{good + "-more", false, false},
		{"cc" + good[2:] + "more", false, false},
		{"ff" + good[2:], false, false},
		{"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
		{"00-00000000000000000000000000000000-b7ad6b7169203331-01", false, false},
		{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false, false},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g", false, false},
		{"00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01", false, false},
		{"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
	} {
		p, ok := ParseParent(test.text)
		if ok != test.ok || ok && p.Sampled != test.sampled {
			t.Errorf("%q: %v, %v", test.text, p, ok)
		}
	}
	if p, _ := ParseParent(good); p.String() != good {
		t.Errorf("%v", p)
	}
}

func FuzzParseParent(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := ParseParent(text)
		if !ok {
			return
		}
		if again, ok := ParseParent(p.String()); !ok || again != p {
			t.Errorf("%q: %v, then %v", text, p, again)
		}
	})
}

// TestIdentities: they never change between versions, since other programs may compute them.
func TestIdentities(t *testing.T) {
	var e Export
	if got, want := e.Command("run", 1, 2, 3), "00-acba25512100f80b56fc3ccd14c65be5-7e43a666420331cb-01"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	seen := map[Span]bool{}
	for _, s := range []Span{RunSpan("run"), StepSpan("run", 1), StepSpan("run", 11), CommandSpan("run", 1, 1, 1), CommandSpan("run", 1, 0, 1), CommandSpan("run", 1, 0, 2), RunSpan("run1")} {
		if seen[s] {
			t.Errorf("%x twice", s)
		}
		seen[s] = true
	}
	inherited := Parent{Trace: Trace{1}, Span: Span{2}, Sampled: true}
	if got := (&Export{Inherited: inherited}).Trace("run"); got != inherited.Trace {
		t.Errorf("trace %x", got)
	}
}

func TestSampler(t *testing.T) {
	low, high := Trace{15: 1}, Trace{8: 0xff}
	parent, dropped := Parent{Trace: Trace{1}, Sampled: true}, Parent{Trace: Trace{1}}
	for _, test := range []struct {
		name, arg   string
		inherited   Parent
		low, second bool
	}{
		{"", "", Parent{}, true, true},
		{"no such sampler", "", Parent{}, true, true},
		{"always_on", "", Parent{}, true, true},
		{"always_off", "", parent, false, false},
		{" Always_Off ", "", Parent{}, false, false},
		{"traceidratio", "", Parent{}, true, true},
		{"traceidratio", "half", Parent{}, true, true},
		{"traceidratio", "-1", Parent{}, true, true},
		{"traceidratio", "1", Parent{}, true, true},
		{"traceidratio", "0.5", parent, true, false},
		{"traceidratio", "0", Parent{}, false, false},
		{"parentbased_always_off", "", Parent{}, false, false},
		{"parentbased_always_off", "", parent, true, true},
		{"parentbased_always_on", "", dropped, false, false},
		{"parentbased_traceidratio", "0.5", Parent{}, true, false},
		{"parentbased_traceidratio", "0.5", parent, true, true},
	} {
		keep := Sampler(test.name, test.arg, test.inherited)
		if keep == nil {
			keep = keepIf(true)
		}
		if keep(low) != test.low || keep(high) != test.second {
			t.Errorf("%q %q %v: %v, %v", test.name, test.arg, test.inherited, keep(low), keep(high))
		}
	}
}
