//go:build linux && !386

package page

import (
	"fmt"
	"testing"
)

// TestAccess checks accessibility with axe-core: every view, light and dark, wide and narrow.
func TestAccess(t *testing.T) {
	p := open(t, ciPage(t), "")
	p.Axe()
	for _, theme := range []string{"light", "dark"} {
		p.Media("", theme)
		for _, width := range []int64{1280, 320} {
			p.Size(width, 800)
			for _, fragment := range []string{"#step=gen", "#step=unit&tab=log&line=1800&find=got", "#tab=timeline&step=unit", "#tab=graph"} {
				eval[bool](p, `location.hash = '`+fragment+`'; true`)
				p.until(`document.documentElement.dataset.theme === '` + theme + `' && (weft.state.tab !== 'log' || document.querySelector('.line.here'))`)
				p.Accessible(fmt.Sprintf("%s, %d pixels wide, %s", theme, width, fragment))
			}
		}
	}
}
