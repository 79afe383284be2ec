//go:build unix && !(linux && (amd64 || arm64))

package proc

import "syscall"

// apply sets what this system can do, and returns an error for the rest.
func (s *Setup) apply(sys *syscall.SysProcAttr) error {
	if s == nil {
		return nil
	}
	switch {
	case s.Limits != Limits{}:
		return &SetupError{Step: "set limits", Err: errUnsupported}
	case s.ListenPID:
		return &SetupError{Step: "set LISTEN_PID", Err: errUnsupported}
	case s.Cgroup != nil:
		return &SetupError{Step: "join the control group", Err: errUnsupported}
	}
	if u := s.User; u != nil {
		sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	return nil
}
