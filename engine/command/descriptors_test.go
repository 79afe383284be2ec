package command

import (
	"os"
	"testing"
)

// TestInherited checks the number of each kind of file.
func TestInherited(t *testing.T) {
	socket, ready, channel := new(os.File), new(os.File), new(os.File)
	for _, tc := range []struct {
		name    string
		in      inherited
		numbers []int
		channel int
	}{
		{"nothing", inherited{}, nil, 0},
		{"sockets", inherited{sockets: []*os.File{socket, socket}}, []int{3, 4}, 0},
		{"a channel", inherited{channel: channel}, []int{3}, 3},
		{"a channel after sockets", inherited{sockets: []*os.File{socket, socket}, channel: channel}, []int{3, 4, 5}, 5},
		{"a channel before what is ready", inherited{ready: ready, readyFD: 4, channel: channel}, []int{4, 3}, 3},
		{"a channel between", inherited{sockets: []*os.File{socket}, ready: ready, readyFD: 5, channel: channel}, []int{3, 5, 4}, 4},
		{"a channel after all", inherited{sockets: []*os.File{socket}, ready: ready, readyFD: 4, channel: channel}, []int{3, 4, 5}, 5},
	} {
		files, number := tc.in.number()
		if number != tc.channel || len(files) != len(tc.numbers) {
			t.Errorf("%s: %v, and the channel is %d", tc.name, files, number)
			continue
		}
		for i, d := range files {
			if d.Number != tc.numbers[i] || d.Number == number && d.File != channel {
				t.Errorf("%s: file %d is %d, want %d", tc.name, i, d.Number, tc.numbers[i])
			}
		}
	}
}
