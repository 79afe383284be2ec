package plan

import (
	"context"

	"github.com/weftrun/weft/schema"
)

// addReceivers adds the tasks that get the messages of s, or of one of its commands, to its needs:
// a service must be ready, another is started together with s.
func (e *expansion) addReceivers(ctx context.Context, s *Step) error {
	for _, c := range s.facts.details.receivers {
		known, err := e.needOf(ctx, s, c.To.Text, c.To.Vars, c.To.Pos)
		if err != nil {
			return err
		}
		if !known.step.facts.channel {
			return schema.NoChannel(s.Name, c.To.Pos, known.step.Name)
		}
		if known.terms != nil && known.terms.when == Together && !known.terms.messages {
			s.needs = append(s.needs, need{step: known.step}) // the stream is another need
			known = &s.needs[len(s.needs)-1]
		}
		asked := terms{when: Together, messages: true}
		if known.step.Task.Service() != nil {
			asked.when = Ready
		}
		if known.terms != nil {
			asked.limit = known.terms.limit
		}
		known.terms = &asked
	}
	return nil
}

// receivers returns the tasks of w that others send messages to. If it is not known yet to which,
// it returns all that have a channel.
func receivers(w *schema.Workflow) map[*schema.Task]bool {
	all := map[*schema.Task]bool{}
	unknown := false
	for _, t := range w.Tasks {
		schema.EachText(t, func(p schema.Place, name schema.Text) {
			switch {
			case p.Key != schema.KeyIPCTo:
			case schema.IsTemplate(name.S):
				unknown = true
			default:
				if to, _, err := w.Lookup(name.S); err == nil {
					all[to] = true
				}
			}
		})
	}
	for _, t := range w.Tasks {
		all[t] = all[t] || unknown
	}
	return all
}

// Receiver returns the need that gets the messages of a command of s.
func (s *Step) Receiver(to *TaskRef) *Step { return s.meant(to.Text, to.Vars) }

// HasChannel reports whether a command of s has a channel for messages.
func (s *Step) HasChannel() bool { return s.facts != nil && s.facts.channel }
