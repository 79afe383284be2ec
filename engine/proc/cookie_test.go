package proc

import "testing"

func TestInStep(t *testing.T) {
	for _, tt := range []struct {
		environ []string
		step    string
		want    bool
	}{
		{nil, "", false},
		{nil, "run.1", false},
		{[]string{StepVariable + "="}, "", false},
		{[]string{StepVariable + "=run.1"}, "", false},
		{[]string{StepVariable + "=run.1"}, "run.1", true},
		{[]string{StepVariable + "=run.1"}, "run.12", false},
		{[]string{StepVariable + "=outer.3:run.1"}, "outer.3", true},
		{[]string{StepVariable + "=outer.3:run.1"}, "run.1", true},
	} {
		if got := InStep(tt.environ, tt.step); got != tt.want {
			t.Errorf("InStep(%q, %q) = %v", tt.environ, tt.step, got)
		}
	}
}
