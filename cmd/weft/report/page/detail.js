// detail.js is the panel of the selected step: all that is known of it.
{
	const {byID, el, button, state, steps: S, cmds: C, text} = weft;
	const kinds = ['', 'ready: ', 'started: ', 'ended: ', 'stream: ', 'calls: '];
	const span = us => weft.duration(us * weft.run.unit);
	let last = '', opened = -1, head, list;

	const link = (i, before) => button(before + weft.stepName(i), () => { weft.go({step: i}); weft.views[state.tab].reveal?.(i); });
	// some are the first of a list of elements; more tells how many are left out.
	const some = (all, make, most = 50) => {
		const list = el('ul', {}, ...all.slice(0, most).map((v, k) => el('li', {}, make(v, k))));
		if (all.length > most) list.append(el('li', {textContent: 'and ' + weft.count(all.length - most, 'more', 'more')}));
		return list;
	};
	const texts = all => all.length ? some(all, text) : '';

	const command = c => {
		const item = el('li', {}, el('code', {textContent: text(C.text[c])}));
		const said = [];
		if (C.attempts[c] > 1) said.push('attempt ' + C.attempt[c] + ' of ' + C.attempts[c]);
		if (C.time[c] >= 0) said.push((C.signal[c] ? text(C.signal[c]) : C.code[c] ? 'exit ' + C.code[c] : 'ok') + ' after ' + span(C.time[c]));
		if (C.bits[c] & 1) said.push('from the cache');
		if (C.bits[c] & 2) said.push('in the background');
		if (said.length) item.append(' ', el('span', {className: 'muted', textContent: said.join(', ')}));
		if (C.code[c] || C.signal[c]) item.className = 'failed';
		return item;
	};
	const waits = i => {
		const all = [];
		for (let k = 0; k < S.waits[i].length; k += 2) all.push(span(S.waits[i][k]) + ' for ' + text(S.waits[i][k + 1]));
		return all.join(', ');
	};
	const tries = i => {
		const all = [];
		for (let k = 0; k < S.tried[i].length; k += 5) {
			const [number, of, code, time, why] = S.tried[i].slice(k, k + 5);
			all.push('attempt ' + number + ' of ' + of + ': ' + (text(why) || 'exit ' + code) + ' after ' + span(time));
		}
		return all;
	};
	const used = i => {
		const all = [];
		if (S.cpu[i]) all.push(span(S.cpu[i]) + ' of processor');
		if (S.rss[i]) all.push(weft.bytes(S.rss[i] * weft.memory) + ' of memory');
		return all.join(', ');
	};
	const compared = i => {
		if (!weft.run.compared || weft.run.plan) return '';
		if (!S.was[i]) return 'not in ' + weft.run.compared.name;
		return weft.outcomes[S.was[i]] + (S.before[i] >= 0 ? ' after ' + span(S.before[i]) : '') + ' ' + weft.percent(S.time[i], S.before[i]);
	};

	// facts are the rows of the panel: what it is, and an element, a text, or '' for nothing.
	const facts = i => [
		['task', S.task[i] === S.label[i] ? '' : text(S.task[i])],
		['at', weft.place(i)],
		['called by', S.parent[i] && !S.users[i].includes(weft.rows.get(S.parent[i])) && weft.rows.has(S.parent[i]) ? link(weft.rows.get(S.parent[i]), '') : ''],
		['because of', S.cause[i] && weft.rows.has(S.cause[i]) ? link(weft.rows.get(S.cause[i]), '') : ''],
		['error', text(S.error[i])],
		['attempts', S.tried[i].length ? some(tries(i), t => t) : ''],
		['time', S.time[i] < 0 ? '' : weft.duration(weft.took(i)) + ', from ' + span(S.start[i]) + ' to ' + span(S.start[i] + S.time[i])],
		['waited', waits(i)],
		['before', compared(i)],
		['used', used(i)],
		['restarts', S.restarts[i] ? String(S.restarts[i]) : ''],
		['commands', S.commands[i].length ? el('ol', {}, ...S.commands[i].slice(0, 100).map(command)) : ''],
		['why it ran', texts(S.reasons[i])],
		['variables', texts(S.env[i])],
		['inputs', S.files[i] ? weft.count(S.files[i], 'file') + ', ' + weft.bytes(S.input[i]) : ''],
		['fingerprint', text(S.print[i])],
		['wrote', texts(S.wrote[i])],
		['needs', S.needs[i].length ? some(S.needs[i], (j, k) => link(j, kinds[S.kinds[i][k]])) : ''],
		['needed by', S.users[i].length ? some(S.users[i], j => link(j, '')) : ''],
	];

	// fill puts the facts into the list; what has not changed stays, with the focus in it.
	const fill = i => {
		const all = facts(i).filter(([, value]) => value), terms = all.map(([name]) => el('dt', {textContent: name, id: name === 'why it ran' ? 'why' : ''}));
		const values = all.map(([, value]) => el('dd', {}, value)), old = [...list.querySelectorAll(':scope > dt')];
		if (terms.map(e => e.textContent).join() !== old.map(e => e.textContent).join()) list.replaceChildren(...terms.flatMap((e, k) => [e, values[k]]));
		else old.forEach((e, k) => e.nextSibling.textContent === values[k].textContent || e.nextSibling.replaceWith(values[k]));
		head.replaceChildren(el('span', {className: weft.outcomes[S.state[i]], textContent: weft.marks[S.state[i]] + ' '}), weft.stepName(i));
		head.nextSibling.textContent = weft.result(i);
	};

	weft.detail = () => {
		const panel = byID('detail'), i = state.row, id = i < 0 ? -1 : S.id[i], key = id + '\n' + weft.version;
		if (key === last) return;
		last = key;
		panel.hidden = i < 0;
		byID('app').classList.toggle('with-detail', i >= 0);
		if (id !== opened) {
			opened = id;
			panel.textContent = '';
			if (i < 0) return;
			const acts = el('p', {className: 'acts'});
			if (!weft.run.plan) acts.append(button('log', () => weft.go({tab: 'log'})), ' ');
			acts.append(weft.copyCommand(i));
			head = el('h2');
			list = el('dl');
			panel.append(button('×', () => weft.go({step: -1}), 'close'), head, el('p', {className: 'muted'}), acts, weft.stepActs?.(i) ?? '', list);
			panel.scrollTop = 0;
		}
		if (i >= 0) fill(i);
	};
}
