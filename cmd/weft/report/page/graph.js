// graph.js draws what needs what. Large graphs are grouped by task, and a group is opened by a
// click; what a step needs, and what needs it, lights up when the step is selected.
{
	const {byID, button, state, steps: S} = weft;
	const many = 300; // steps; above, they are grouped
	const dashes = {1: [6, 3], 2: [2, 3], 3: [2, 3], 4: [8, 2], 5: [4, 4]}; // by kind of need
	let view, nodes, edges, size, nodeOf, scale = 0, ox = 0, oy = 0, fits = '', built, each, legend;

	const grouped = () => S.n > many && !(state.each && weft.run.layered);
	const open = () => new Set(state.open.split(',').filter(Boolean).map(Number));

	// build makes the nodes and edges that are to be seen.
	const build = () => {
		const key = [weft.version, state.each, state.open].join('\n');
		if (key === built) return;
		const before = nodes?.length;
		built = key;
		nodes = [];
		nodeOf = new Array(S.n); // by row
		const node = (layer, order, w, h, more) => { const it = {layer, order, w, h, in: [], ...more}; nodes.push(it); return it; };
		if (grouped()) groups(node);
		else for (let i = 0; i < S.n; i++) nodeOf[i] = node(S.layer[i], S.order[i], 170, 30, {row: i});
		edges = new Map();
		for (let i = 0; i < S.n; i++) {
			S.needs[i].forEach((j, k) => {
				const a = nodeOf[j], b = nodeOf[i];
				if (a === b) return;
				let to = edges.get(a);
				if (!to) edges.set(a, to = new Map());
				const edge = to.get(b);
				if (edge) edge.n++; else { to.set(b, {n: 1, kind: S.kinds[i][k]}); b.in.push(a); }
			});
		}
		size = weft.placeNodes(nodes.filter(it => !it.inside));
		for (const it of nodes) if (it.inside) { it.x += it.inside.x; it.y += it.inside.y; }
		if (!scale || fits && nodes.length !== before) fitAll();
	};

	// groups makes a node for each task, and for each step of those that are open.
	const groups = node => {
		const {task, layer, order} = weft.run.groups, members = new Map(task.map(t => [t, []]));
		for (let i = 0; i < S.n; i++) members.get(S.task[i]).push(i);
		task.forEach((t, g) => {
			const rows = members.get(t), counts = new Array(weft.outcomes.length).fill(0);
			for (const i of rows) counts[S.state[i]]++;
			const isOpen = open().has(g), wide = isOpen ? Math.max(1, Math.ceil(Math.sqrt(rows.length / 4))) : 1;
			const it = node(layer[g], order[g], isOpen ? Math.max(200, wide * 160 + 10) : 200, isOpen ? 34 + Math.ceil(rows.length / wide) * 30 : 44, {group: g, rows, counts, isOpen});
			rows.forEach((i, k) => {
				nodeOf[i] = isOpen ? node(0, 0, 150, 24, {row: i, inside: it, x: 10 + k % wide * 160, y: 34 + Math.floor(k / wide) * 30}) : it;
			});
		});
	};

	const fitAll = () => {
		const {clientWidth: w, clientHeight: h} = byID('graph').querySelector('.board');
		scale = Math.min(1.25, (w - 30) / size.width, (h - 30) / size.height);
		ox = (w - size.width * scale) / 2;
		oy = (h - size.height * scale) / 2;
		fits = w + ' ' + h;
	};
	const zoom = (by, x, y) => {
		const to = Math.max(0.002, Math.min(4, scale * by));
		ox = x - (x - ox) * to / scale;
		oy = y - (y - oy) * to / scale;
		scale = to;
		fits = '';
		view.again();
	};

	// reach is every step that is reached from row along next, row itself left out.
	const reach = (row, next) => {
		const seen = new Set(), stack = [row];
		while (stack.length) for (const i of next[stack.pop()]) if (!seen.has(i) && i !== row) { seen.add(i); stack.push(i); }
		return seen;
	};

	const paint = (pen, w, h) => {
		if (fits && fits !== w + ' ' + h) fitAll();
		const needs = state.row < 0 ? null : reach(state.row, S.needs), users = needs && reach(state.row, S.users);
		const colours = weft.palette();
		const side = new Map(); // of nodes that light up
		if (needs) {
			for (const i of users) side.set(nodeOf[i], 'restored');
			for (const i of needs) side.set(nodeOf[i], 'accent');
			side.set(nodeOf[state.row], 'fg');
		}
		const left = -ox / scale, upper = -oy / scale, right = left + w / scale, lower = upper + h / scale;
		pen.save();
		pen.translate(ox, oy);
		pen.scale(scale, scale);
		for (const [a, to] of edges) {
			for (const [b, {n, kind}] of to) {
				const x1 = a.x + a.w, y1 = a.y + a.h / 2, x2 = b.x, y2 = b.y + b.h / 2;
				if (Math.max(x1, x2) < left || Math.min(x1, x2) > right || Math.max(y1, y2) < upper || Math.min(y1, y2) > lower) continue;
				const on = side.has(a) && side.has(b) && (side.get(a) === side.get(b) || side.get(a) === 'fg' || side.get(b) === 'fg');
				pen.strokeStyle = on ? colours[side.get(a) === 'fg' ? side.get(b) : side.get(a)] : colours.muted;
				pen.globalAlpha = on ? 1 : needs ? 0.2 : 0.5;
				pen.lineWidth = Math.min(6, (on ? 2 : 1) * (1 + Math.log10(n))) / Math.max(scale, 0.3) ** 0.5;
				pen.setLineDash(dashes[kind] || []);
				const bend = Math.max(30, Math.abs(x2 - x1) / 2);
				pen.beginPath();
				pen.moveTo(x1, y1);
				pen.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
				pen.stroke();
			}
		}
		pen.setLineDash([]);
		for (const it of nodes) {
			if (it.x > right || it.x + it.w < left || it.y > lower || it.y + it.h < upper) continue;
			const shown = it.group === undefined ? weft.isShown[it.row] : it.rows.some(i => weft.isShown[i]);
			pen.globalAlpha = shown && (!needs || side.has(it) || it.isOpen) ? 1 : 0.4;
			drawNode(pen, it, colours, side.get(it));
		}
		pen.restore();
		pen.globalAlpha = 1;
	};

	const drawNode = (pen, it, colours, mark) => {
		const state = it.group === undefined ? weft.outcomes[S.state[it.row]] : '';
		pen.beginPath();
		pen.roundRect(it.x, it.y, it.w, it.h, 5);
		pen.fillStyle = colours.panel;
		pen.fill();
		pen.strokeStyle = mark ? colours[mark] : colours[state || 'muted'];
		pen.lineWidth = mark === 'fg' ? 3 : mark ? 2.5 : 1.5;
		pen.stroke();
		if (it.h * scale < 9 && !it.isOpen) return; // too small to be read
		pen.fillStyle = colours.fg;
		if (it.group === undefined) {
			pen.fillStyle = colours[state];
			pen.fillText(weft.marks[S.state[it.row]], it.x + 8, it.y + it.h / 2);
			pen.fillStyle = colours.fg;
			const time = weft.took(it.row) > 0 && it.w > 160 ? weft.duration(weft.took(it.row)) : '', wide = pen.measureText(time).width;
			pen.fillText(weft.fit(pen, weft.stepName(it.row), it.w - 38 - wide), it.x + 24, it.y + it.h / 2);
			pen.fillStyle = colours.muted;
			pen.fillText(time, it.x + it.w - wide - 7, it.y + it.h / 2);
			return;
		}
		const times = (it.isOpen ? '▾ ' : '▸ ') + it.rows.length.toLocaleString('en'), wide = pen.measureText(times).width;
		pen.fillText(weft.fit(pen, weft.text(weft.run.groups.task[it.group]), it.w - 24 - wide), it.x + 9, it.y + 16);
		pen.fillStyle = colours.muted;
		pen.fillText(times, it.x + it.w - wide - 9, it.y + 16);
		if (it.isOpen) return;
		let x = it.x + 9;
		it.counts.forEach((n, k) => { // a bar of outcomes
			const part = n / it.rows.length * (it.w - 18);
			pen.fillStyle = colours[weft.outcomes[k]];
			pen.fillRect(x, it.y + 30, part, 6);
			x += part;
		});
	};

	const toggle = g => {
		const set = open();
		if (!set.delete(g)) set.add(g);
		weft.go({open: [...set].sort((a, b) => a - b).join(',')});
	};
	const at = (px, py) => {
		const x = (px - ox) / scale, y = (py - oy) / scale, inside = it => x >= it.x && x <= it.x + it.w && y >= it.y && y <= it.y + it.h;
		const it = nodes.findLast(inside);
		if (!it) return;
		if (it.group === undefined) return {row: it.row, text: weft.stepName(it.row) + '\n' + weft.result(it.row) + (weft.took(it.row) < 0 ? '' : ', ' + weft.duration(weft.took(it.row))) + '\n' + weft.place(it.row)};
		const counts = it.counts.map((n, k) => n && n.toLocaleString('en') + ' ' + weft.outcomes[k]).filter(Boolean).join(', ');
		return {text: weft.text(weft.run.groups.task[it.group]) + '\n' + counts, click: () => toggle(it.group)};
	};

	// graphPlace is where the step of a row is on the canvas: its middle.
	weft.graphPlace = i => { const it = nodeOf[i]; return [(it.x + it.w / 2) * scale + ox, (it.y + it.h / 2) * scale + oy]; };

	const summary = () => 'Graph of ' + weft.count(S.n, 'step') + (grouped() ? ', grouped by task' : '') + '. The table names what each step needs in its detail.';
	weft.views.graph = {
		draw() {
			if (!view) {
				each = button('', () => { scale = 0; weft.go({each: state.each ? '' : '1'}); });
				view = weft.canvas({name: 'graph', summary, paint, at, zoom, pan: (dx, dy) => { ox += dx; oy += dy; fits = ''; view.again(); }, all: () => { fitAll(); view.again(); }, tools: [each]});
				byID('graph').append(legend = weft.legend());
				this.keys = {...view.keys, o: () => state.row >= 0 && grouped() && toggle(weft.run.groups.task.indexOf(S.task[state.row]))};
			} else legend.replaceWith(legend = weft.legend());
			each.hidden = S.n <= many || !weft.run.layered;
			each.textContent = state.each ? 'by task' : 'every step';
			build();
			view.draw();
		},
		// reveal moves a step into the middle, unless it is in view.
		reveal(i) {
			const it = nodeOf[i], {clientWidth: w, clientHeight: h} = view.board, x = it.x * scale + ox, y = it.y * scale + oy;
			if (x < 0 || y < 0 || x + it.w * scale > w || y + it.h * scale > h) {
				ox = w / 2 - (it.x + it.w / 2) * scale;
				oy = h / 2 - (it.y + it.h / 2) * scale;
			}
			view.draw();
		},
	};
}
