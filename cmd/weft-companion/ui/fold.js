// fold.js makes the columns of the page from the events of the run, one after the other, as package
// model does in weft. Times are in microseconds.
{
	const {steps: S, cmds: C, rows, flag} = weft;
	const kinds = {succeeded: 0, ready: 1, started: 2, ended: 3, together: 4}, called = 5;
	let numbers, count; // of texts
	let begun = 0, last = 0, heard = 0; // when the run began, its last event, when that came (by the clock of the page)
	let open = 0; // runs that have begun and not finished
	let more = []; // what is known of a step beside its columns, by row
	let growing = new Set(); // rows of which a time grows as long as nothing happens
	const run = {changes: 0, finished: false, failed: false, error: '', counts: {}, tasks: [], watched: null, lasting: false};

	const micros = text => {
		const dot = text.indexOf('.');
		if (dot < 0) return Date.parse(text) * 1e3;
		return Date.parse(text.slice(0, dot) + 'Z') * 1e3 + Number(text.slice(dot + 1, -1).padEnd(6, '0').slice(0, 6));
	};
	const seconds = s => Math.round((s || 0) * 1e6);

	// number is the number of a text, which is shown on one line or as it is.
	const number = text => {
		let n = numbers.get(text);
		if (n === undefined) {
			n = count++;
			numbers.set(text, n);
			weft.add({steps: {n: 0}, texts: [text]});
		}
		return n;
	};
	const line = text => text ? number(weft.printable(text)) : 0;
	const lines = text => text ? number(text.replace(/\r\n/g, '\n').split('\n').map(weft.printable).join('\n')) : 0;

	// at is the time of an event. A clock that was set back does not make it come before its run.
	const at = e => {
		const t = Math.max(begun, micros(e.time));
		last = Math.max(last, t);
		heard = performance.now();
		return t;
	};

	const add = id => {
		weft.add({steps: {n: 1, id: [id], time: [-1]}});
		more.push({needs: [], commands: [], start: 0, settled: 0, planned: 0, ready: 0, caller: 0, written: 0, queued: 0, reason: ''});
		return more.length - 1;
	};
	const row = id => rows.get(id) ?? add(id);

	// begin forgets the run before, but what goes on.
	const begin = () => {
		const kept = [];
		more.forEach((m, i) => { if (m.start && !m.settled) kept.push([m, Object.fromEntries(weft.columns.map(k => [k, S[k][i]])), m.commands.map(c => [c, {bits: C.bits[c.row], attempt: C.attempt[c.row], attempts: C.attempts[c.row], code: C.code[c.row]}, weft.text(C.text[c.row]), weft.text(C.signal[c.row])])]); });
		const chosen = S.id[weft.state.row], texts = ['label', 'task', 'file', 'error', 'signal', 'place', 'print'], lists = ['reasons', 'env', 'wrote'];
		for (const [, c] of kept) {
			for (const k of texts) c[k] = weft.text(c[k]);
			for (const k of lists) c[k] = c[k].map(weft.text);
		}
		weft.reset();
		numbers = new Map();
		count = 0;
		number('');
		more = [];
		growing = new Set();
		for (const [m, c, commands] of kept) {
			const i = add(c.id);
			for (const k of texts) c[k] = number(c[k]);
			for (const k of lists) c[k] = c[k].map(number);
			for (const k of weft.columns) S[k][i] = c[k];
			Object.assign(more[i], m, {start: begun, planned: 0, queued: 0, written: 0, commands: [], edges: false, waits: undefined, away: undefined});
			S.log[i] = [];
			S.start[i] = 0;
			S.needs[i] = [];
			S.kinds[i] = [];
			S.waits[i] = [];
			S.suspended[i] = [];
			growing.add(i);
			for (const [old, values, text, signal] of commands) {
				const c = command(i, old.index, text, old.started, values.bits, values.attempt, values.attempts);
				C.code[c.row] = values.code;
				C.signal[c.row] = number(signal);
				C.start[c.row] = old.started - begun;
				c.ended = old.ended;
			}
		}
		kept.forEach(([m, c], i) => {
			for (const [id, until] of m.needs) if (rows.has(id)) edge(i, rows.get(id), kinds[until] ?? 3);
			parent(i, c.parent);
		});
		weft.state.row = rows.get(chosen) ?? -1;
	};

	// edge notes that step i needs step j, or calls it.
	const edge = (i, j, kind) => {
		if (i === j || kind === called && S.needs[i].some((r, k) => r === j && S.kinds[i][k] === called)) return;
		if (!more[i].edges) { // lists that nothing else has
			more[i].edges = true;
			S.needs[i] = [];
			S.kinds[i] = [];
		}
		S.needs[i].push(j);
		S.kinds[i].push(kind);
	};
	const parent = (i, id) => {
		S.parent[i] = id || 0;
		const caller = more[i].caller;
		if (id && caller === id && rows.has(id)) edge(rows.get(id), i, called);
	};
	const position = (i, place) => {
		const [, file, at, column] = /^(.*?)(?::(\d+)(?::(\d+))?)?$/s.exec(place || '');
		S.file[i] = line(file);
		S.line[i] = Number(at || 0);
		S.column[i] = Number(column || 0);
	};
	const names = (i, e) => {
		S.task[i] = line(e.task);
		S.label[i] = line(e.label ?? e.task);
	};
	const set = (i, name, on) => { if (on) S.flags[i] |= flag[name]; };
	const failure = e => e.error === undefined ? '' : e.shown || e.error || 'failed';

	// goOn ends what a step waits for; resume ends a suspension.
	const goOn = (i, t) => {
		const m = more[i];
		if (m.waits === undefined) return;
		S.waits[i][S.waits[i].length - 2] = Math.max(0, t - m.waits);
		m.waits = undefined;
	};
	const resume = (i, t) => {
		const m = more[i];
		if (m.away === undefined) return;
		S.suspended[i][S.suspended[i].length - 1] = Math.max(0, t - m.away);
		m.away = undefined;
	};

	// queued is how long a step could have run and did not, when it starts.
	const queued = i => {
		const m = more[i];
		if (!m.planned) return 0;
		let met = m.planned;
		for (const [id, until] of m.needs) {
			const j = rows.get(id), d = more[j];
			if (!d || until === 'together') continue;
			let when = d.settled;
			if (until === 'started' && d.start) when = d.start;
			else if ((until === 'ready' || S.flags[j] & flag.service) && d.ready) when = d.ready;
			if (when && when <= m.start) met = Math.max(met, when);
		}
		return Math.max(0, m.start - met);
	};

	const command = (i, index, text, t, bits, attempt, attempts) => {
		const m = more[i], c = {row: C.n, index, started: t, ended: 0, from: m.written};
		const values = {step: i, index, text: lines(text), start: Math.max(0, t - m.start), rest: 0, code: 0, attempt, attempts, signal: 0, bits};
		for (const name in values) C[name].push(values[name]);
		C.n++;
		m.commands.push(c);
		return c;
	};
	const end = i => more[i].settled || Math.max(last, more[i].start);

	const handlers = {
		run_started(e) {
			open++;
			if (open > 1) {
				at(e);
				run.tasks = run.tasks.concat(e.tasks || []);
				return;
			}
			begun = last = micros(e.time);
			heard = performance.now();
			begin();
			Object.assign(run, {changes: run.changes + 1, finished: false, failed: false, error: '', counts: {}, tasks: e.tasks || []});
		},
		run_finished(e) {
			at(e);
			for (const k in e.counts) run.counts[k] = (run.counts[k] || 0) + e.counts[k];
			if (e.error !== undefined && !run.failed) {
				run.failed = true;
				run.error = failure(e);
			}
			open = Math.max(0, open - 1);
			run.finished = open === 0;
			run.changes++;
		},
		watch_started(e) {
			run.watched = e.tasks || [];
			run.lasting = true;
		},
		planned(e) {
			const t = at(e);
			run.changes++;
			if (e.parent) row(e.parent);
			const fresh = [];
			for (const p of e.graph || []) {
				const i = row(p.step), m = more[i];
				if (m.planned) continue; // another plan has it, too
				names(i, p);
				position(i, p.position);
				set(i, 'alone', p.alone);
				set(i, 'service', p.service);
				Object.assign(m, {key: p.key, needs: p.needs || [], caller: e.parent || 0, planned: t});
				fresh.push(i);
			}
			for (const i of fresh) for (const [id, until] of more[i].needs) if (rows.has(id)) edge(i, rows.get(id), kinds[until] ?? 3);
		},
		waiting(e) {
			const t = at(e), i = row(e.step);
			goOn(i, t);
			more[i].waits = t;
			S.waits[i] = [...S.waits[i], 0, number(e.for)];
			growing.add(i);
		},
		step_started(e) {
			const t = at(e), i = row(e.step), m = more[i];
			goOn(i, t);
			names(i, e);
			position(i, e.position);
			set(i, 'part', e.internal || e.given_variables);
			S.reasons[i] = (e.reasons || []).map(lines);
			S.env[i] = (e.env || []).map(lines);
			if (e.key) m.key = e.key;
			m.start = t;
			S.start[i] = t - begun;
			m.queued = queued(i);
			parent(i, e.parent);
			growing.add(i);
		},
		step_checked(e) {
			at(e);
			S.reasons[row(e.step)] = (e.reasons || []).map(lines);
		},
		suspended(e) {
			const t = at(e), i = row(e.step);
			goOn(i, t);
			more[i].away = t;
			S.suspended[i] = [...S.suspended[i], t - more[i].start, 0];
		},
		resumed(e) { const t = at(e); resume(row(e.step), t); },
		ready(e) {
			const t = at(e), i = row(e.step), m = more[i];
			set(i, 'service', true);
			run.lasting = true;
			S.restarts[i] = e.restarts || 0;
			m.ready ||= t;
			m.up = true;
		},
		restarted(e) {
			at(e);
			const i = row(e.step);
			set(i, 'service', true);
			S.restarts[i] = e.restarts;
			more[i].up = false;
		},
		step_settled(e) {
			let t = at(e);
			const i = row(e.step), m = more[i];
			goOn(i, t);
			resume(i, t);
			t = Math.max(t, m.start);
			m.settled = t;
			S.cause[i] = e.cause || 0;
			names(i, e);
			parent(i, e.parent);
			set(i, 'part', e.internal);
			S.outcome[i] = Math.max(0, weft.outcomes.indexOf(e.outcome));
			S.code[i] = e.code || 0;
			S.signal[i] = line(e.signal);
			S.error[i] = lines(failure(e));
			m.reason = e.reason || e.error || '';
			S.cpu[i] = seconds(e.user_seconds) + seconds(e.system_seconds);
			S.rss[i] = Math.floor((e.max_rss || 0) / weft.memory);
			set(i, 'oom', e.oom);
			set(i, 'flaky', e.outcome === 'succeeded' && S.tried[i].length);
			set(i, 'root', e.outcome === 'failed' && !e.cause);
			S.print[i] = lines(e.fingerprint);
			S.place[i] = lines(e.place);
			S.files[i] = e.inputs?.files || 0;
			S.input[i] = e.inputs?.bytes || 0;
			S.wrote[i] = (e.wrote || []).map(lines);
			grow(i);
			growing.delete(i);
		},
		output(e) { more[row(e.step)].written += e.length || 0; },
		command_started(e) {
			const t = at(e), i = row(e.step);
			goOn(i, t);
			set(i, 'service', e.service);
			command(i, e.command, e.text, t, (e.replayed ? 1 : 0) | (e.background ? 2 : 0) | (e.relayed ? 4 : 0), e.attempt ?? 1, e.attempts ?? 1);
			if (e.dry_run) more[i].commands.at(-1).ended = t;
		},
		command_ended(e) {
			const t = at(e), i = row(e.step), c = more[i].commands.findLast(c => c.index === e.command && !c.ended);
			if (!c) return;
			c.ended = Math.max(t, c.started);
			C.rest[c.row] = end(i) - c.ended;
			C.code[c.row] = e.code || 0;
			C.signal[c.row] = line(e.signal);
		},
		attempt_failed(e) {
			at(e);
			const i = row(e.step);
			S.tried[i] = [...S.tried[i], e.attempt, e.attempts, e.code || 0, seconds(e.seconds), lines(e.error === undefined ? '' : e.reason || e.error)];
		},
		task_skipped: e => { at(e); row(e.step); },
		precondition_failed: e => { at(e); row(e.step); },
		signal_received: at,
	};

	// grow makes the times of a step what they are at the last moment that is known.
	const grow = i => {
		const m = more[i];
		if (m.waits !== undefined) S.waits[i][S.waits[i].length - 2] = Math.max(0, last - m.waits);
		if (!m.start) return;
		if (m.away !== undefined) S.suspended[i][S.suspended[i].length - 1] = Math.max(0, last - m.away);
		const until = end(i);
		S.time[i] = until - m.start;
		for (const c of m.commands) C.rest[c.row] = until - (c.ended || until);
	};

	// fold adds an event. Those of kinds that are not known say nothing here.
	weft.fold = e => { if (Object.hasOwn(handlers, e.event) && (begun || e.event === 'run_started' || e.event === 'watch_started')) handlers[e.event](e); };

	// told brings the page up to what has been folded, and now if the run goes on.
	weft.told = now => {
		if (!begun) return;
		const known = last;
		if (now && open) last += Math.round((performance.now() - heard) * 1e3);
		for (const i of growing) grow(i);
		weft.run.wall = last - begun;
		more.forEach((m, i) => { if (m.written) S.log[i] = [0, 0, m.written, 0, 0]; });
		last = known;
	};

	// queued is for derive, which computes the same from what a file has.
	weft.queued = () => more.map(m => m.queued);

	weft.folded = {run, number, more: i => more[i], begun: () => begun, goesOn: () => open > 0};
}
