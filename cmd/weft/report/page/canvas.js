// canvas.js is what the timeline and the graph have in common: a canvas that fills its box, is
// dragged, zoomed by wheel, buttons and keys, and tells what is below the pointer.
{
	const {byID, el, button, colour, later, state} = weft;

	// canvas makes the canvas of a view in its panel.
	//   name      of the panel
	//   summary() says in words what is to be seen
	//   paint(pen, width, height)
	//   at(x, y)  returns what is there: {row, text, click}, or undefined
	//   zoom(by, x, y), pan(dx, dy), all()
	weft.canvas = ({name, summary, paint, at, zoom, pan, all, tools = []}) => {
		const panel = byID(name), board = el('canvas', {tabIndex: 0}), tip = el('div', {className: 'tip', hidden: true});
		const box = el('div', {className: 'board'}, board, tip);
		const middle = by => zoom(by, board.clientWidth / 2, board.clientHeight / 2);
		board.setAttribute('role', 'img');
		board.setAttribute('aria-describedby', 'steps');
		panel.append(el('div', {className: 'tools'}, button('+', () => middle(1.5), 'zoom in'), button('−', () => middle(1 / 1.5), 'zoom out'),
			button('all', all, 'show all'), ...tools), box);

		const draw = () => {
			const width = box.clientWidth, height = box.clientHeight, dots = devicePixelRatio || 1;
			if (!width || panel.hidden) return;
			if (board.width !== Math.round(width * dots) || board.height !== Math.round(height * dots)) {
				board.width = Math.round(width * dots);
				board.height = Math.round(height * dots);
			}
			const pen = board.getContext('2d');
			pen.setTransform(dots, 0, 0, dots, 0, 0);
			pen.clearRect(0, 0, width, height);
			pen.font = '12px system-ui, sans-serif';
			pen.textBaseline = 'middle';
			paint(pen, width, height);
			board.setAttribute('aria-label', summary());
		};
		const again = later(draw);
		new ResizeObserver(again).observe(box);

		let from = null, moved = false;
		const here = e => { const r = board.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
		board.onpointerdown = e => { from = here(e); moved = false; board.setPointerCapture(e.pointerId); };
		board.onpointerup = e => {
			from = null;
			const found = !moved && at(...here(e));
			if (found) found.click ? found.click() : weft.go({step: found.row});
		};
		board.onpointercancel = () => from = null;
		board.onpointermove = e => {
			const [x, y] = here(e);
			if (from && (moved || Math.hypot(x - from[0], y - from[1]) > 4)) {
				moved = true;
				pan(x - from[0], y - from[1]);
				from = [x, y];
			}
			const found = !from && at(x, y);
			board.style.cursor = from ? 'grabbing' : found ? 'pointer' : 'grab';
			tip.hidden = !found;
			if (!found) return;
			tip.textContent = found.text;
			tip.style.left = Math.max(0, Math.min(x + 12, box.clientWidth - tip.offsetWidth - 4)) + 'px';
			tip.style.top = (y + 24 + tip.offsetHeight > box.clientHeight ? y - 8 - tip.offsetHeight : y + 18) + 'px';
		};
		board.onpointerleave = () => tip.hidden = true;
		board.addEventListener('wheel', e => {
			e.preventDefault();
			const step = e.deltaMode ? 24 : 1;
			if (e.ctrlKey || e.metaKey) zoom(Math.exp(-e.deltaY * step / 300), ...here(e));
			else pan(-e.deltaX * step, -e.deltaY * step);
		}, {passive: false});
		const keys = {'+': () => middle(1.5), '=': () => middle(1.5), '-': () => middle(1 / 1.5), 0: all,
			ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60)};
		return {draw, again, keys, board};
	};

	// shade is how an outcome is filled: a colour, and a pattern for who cannot tell colours.
	const patterns = {failed: [[0, 8, 8, 0]], cancelled: [[0, 0, 8, 8], [0, 8, 8, 0]], fresh: [[0, 4, 8, 4]], restored: [[4, 0, 4, 8]], skipped: [[0, 0, 8, 8]]};
	weft.shade = (pen, outcome) => {
		const tile = el('canvas', {width: 8, height: 8}), ink = tile.getContext('2d');
		ink.fillStyle = colour(outcome);
		ink.fillRect(0, 0, 8, 8);
		ink.strokeStyle = colour('bg');
		ink.globalAlpha = 0.45;
		ink.lineWidth = 1.5;
		for (const [a, b, c, d] of patterns[outcome] || []) {
			ink.beginPath();
			ink.moveTo(a, b);
			ink.lineTo(c, d);
			ink.stroke();
		}
		return pen.createPattern(tile, 'repeat');
	};

	// fit cuts text so that it is at most so many pixels wide.
	weft.fit = (pen, text, width) => {
		if (text.length > 300) text = text.slice(0, 300);
		if (pen.measureText(text).width <= width) return text;
		let low = 0, high = text.length;
		while (low < high) {
			const n = (low + high + 1) >> 1;
			if (pen.measureText(text.slice(0, n) + '…').width <= width) low = n; else high = n - 1;
		}
		return low > 2 ? text.slice(0, low) + '…' : '';
	};

	// legend is a line that explains the colours in use.
	weft.legend = () => {
		const line = el('p', {className: 'legend'});
		for (const k of new Set(weft.steps.state)) line.append(el('span', {className: 'key ' + weft.outcomes[k], textContent: weft.marks[k] + ' ' + weft.outcomes[k]}), ' ');
		return line;
	};
}
