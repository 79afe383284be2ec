// live.js feeds the page by the run while it goes on. The token comes in the fragment, which no
// server sees, and stays in this tab.
{
	const {byID, el, steps: S, rows, folded} = weft, {run} = folded;
	const fragment = new URLSearchParams(location.hash.slice(1)), given = fragment.get('k');
	if (given) {
		sessionStorage.setItem('weft', given);
		fragment.delete('k');
		history.replaceState(null, '', '#' + fragment);
	}
	const token = given || sessionStorage.getItem('weft') || '';
	const page = crypto.randomUUID().replaceAll('-', ''); // it is waited for at the end
	const silence = 30e3; // milliseconds without a word of the server after which the page asks again
	const note = el('span', {id: 'live', role: 'status', textContent: 'live'});
	const sleep = ms => new Promise(done => setTimeout(done, ms));
	const told = text => { if (note.textContent !== text) note.textContent = text; };

	// ask sends a request. The status of the error says what the server thinks of it, if there is one.
	weft.ask = async (path, options) => {
		const answer = await fetch(path, {...options, headers: {Authorization: 'Bearer ' + token}});
		if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim() || answer.statusText), {status: answer.status});
		return answer;
	};
	const {ask} = weft;
	weft.over = false; // nothing can be asked for any more

	// shape is what the page does not compute itself: the facts of the run, the places of the graph,
	// the critical path, the run to compare with.
	let shaped = {}, next = 0, unnumbered = 0;
	const shape = async () => {
		const began = performance.now(), now = {of: folded.begun(), changes: run.changes};
		const d = await (await ask('/graph')).json();
		next = performance.now() + Math.max(1000, 5 * (performance.now() - began));
		if (d.run.started !== Math.floor(now.of / 1e3) || now.of !== folded.begun()) return; // of another batch
		shaped = now;
		unnumbered = d.run.number ? 0 : unnumbered + 1;
		const text = n => folded.number(d.texts[n]), {wall} = weft.run;
		const {compared, critical, groups} = d.run;
		for (const name of ['layer', 'order']) d.steps[name]?.forEach((v, k, all) => k && (all[k] += all[k - 1])); // they are differences
		(d.steps.id || []).forEach((id, k) => {
			const i = rows.get(id);
			if (i !== undefined) for (const name of ['layer', 'order', 'was', 'before']) S[name][i] = d.steps[name]?.[k] ?? 0;
		});
		if (compared) compared.gone = compared.gone.map(([label, ...rest]) => [text(label), ...rest]);
		weft.run = {...d.run, wall, critical: critical.map(([id, why, ...rest]) => [id < 0 ? -1 : rows.get(d.steps.id[id]) ?? -1, text(why), ...rest]), groups: {...groups, task: groups.task.map(text)}};
	};
	// grouped adds the tasks of steps that have no place in the graph of tasks yet.
	const grouped = () => {
		const {task, layer, order} = weft.run.groups, known = new Set(task);
		for (const t of S.task) if (!known.has(t)) {
			known.add(t);
			order.push(task.length);
			layer.push(0);
			task.push(t);
		}
	};
	// reshape asks for the shape if it has changed and is to be seen.
	let shaping = false;
	const reshape = async () => {
		const {tab} = weft.state, changed = shaped.of !== folded.begun() || run.changes !== shaped.changes && (weft.run.compared || tab === 'graph' || tab === 'timeline' || !folded.goesOn());
		const wanted = changed || tab === 'timeline' && folded.goesOn() || !weft.run.number && unnumbered < 4;
		if (shaping || weft.over || !folded.begun() || !wanted || performance.now() < next) return;
		shaping = true;
		try {
			await shape();
			soon();
		} catch {
			next = performance.now() + 1000; // the stream of events tells of what is wrong
		}
		shaping = false;
	};

	// head shows what stands above the table, and the failures, which a file has as HTML.
	let failed = '';
	const head = () => {
		document.title = document.querySelector('h1').textContent = 'weft ' + (run.tasks.map(weft.printable).join(' ') || 'default');
		const counts = new Array(weft.outcomes.length).fill(0);
		for (const o of S.outcome) counts[o]++;
		const result = folded.goesOn() ? 'running' : run.finished ? run.failed ? 'failed' : 'succeeded' : 'not begun';
		const words = [result, weft.duration(weft.run.wall)];
		for (let o = 1; o < 7; o++) {
			const n = run.finished ? run.counts[weft.outcomes[o]] : counts[o];
			if (n) words.push(n + ' ' + weft.outcomes[o]);
		}
		byID('summary').textContent = words.join(' · ');
		const all = [];
		for (let i = 0; i < S.n; i++) if (weft.has(i, 'root')) all.push(i);
		const key = all.map(i => S.id[i]).join() + run.error;
		if (key === failed) return;
		failed = key;
		byID('failures')?.remove();
		const items = all.slice(0, 50).map(i => {
			const item = el('li', {}, el('p', {}, el('strong', {className: 'failed', textContent: '✗ ' + weft.stepName(i)}), ' ' + failure(i)));
			item.dataset.step = S.id[i];
			return item;
		});
		if (all.length > 50) items.push(el('li', {}, el('p', {textContent: 'and ' + (all.length - 50) + ' more'})));
		if (!items.length && run.error) items.push(el('li', {}, el('p', {textContent: weft.printable(run.error)})));
		if (!items.length) return;
		document.querySelector('main').prepend(el('section', {id: 'failures', tabIndex: 0, ariaLabel: 'Failures'}, el('ul', {}, ...items)));
		weft.failures();
	};
	const failure = i => {
		const words = [weft.printable(folded.more(i).reason) || weft.result(i)];
		if (weft.has(i, 'oom')) words.push(', probably out of memory');
		if (S.time[i] >= 0) words.push(' after ' + weft.duration(weft.took(i)));
		const n = S.tried[i].length;
		if (n) words.push(', attempt ' + (n / 5 + 1) + ' of ' + S.tried[i][n - 4]);
		return words.join('');
	};

	// A service that is up says so.
	const {result} = weft;
	weft.result = i => S.state[i] === 0 && folded.more(i)?.up ? 'ready' : result(i);

	// show draws what has been folded. Drawing takes at most a fifth of the time, and none while
	// nobody can see it.
	let waits = false, free = 0;
	const show = () => {
		waits = false;
		if (document.hidden && !weft.over) return;
		const began = performance.now();
		weft.told(!weft.over);
		grouped();
		head();
		weft.changed();
		if (weft.state.step && weft.state.row < 0 && weft.locate() >= 0) weft.draw(); // it has come
		free = performance.now() + Math.max(40, 4 * (performance.now() - began));
		reshape();
	};
	const soon = () => {
		if (waits) return;
		waits = true;
		setTimeout(show, Math.max(0, free - performance.now()));
	};

	// lines calls f with each line of a body as it comes, and again() when some have come.
	const lines = async (body, stop, f, again) => {
		const reader = body.pipeThrough(new TextDecoderStream()).getReader();
		let pieces = []; // of a line that has not ended
		for (;;) {
			const quiet = setTimeout(stop, silence);
			const {value, done} = await reader.read().finally(() => clearTimeout(quiet));
			if (done) return;
			if (!value.includes('\n')) { pieces.push(value); continue; }
			const all = (pieces.join('') + value).split('\n');
			pieces = [all.pop()];
			for (const text of all) if (text) f(text);
			again();
		}
	};

	// read folds the events from the line on where the page is, to the end of the run, or with now those
	// that there are; again() is called when some have come.
	let from = 0;
	const read = async (now, again) => {
		const cut = new AbortController();
		const answer = await ask('/events?page=' + page + '&from=' + from + (now ? '&wait=0' : ''), {signal: cut.signal});
		told('live');
		await lines(answer.body, () => cut.abort(), text => { folded.lines = ++from; weft.fold(JSON.parse(text)); }, again);
	};

	// patiently reads again until nothing is lost: when the connection is, as when the computer sleeps,
	// it goes on from the line where it was.
	const patiently = async (now, again) => {
		for (let pause = 250;;) {
			const before = from;
			try {
				return await read(now, again);
			} catch (e) {
				if (e.status) throw e;
				told('weft is not reached; this is what is known. Trying again …');
				soon();
				if (from > before) pause = 250;
				await sleep(pause);
				pause = Math.min(5000, 2 * pause);
			}
		}
	};

	// follow folds all events to the end of the run. A browser opens at most six connections to a
	// server, and one that waits for events is not free for anything else. So of all tabs that show
	// this run only the one that has the lock waits: it tells the others how many lines there are, and
	// they read those that they do not have. When it is closed, another one gets the lock.
	const follow = async () => {
		if (!navigator.locks) return patiently(false, soon);
		const name = 'weft ' + token, others = new BroadcastChannel(name), asked = new AbortController();
		let there = 0, look = true, over = false, leads = false, wake = () => {};
		others.onmessage = ({data}) => {
			there = Math.max(there, data.lines);
			over ||= data.over;
			wake();
		};
		const followed = (async () => {
			while (!leads && !(over && from >= there)) {
				if (look || from < there) {
					look = false;
					await patiently(true, soon);
					continue;
				}
				let quiet;
				await new Promise(go => {
					wake = go;
					quiet = setTimeout(() => { look = true; go(); }, silence); // who leads says nothing any more
				});
				clearTimeout(quiet);
			}
		})();
		const led = navigator.locks.request(name, {signal: asked.signal}, async () => {
			leads = true;
			wake();
			await followed;
			if (over && from >= there) return;
			await patiently(false, () => { others.postMessage({lines: from}); soon(); });
			others.postMessage({lines: from, over: true});
		});
		led.catch(() => {}); // of what is not asked for any more
		try {
			await Promise.race([led, followed.then(() => leads ? led : undefined)]);
		} finally {
			asked.abort();
			others.close();
		}
	};

	// A tab that is closed is not waited for at the end.
	addEventListener('pagehide', () => weft.over || ask('/logs?page=' + page, {keepalive: true}).catch(() => {}));

	weft.first = async () => {
		try {
			const d = await (await ask('/graph')).json();
			return {run: {...d.run, wall: 0, critical: [], compared: undefined, groups: {task: [], layer: [], order: []}}, steps: {n: 0}, texts: ['']};
		} catch (e) {
			byID('summary').textContent = e.message;
			throw e;
		}
	};

	const start = async () => {
		try {
			await follow();
			next = 0;
			await shape().catch(() => {});
			weft.kept = await (await ask('/logs?page=' + page)).json();
			told('the run has ended; this page has all of it');
		} catch (e) {
			told(e.status === 401 ? 'another run is at this address now; this page has what it knew' : 'this page has what it knew: ' + e.message);
		}
		weft.over = true;
		show();
	};
	weft.ready.push(() => {
		byID('menus').prepend(note);
		document.addEventListener('visibilitychange', soon);
		for (const tab of document.querySelectorAll('[role=tab]')) tab.addEventListener('click', soon);
		setInterval(() => !weft.over && (folded.goesOn() || run.changes !== shaped.changes) && soon(), 1000); // times grow
		setTimeout(start);
	});

	// readLog is the log of the step in a row. The one that was read last is kept, and only what has
	// come since then is asked for; of what is more than most bytes the middle is left out.
	const most = 2 << 20, first = 256 << 10;
	let log = {};
	weft.readLog = async i => {
		const id = S.id[i], begun = folded.begun();
		const whole = async () => {
			const answer = await ask('/log?step=' + id), [at, cut] = answer.headers.get('Weft-Cut').split(' ').map(Number);
			const bytes = new Uint8Array(await answer.arrayBuffer());
			return {id, begun, bytes, at, cut, size: bytes.length + cut};
		};
		const rest = async old => {
			const answer = await ask('/log?step=' + id + '&from=' + old.size);
			if (!answer.headers.get('Weft-Cut').endsWith(' 0')) return whole();
			const more = new Uint8Array(await answer.arrayBuffer()), all = new Uint8Array(old.bytes.length + more.length);
			all.set(old.bytes);
			all.set(more, old.bytes.length);
			const size = old.size + more.length, over = all.length - most;
			if (over <= 0) return {...old, bytes: all, size};
			const at = old.cut ? old.at : first;
			all.copyWithin(at, at + over);
			return {...old, bytes: all.slice(0, most), size, at, cut: old.cut + over};
		};
		let now;
		if (weft.kept) {
			const packed = weft.kept[id];
			if (packed === undefined) return new TextEncoder().encode('not kept: the run has ended, and its logs have more than 8 MiB\n');
			const bytes = Uint8Array.from(atob(packed), c => c.charCodeAt(0)), cut = Math.max(0, folded.more(i).written - bytes.length);
			now = {bytes, at: cut ? first : 0, cut};
		} else if (weft.over) throw new Error('weft is not reached any more');
		else now = log = log.id === id && log.begun === begun ? await rest(log) : await whole();
		const marks = folded.more(i).commands.slice(0, 100).flatMap((c, k) => [k, Math.min(now.bytes.length, now.cut && c.from > now.at ? Math.max(now.at, c.from - now.cut) : c.from)]);
		S.log[i] = [0, 0, folded.more(i).written, now.at, now.cut, ...marks];
		return now.bytes;
	};
}
