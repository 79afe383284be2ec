package report

import (
	"github.com/weftrun/weft/cmd/weft/report/model"
)

// Finished is a completed run with all data that reports of a whole run need. Reports depend on
// nothing else, so that a recorded run yields the same report.
type Finished struct {
	*model.Run
	Logs *Logs
	File string // the report's file, as named by the user
}
