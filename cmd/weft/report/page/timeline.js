// timeline.js draws when each step ran: a row per lane, and around it the critical path.
{
	const {byID, el, state, steps: S} = weft;
	const lane = 24, axis = 26, margin = 64; // pixels
	let lanes, view, legend, list, critical, stale, wall, span = [0, 1], top = 0, width = 1, height = 1, version;

	const x = t => margin + (t - span[0]) / (span[1] - span[0]) * (width - margin - 8);
	const timeAt = px => span[0] + (px - margin) / (width - margin - 8) * (span[1] - span[0]);
	const show = (a, b) => {
		const length = Math.min(wall, Math.max(b - a, wall / 1e6, 1e-3));
		a = Math.max(0, Math.min(a, wall - length));
		weft.go({span: a <= 0 && length >= wall ? '' : Math.round(a * 1000) / 1000 + '-' + Math.round((a + length) * 1000) / 1000});
	};
	const zoom = (by, px) => {
		const t = timeAt(Math.max(margin, px));
		show(t - (t - span[0]) / by, t + (span[1] - t) / by);
	};
	const pan = (dx, dy) => {
		const most = Math.max(0, lanes.n * lane + axis - height);
		top = Math.max(0, Math.min(most, top - dy));
		const by = dx / (width - margin - 8) * (span[1] - span[0]);
		if (by) show(span[0] - by, span[1] - by); else view.again();
	};

	// ticks are the times of the axis: at most one each 90 pixels, of 1, 2 or 5 times a power of ten.
	const ticks = () => {
		const least = (span[1] - span[0]) * 90 / Math.max(90, width - margin), power = 10 ** Math.floor(Math.log10(least));
		const step = [1, 2, 5, 10].map(k => k * power).find(k => k >= least), all = [];
		for (let t = Math.ceil(span[0] / step) * step; t <= span[1]; t += step) all.push(t);
		return all;
	};

	const paint = (pen, w, h) => {
		width = w;
		height = h;
		top = Math.max(0, Math.min(top, lanes.n * lane + axis - h));
		const [from, to] = state.span.split('-').map(Number);
		span = to > from && from >= 0 ? [from, to] : [0, wall];
		const shades = weft.outcomes.map(o => weft.shade(pen, o)), colours = weft.palette(), ink = colours.fg, faint = colours.line;
		pen.save();
		pen.beginPath();
		pen.rect(0, axis, w, h - axis);
		pen.clip();
		pen.strokeStyle = faint;
		for (const t of ticks()) line(pen, x(t), axis, x(t), h);
		const labels = [], ends = new Float64Array(lanes.n).fill(-1e9); // the pixel up to which a lane is painted
		for (const [i, a, b, l] of lanes.pieces) {
			const y = axis + l * lane - top + 2, left = Math.max(x(a), margin - 2), right = Math.max(left + 1.5, Math.min(x(b), w));
			if (b < span[0] || a > span[1] || y < axis - lane || y > h) continue;
			if (right <= ends[l] && i !== state.row) continue; // narrower than a pixel, and one is there
			ends[l] = right;
			pen.globalAlpha = weft.isShown[i] ? 1 : 0.2;
			pen.fillStyle = shades[S.state[i]];
			pen.fillRect(left, y, right - left, lane - 4);
			if (critical.has(i)) outline(pen, left, y, right - left, colours.critical, 2);
			if (i === state.row) outline(pen, left, y, right - left, ink, 3);
			if (right - left > 36) labels.push([i, left, right - left, y]);
		}
		for (const [i, left, room, y] of labels) {
			const text = weft.fit(pen, weft.stepName(i), room - 14);
			pen.globalAlpha = weft.isShown[i] ? 1 : 0.3;
			pen.fillStyle = colours.bg;
			if (text) pen.fillRect(left + 4, y + 3, pen.measureText(text).width + 6, lane - 10);
			pen.fillStyle = ink;
			pen.fillText(text, left + 7, y + lane / 2 - 1.5);
		}
		pen.globalAlpha = 1;
		pen.fillStyle = colours.bg;
		pen.fillRect(0, axis, margin - 2, h);
		pen.fillStyle = colours.muted;
		for (let l = Math.floor(top / lane); l < lanes.n && axis + l * lane - top < h; l++)
			pen.fillText(l < lanes.slots ? 'slot ' + (l + 1) : 'service', 6, axis + l * lane - top + lane / 2);
		pen.restore();
		pen.fillStyle = colours.muted;
		for (const t of ticks()) pen.fillText(weft.duration(t * weft.run.unit), Math.min(x(t) + 3, w - 40), axis / 2);
		pen.strokeStyle = faint;
		line(pen, 0, axis - 0.5, w, axis - 0.5);
	};
	const line = (pen, a, b, c, d) => { pen.beginPath(); pen.moveTo(a, b); pen.lineTo(c, d); pen.stroke(); };
	const outline = (pen, a, y, w, ink, thick) => { pen.strokeStyle = ink; pen.lineWidth = thick; pen.strokeRect(a, y, w, lane - 4); pen.lineWidth = 1; };

	const at = (px, py) => {
		if (py < axis || px < margin) return;
		const l = Math.floor((py - axis + top) / lane);
		let best, distance = 4;
		for (const piece of lanes.pieces) {
			const d = piece[3] !== l ? 9 : Math.max(x(piece[1]) - px, px - x(piece[2]), 0);
			if (d < distance) { best = piece; distance = d; }
		}
		if (!best) return;
		const i = best[0];
		return {row: i, text: weft.stepName(i) + '\n' + weft.result(i) + ', ' + weft.duration(weft.took(i)) + ', from ' + weft.duration(S.start[i] * weft.run.unit) + '\n' + weft.place(i)};
	};

	// path lists the pieces of the critical path, with their shares of the whole.
	const path = () => {
		const list = el('ol'), pieces = weft.run.critical || [], end = pieces.at(-1), whole = end ? end[2] + end[3] : wall;
		for (const [i, why, , time] of pieces.slice(0, 200)) {
			const item = el('li', {}, i < 0 ? 'weft' : weft.button(weft.stepName(i), () => weft.go({step: i})));
			item.append(' ' + (weft.text(why) && weft.text(why) + ' ') + weft.duration(time * weft.run.unit) + ', ' + Math.round(time / whole * 100) + ' %');
			list.append(item);
		}
		if (pieces.length > 200) list.append(el('li', {textContent: 'and ' + weft.count(pieces.length - 200, 'more piece')}));
		return el('details', {className: 'critical', open: pieces.length < 30}, el('summary', {textContent: 'Critical path: ' + weft.count(pieces.length, 'piece') + ', ' + weft.duration(whole * weft.run.unit)}), list);
	};

	const fresh = () => {
		if (version === weft.version) return;
		version = weft.version;
		stale = true;
		wall = Math.max(weft.run.wall, 1);
		lanes = weft.lanes();
		critical = new Set((weft.run.critical || []).map(p => p[0]));
	};
	weft.views.timeline = {
		draw() {
			fresh();
			if (!view) {
				view = weft.canvas({name: 'timeline', paint, at, zoom, pan, all: () => { top = 0; weft.go({span: ''}); },
					summary: () => 'Timeline: ' + weft.count(S.n, 'step') + ' in ' + weft.count(lanes.n, 'lane') + ', ' + weft.duration(wall * weft.run.unit) + '. The table has the same.'});
				byID('timeline').append(legend = weft.legend(), list = path());
				this.keys = view.keys;
			} else if (stale) {
				const more = path();
				more.open = list.open;
				if (more.textContent !== list.textContent) list.replaceWith(list = more);
				legend.replaceWith(legend = weft.legend());
			}
			stale = false;
			view.draw();
		},
		// reveal brings a step into view.
		reveal(i) {
			const piece = lanes.pieces.find(p => p[0] === i);
			if (!piece) return;
			const y = piece[3] * lane;
			if (y < top || y + lane > top + height - axis) top = Math.max(0, y - height / 2);
			const length = span[1] - span[0];
			if (piece[2] < span[0] || piece[1] > span[1]) show(piece[1] - length / 3, piece[1] + length * 2 / 3); else view.draw();
		},
	};
}
