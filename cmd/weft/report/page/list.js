// list.js draws the rows of a long list that are in view, and no others.
{
	const {el, later} = weft;
	const tallest = 8e6; // pixels; browsers give up somewhere above 16 million

	// list keeps rows of one height in body, inside box, which scrolls.
	//   height  of a row in pixels
	//   make()  returns a new row, an element
	//   fill(row, i)  makes it show number i
	//   spacer  name of the elements that stand for the rows out of view
	// The list that is returned has count, to be set before draw is called; with all set it draws
	// the rows out of view, too.
	weft.list = ({box, body, height, make, fill, spacer}) => {
		const above = el(spacer), below = el(spacer), pool = [];
		above.setAttribute('aria-hidden', 'true');
		below.setAttribute('aria-hidden', 'true');
		body.append(above, below);
		const list = {count: 0};
		const inView = () => Math.ceil((box.clientHeight || 600) / height) + 1;
		const total = () => Math.min(tallest, list.count * height);
		// firstAt is the row at the top when the box is scrolled to y.
		const firstAt = y => {
			if (list.count * height <= tallest) return Math.floor(y / height);
			const most = Math.max(1, tallest - box.clientHeight);
			return Math.round(Math.min(1, y / most) * Math.max(0, list.count - inView() + 2));
		};
		list.draw = () => {
			const few = list.all ? Math.min(list.count, 20000) : Math.min(list.count, inView() + 20);
			const exact = list.count * height <= tallest, top = firstAt(box.scrollTop);
			const first = Math.max(0, Math.min(top - (exact ? 10 : 0), list.count - few));
			while (pool.length < few) { const row = make(); pool.push(row); below.before(row); }
			while (pool.length > few) pool.pop().remove();
			pool.forEach((row, k) => fill(row, first + k));
			const up = exact ? first * height : Math.min(box.scrollTop, total() - few * height);
			above.style.height = up + 'px';
			below.style.height = Math.max(0, total() - up - few * height) + 'px';
		};
		// clear forgets the rows that were made.
		list.clear = () => { for (const row of pool.splice(0)) row.remove(); };
		// reveal scrolls until row i is in view, not at its edge if centre is set.
		list.reveal = (i, centre) => {
			const room = box.clientHeight, head = list.head || 0, y = box.scrollTop;
			if (list.count * height > tallest) {
				const most = tallest - room, from = firstAt(y);
				if (i < from || i > from + inView() - 4) box.scrollTop = i / Math.max(1, list.count - inView() + 2) * most;
			} else if (i * height < y || (i + 1) * height > y + room - head) {
				box.scrollTop = centre ? i * height - room / 2 : i * height < y ? i * height : (i + 1) * height - room + head;
			}
			list.draw();
		};
		box.addEventListener('scroll', later(list.draw));
		new ResizeObserver(later(() => box.clientHeight && list.draw())).observe(box);
		return list;
	};
}
