// table.js is the table of steps: sorted by any column, filtered, and totals of what is shown.
{
	const {byID, el, state, steps: S} = weft;
	const delta = i => S.before[i] > 0 && S.time[i] >= 0 ? S.time[i] / S.before[i] : -1;
	// Columns: key, heading, what a cell says, what it is sorted by (numbers: the most first).
	const columns = [
		['step', 'step', i => weft.stepName(i), i => weft.stepName(i), true],
		['result', 'result', i => weft.result(i), i => [0, 1, 2, 3, -1, 5, 4, 6, 7][S.state[i]], true],
		['time', 'time', i => weft.duration(weft.took(i)), i => S.time[i]],
		['queued', 'queued', i => S.wait[i] ? weft.duration(S.wait[i] * weft.run.unit) : '–', i => S.wait[i]],
		['cpu', 'cpu', i => S.cpu[i] ? weft.duration(S.cpu[i] * weft.run.unit) : '–', i => S.cpu[i]],
		['rss', 'max rss', i => weft.bytes(S.rss[i] * weft.memory), i => S.rss[i]],
		['cached', 'cached', i => cached(i), i => S.outcome[i] === 2 ? 1 : S.outcome[i] === 3 ? 2 : 0],
		['before', 'before', i => before(i), i => S.before[i]],
		['delta', 'Δ', i => weft.percent(S.time[i], S.before[i]), delta],
		['needs', 'needs', i => String(S.needs[i].length), i => S.needs[i].length],
		['place', 'at', i => weft.place(i), i => weft.place(i), true],
	];
	const cached = i => S.outcome[i] === 2 ? 'up to date' : S.outcome[i] === 3 ? weft.text(S.place[i]) || 'yes' : '–';
	const before = i => {
		if (!S.was[i]) return 'new';
		return S.was[i] !== S.outcome[i] && S.was[i] !== 1 ? weft.outcomes[S.was[i]] : weft.duration(S.before[i] * weft.run.unit);
	};
	const isSlower = i => S.before[i] > 0 && S.time[i] > S.before[i] * 1.2 && (S.time[i] - S.before[i]) * weft.run.unit > 1e5;

	let shownColumns, list, table, foot, last = '', version, said, compared;

	// filter makes weft.shown the rows that are to be shown, in their order.
	weft.filter = () => {
		const {q, outcome, task, slower, sort} = state, key = [q, outcome, task, slower, sort, S.n, weft.version].join('\n');
		if (key === last) return;
		last = key;
		if (version !== weft.version) {
			version = weft.version;
			build();
			choices();
		}
		const words = q.toLowerCase().split(/\s+/).filter(Boolean), o = outcome ? weft.outcomes.indexOf(outcome) : -1;
		const shown = [];
		for (let i = 0; i < S.n; i++) {
			if (o >= 0 && S.state[i] !== o || task && weft.text(S.task[i]) !== task || slower && !isSlower(i)) continue;
			if (words.length && !words.every(w => weft.hay(i).includes(w))) continue;
			shown.push(i);
		}
		const down = sort.startsWith('-'), by = columns.find(c => c[0] === sort.replace('-', ''));
		if (by) {
			const value = new Array(S.n), way = down ? -1 : 1;
			for (const i of shown) value[i] = by[3](i);
			shown.sort((a, b) => (value[a] < value[b] ? -way : value[a] > value[b] ? way : a - b));
		}
		weft.shown = shown;
		weft.isShown = new Uint8Array(S.n);
		for (const i of shown) weft.isShown[i] = 1;
		const now = shown.length === S.n ? weft.count(S.n, 'step') : shown.length.toLocaleString('en') + ' of ' + weft.count(S.n, 'step');
		if (now !== said) weft.say(said = now); // else what was said since then stays
		total();
	};

	const total = () => {
		let time = 0, cpu = 0, rss = 0;
		for (const i of weft.shown) {
			time += Math.max(0, S.time[i]);
			cpu += S.cpu[i];
			rss = Math.max(rss, S.rss[i]);
		}
		const says = {step: weft.count(weft.shown.length, 'step'), time: weft.duration(time * weft.run.unit), cpu: weft.duration(cpu * weft.run.unit), rss: weft.bytes(rss * weft.memory)};
		shownColumns.forEach((c, k) => foot.cells[k].textContent = says[c[0]] || '');
	};

	// sortBy sorts by a column; once more turns the order round, and a third time undoes it.
	const sortBy = (key, texts) => {
		const ways = texts ? [key, '-' + key, ''] : ['-' + key, key, ''];
		weft.go({sort: ways[(ways.indexOf(state.sort) + 1) % 3]});
		byID('rows').scrollTop = 0;
	};

	const make = () => {
		const row = el('tr');
		shownColumns.forEach(c => row.append(el(c[0] === 'step' ? 'th' : 'td', {className: c[0]})));
		row.cells[0].scope = 'row';
		row.cells[0].append(el('span', {className: 'mark'}), weft.button('', () => {}));
		row.cells[0].firstChild.setAttribute('aria-hidden', 'true');
		row.onclick = () => getSelection().isCollapsed && weft.go({step: row.step});
		return row;
	};
	const fill = (row, k) => {
		const i = weft.shown[k];
		row.step = i;
		row.dataset.state = weft.outcomes[S.state[i]];
		row.setAttribute('aria-rowindex', k + 2);
		if (i === state.row) row.setAttribute('aria-current', 'true');
		else row.removeAttribute('aria-current');
		row.cells[0].firstChild.textContent = weft.marks[S.state[i]];
		row.cells[0].lastChild.textContent = row.cells[0].title = weft.stepName(i);
		for (let c = 1; c < shownColumns.length; c++) row.cells[c].textContent = shownColumns[c][2](i);
	};

	// build makes the head and the foot, for the columns that there are.
	const build = () => {
		const now = Boolean(weft.run.compared);
		if (now === compared) return;
		compared = now;
		const without = weft.run.plan ? ['result', 'time', 'queued', 'cpu', 'rss', 'cached', 'before', 'delta'] :
			compared ? ['needs', 'place'] : ['before', 'delta', 'needs', 'place'];
		shownColumns = columns.filter(c => !without.includes(c[0]));
		const head = el('tr'), widths = table.querySelector('colgroup');
		widths.textContent = '';
		for (const [key, heading, , , texts] of shownColumns) {
			const th = el('th', {scope: 'col', className: key}, weft.button(heading, () => sortBy(key, texts)));
			if (key === 'delta') th.firstChild.setAttribute('aria-label', 'difference');
			head.append(th);
			widths.append(el('col', {className: (texts ? '' : 'number ') + key}));
		}
		foot = el('tr', {}, ...shownColumns.map(c => el('td', {className: c[0]})));
		table.tHead.replaceChildren(head);
		table.tFoot.replaceChildren(foot);
		list.clear();
		byID('slower-label').hidden = !compared;
	};

	// choices fills the filters with what there is to choose.
	const choices = () => {
		const option = (value, text) => el('option', {value, textContent: text}), states = new Set(S.state);
		const fill = (id, all, values) => {
			const key = values.join('\n'), menu = byID(id);
			if (menu.dataset.key === key) return;
			menu.dataset.key = key;
			menu.replaceChildren(option('', all), ...values.map(v => option(v, v)));
			menu.value = state[id];
		};
		fill('outcome', 'all results', weft.outcomes.filter((o, k) => states.has(k)));
		fill('task', 'all tasks', [...new Set(S.task)].map(weft.text).sort().slice(0, 2000));
	};

	weft.ready.push(() => {
		const body = el('tbody');
		table = el('table', {id: 'steps'}, el('caption', {className: 'sr', textContent: 'Steps of the run'}), el('colgroup'), el('thead'), body, el('tfoot'));
		byID('rows').append(table);
		list = weft.list({box: byID('rows'), body, height: 28, make, fill, spacer: 'tr'});
		list.head = 56;
		byID('outcome').closest('label').hidden = weft.run.plan;
	});

	weft.views.table = {
		draw() {
			list.count = weft.shown.length;
			table.setAttribute('aria-rowcount', list.count + 2);
			const key = state.sort.replace('-', '');
			shownColumns.forEach((c, k) => {
				const th = table.tHead.rows[0].cells[k];
				if (c[0] === key) th.setAttribute('aria-sort', state.sort === key ? 'ascending' : 'descending');
				else th.removeAttribute('aria-sort');
			});
			list.draw();
		},
		// print draws all rows, which are printed whatever view is shown, or the usual ones again.
		print(all) { list.all = all; this.draw(); },
		reveal: i => list.reveal(weft.shown.indexOf(i)),
	};
}
