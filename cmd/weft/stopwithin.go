package main

import (
	"fmt"
	"os"
	"time"
)

// containerStop is the default StopWithin for the first process of a container. Docker, Compose and
// most others wait for ten seconds before they kill everything.
const containerStop = 9 * time.Second

// stopWithin returns the time limit for everything to end after a signal; 0 means none.
func (a *app) stopWithin() (time.Duration, error) {
	text := a.env("WEFT_STOP_WITHIN")
	switch {
	case text != "":
	case os.Getpid() == 1:
		return containerStop, nil
	default:
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, flagError(fmt.Sprintf("WEFT_STOP_WITHIN: %q is not a time limit for the end after a signal; write 9s, or a little less than the limit of the container", text))
	}
	return d, nil
}
