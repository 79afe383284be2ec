// data.js holds the run: columns of steps and commands, which grow by add.
{
	// Columns of steps. Those of delta hold differences in the file, from row to row.
	const delta = new Set(['id', 'label', 'line', 'start', 'layer', 'order']);
	const plain = ['id', 'parent', 'cause', 'label', 'task', 'file', 'line', 'column', 'outcome', 'start', 'time',
		'queued', 'cpu', 'rss', 'code', 'flags', 'error', 'signal', 'place', 'files', 'input', 'print', 'before', 'was',
		'layer', 'order', 'restarts'];
	const lists = ['needs', 'kinds', 'reasons', 'env', 'wrote', 'waits', 'suspended', 'tried', 'log'];
	const commands = ['step', 'index', 'text', 'start', 'rest', 'code', 'attempt', 'attempts', 'signal', 'bits'];
	const flag = {service: 1, alone: 2, oom: 4, flaky: 8, root: 16, part: 32};

	const steps = {n: 0}, cmds = {n: 0, time: []};
	for (const name of [...plain, ...lists]) steps[name] = [];
	for (const name of commands) cmds[name] = [];
	const rows = new Map(); // row of a step, by its number
	let texts = [];

	// numbers are the values of a column that may be absent, in which case all are 0.
	const numbers = (column, n, differences) => {
		if (!column) return new Array(n).fill(0);
		if (differences) for (let i = 1; i < n; i++) column[i] += column[i - 1];
		return column;
	};

	// add appends what was packed: steps, their commands, and the texts that they refer to by
	// number, counted over all that was added. weft.changed shows it.
	const add = d => {
		const from = steps.n;
		for (const t of d.texts || []) texts.push(t);
		const into = (to, name, column) => { for (let i = 0; i < column.length; i++) to[name].push(column[i]); };
		for (const name of plain) into(steps, name, numbers(d.steps[name], d.steps.n, delta.has(name)));
		for (const name of lists) {
			const [lengths, values] = d.steps[name] || [];
			for (let i = 0, at = 0; i < d.steps.n; i++) {
				const n = lengths ? lengths[i] : 0;
				steps[name].push(n ? values.slice(at, at + n) : none);
				at += n;
			}
		}
		for (let i = from; i < from + d.steps.n; i++) {
			rows.set(steps.id[i], i);
			if (steps.needs[i].length) steps.needs[i] = steps.needs[i].map(v => v % 2 ? i + (v % 4 === 1 ? 1 - v : v - 3) / 4 : v / 2);
		}
		steps.n += d.steps.n;
		if (!d.commands) return;
		for (const name of commands) into(cmds, name, numbers(d.commands[name], d.commands.n, name === 'step' || name === 'text'));
		cmds.n += d.commands.n;
	};
	const none = [];

	// reset forgets what was added.
	const reset = () => {
		for (const name of [...plain, ...lists]) steps[name] = [];
		for (const name of [...commands, 'time']) cmds[name] = [];
		steps.n = cmds.n = 0;
		rows.clear();
		texts = [];
	};

	// derive computes what follows from the columns: who needs a step, its commands, its state.
	const derive = () => {
		const S = steps, n = S.n;
		S.users = Array.from({length: n}, () => none);
		S.commands = Array.from({length: n}, () => none);
		const push = (lists, i, v) => lists[i] === none ? lists[i] = [v] : lists[i].push(v);
		for (let i = 0; i < n; i++) for (const need of S.needs[i]) push(S.users, need, i);
		for (let c = 0; c < cmds.n; c++) {
			const i = cmds.step[c];
			push(S.commands, i, c);
			cmds.time[c] = S.time[i] < 0 ? -1 : S.time[i] - cmds.start[c] - cmds.rest[c];
		}
		// A step was queued from the end of its last need to its start, and so much longer.
		S.wait = weft.queued?.() ?? S.queued.map((more, i) => {
			if (S.time[i] < 0) return 0;
			let met = 0;
			S.needs[i].forEach((j, k) => { if (!S.kinds[i][k] && S.time[j] >= 0) met = Math.max(met, S.start[j] + S.time[j]); });
			return Math.max(0, Math.max(0, S.start[i] - met) + more);
		});
		S.state = S.outcome.map((o, i) => o || (weft.run.plan ? 8 : S.time[i] < 0 ? 7 : 0));
		S.named = new Map(); // row of the only step with a label; −1 where there are several
		for (let i = 0; i < n; i++) S.named.set(S.label[i], S.named.has(S.label[i]) ? -1 : i);
		S.hay = new Array(n);
	};

	// text is one of the texts; 0 is none.
	const text = i => texts[i] || '';
	// hay is what a search looks at, of a step.
	const hay = i => steps.hay[i] ||= (text(steps.label[i]) + '\n' + text(steps.task[i]) + '\n' + place(i)).toLowerCase();
	const name = i => text(steps.label[i]);
	const place = i => text(steps.file[i]) && text(steps.file[i]) + ':' + steps.line[i] + ':' + steps.column[i];
	const has = (i, what) => (steps.flags[i] & flag[what]) !== 0;
	// took is the time of a step in microseconds, or −1.
	const took = i => steps.time[i] < 0 ? -1 : steps.time[i] * weft.run.unit;

	// result says how a step ended, and by what.
	const result = i => {
		const o = weft.outcomes[steps.state[i]];
		if (o !== 'failed') return has(i, 'flaky') ? o + ' at attempt ' + (steps.tried[i].length / 5 + 1) : o;
		if (steps.cause[i]) return 'failed: by another';
		if (has(i, 'oom')) return 'failed: out of memory';
		if (steps.signal[i]) return 'failed: ' + text(steps.signal[i]);
		return steps.code[i] ? 'failed: exit ' + steps.code[i] : 'failed';
	};

	// unpack is the bytes of a packed script element: base64 of gzip.
	const unpack = e => {
		const packed = atob(e.textContent.trim()), data = new Uint8Array(packed.length);
		for (let i = 0; i < data.length; i++) data[i] = packed.charCodeAt(i);
		return new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream('gzip')));
	};

	Object.assign(weft, {steps, cmds, rows, flag, columns: [...plain, ...lists], add, reset, derive, text, hay, stepName: name, place, has, took, result, unpack});
}
