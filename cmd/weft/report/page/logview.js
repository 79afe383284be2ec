// logview.js shows the log of the selected step, and searches in one or in all.
{
	const {byID, el, button, state, steps: S} = weft;
	const height = 18; // of a line, in pixels
	const longest = 4000; // characters of a line that are shown without wrapping
	let view, list, side, sideRows = [], lines = [], row = -1, marks = [], columns = 0, before = null, counts = null, asked = 0, shownLine = '', size = null;

	// open reads the log of the selected step, and shows it when it is there. One that has only grown
	// stays where it is, or at its end.
	const open = async grown => {
		row = state.row;
		size = sizeOf(row);
		const mine = ++asked;
		const atEnd = view.scrollTop + view.clientHeight >= view.scrollHeight - height;
		if (!grown) {
			message('');
			lines = [];
			list.count = 0;
		}
		if (row < 0) message('Select a step to read its log.');
		else if (weft.logs.has(row)) {
			if (!grown) message('reading…');
			try {
				const read = await weft.logs.read(row);
				if (mine !== asked) return;
				lines = read;
				message('');
			} catch (error) {
				if (mine === asked) message('The log cannot be read: ' + error.message);
			}
		} else message(S.commands[row].every(c => weft.cmds.bits[c] & 4) ? (S.time[row] >= 0 && !S.state[row] ? 'It has written nothing so far.' : 'It wrote nothing.') : 'Output was not recorded: it went to the terminal past weft. With --record it is kept.');
		before = null;
		if (!grown) {
			view.scrollTop = 0;
			shownLine = '';
		}
		search();
		show();
		const follows = grown ? atEnd : weft.readLog && row >= 0 && !S.state[row] && !state.line;
		if (follows) view.scrollTop = view.scrollHeight;
	};
	// sizeOf changes when there is more to show of a step.
	const sizeOf = i => i < 0 ? '' : S.log[i][2] + ' ' + S.commands[i].length + ' ' + S.state[i];
	const message = text => { byID('log-message').textContent = text; byID('log-message').hidden = !text; };

	// search finds the lines that contain what is searched for.
	const search = () => {
		const what = state.find.toLowerCase();
		marks = [];
		if (what) lines.forEach((line, k) => { if (!line.head && (line.lower ??= weft.logs.plain(line).toLowerCase()).includes(what)) marks.push(k); });
		byID('found').textContent = what ? weft.count(marks.length, 'line') + ' here' + (counts && !counts.done ? ', searching the others…' : '') : '';
	};

	// searchAll counts matches in the logs of all steps, one after the other.
	const searchAll = async () => {
		if (!state.all || !state.find) { counts = null; return; }
		const mine = counts = {what: state.find, by: new Map(), done: false};
		let pause = performance.now();
		for (let i = 0; i < S.n; i++) {
			if (!weft.logs.has(i)) continue;
			const n = await weft.logs.count(i, mine.what.toLowerCase()).catch(() => 0);
			if (mine !== counts) return;
			if (n) mine.by.set(i, n);
			if (performance.now() - pause > 100) { // show what is known, and let the page breathe
				fillSide();
				await new Promise(done => setTimeout(done));
				if (mine !== counts) return;
				pause = performance.now();
			}
		}
		mine.done = true;
		fillSide();
		search();
		weft.say(weft.count(mine.by.size, 'log') + ' with "' + mine.what + '"');
	};
	const fillSide = () => {
		sideRows = weft.shown.filter(i => counts ? counts.by.has(i) : weft.logs.has(i));
		side.count = sideRows.length;
		side.draw();
	};

	// width is the number of columns that text takes; wide characters take two.
	const wideOnes = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\ud83c-\ud83e][\udc00-\udfff]/g;
	const cuts = text => { // where the rows of a wrapped line begin
		const at = [0];
		if (!/[^\x00-\x7f]/.test(text)) {
			for (let k = columns; k < text.length; k += columns) at.push(k);
			return at;
		}
		let used = 0, k = 0;
		for (const c of text) {
			const w = c.match(wideOnes) ? 2 : 1;
			if (used + w > columns) { at.push(k); used = 0; }
			used += w;
			k += c.length;
		}
		return at;
	};
	const wrap = () => {
		const probe = el('span', {className: 'probe', textContent: '0'.repeat(100)});
		view.append(probe);
		const fits = Math.max(10, Math.floor((view.clientWidth - 84) / (probe.offsetWidth / 100 || 8)));
		probe.remove();
		if (before && fits === columns) return;
		columns = fits;
		before = new Uint32Array(lines.length + 1); // rows before each line
		lines.forEach((line, k) => {
			const text = weft.logs.plain(line);
			before[k + 1] = before[k] + (line.head || text.length <= columns / 2 ? 1 : cuts(text).length);
		});
	};
	const lineAt = k => { // the line that has row k
		if (!state.wrap) return k;
		let low = 0, high = lines.length - 1;
		while (low < high) { const mid = (low + high + 1) >> 1; if (before[mid] <= k) low = mid; else high = mid - 1; }
		return low;
	};

	const make = () => el('div', {className: 'line'}, el('a'), el('span'));
	const fill = (e, k) => {
		const n = lineAt(k), line = lines[n], part = state.wrap ? k - before[n] : 0, [link, text] = e.children;
		e.classList.toggle('here', line.number === Number(state.line));
		e.classList.toggle('head', Boolean(line.head));
		link.textContent = part ? '' : line.number ?? '';
		link.href = '#' + new URLSearchParams({step: state.step, tab: 'log', line: line.number});
		if (part || line.head) link.removeAttribute('href');
		link.onclick = event => { event.preventDefault(); weft.go({line: String(line.number)}); };
		text.textContent = '';
		if (line.head) { text.textContent = line.head; return; }
		let from = 0, to = longest;
		if (state.wrap) {
			const at = cuts(weft.logs.plain(line));
			from = at[part];
			to = at[part + 1] ?? Infinity;
		}
		dressed(text, line, from, to);
		const left = weft.logs.plain(line).length - longest;
		if (!state.wrap && left > 0) text.append(el('i', {textContent: ' … ' + weft.count(left, 'more character') + ', see with wrap'}));
	};
	// dressed puts a part of a line into e, with its colours, what is searched for marked.
	const dressed = (e, line, from, to) => {
		const what = state.find.toLowerCase(), found = [], lower = line.lower ?? '', paper = weft.paper();
		if (what) for (let at = lower.indexOf(what); at >= 0; at = lower.indexOf(what, at + what.length)) found.push([at, at + what.length]);
		let at = 0;
		for (const [piece, style] of weft.ansi.pieces(line.raw, line.style)) {
			const a = Math.max(from, at), b = Math.min(to, at + piece.length);
			for (let k = a; k < b;) {
				const hit = found.find(([, end]) => end > k), inside = hit && hit[0] <= k, stop = Math.min(b, hit ? inside ? hit[1] : hit[0] : b);
				const span = el(inside ? 'mark' : 'span', {textContent: piece.slice(k - at, stop - at)});
				if (!inside) weft.ansi.dress(span, style, paper);
				e.append(span);
				k = stop;
			}
			at += piece.length;
		}
	};

	// atNumber is where the line with the number of the fragment is, or −1.
	const atNumber = () => state.line ? lines.findIndex(line => line.number === Number(state.line)) : -1;

	const show = () => {
		if (state.wrap) wrap();
		view.classList.toggle('wrap', state.wrap !== '');
		list.count = lines.length && state.wrap ? before[lines.length] : lines.length;
		const line = atNumber();
		if (state.line !== shownLine && line >= 0) {
			list.draw();
			list.reveal(state.wrap ? before[line] : line, true);
		}
		shownLine = state.line;
		list.draw();
		byID('log-title').textContent = row < 0 ? '' : weft.stepName(row) + (lines.length ? ', ' + weft.count(lines[lines.length - 1].number || 0, 'line') : '');
	};
	const next = by => {
		if (!marks.length) return;
		const now = atNumber(), after = by > 0 ? marks.find(k => k > now) ?? marks[0] : marks.findLast(k => k < now) ?? marks[marks.length - 1];
		weft.go({line: String(lines[after].number)});
	};

	const build = () => {
		const find = el('input', {type: 'search', id: 'find', placeholder: 'search in logs  /', spellcheck: false, autocomplete: 'off', oninput: e => weft.go({find: e.target.value})});
		find.onkeydown = e => { if (e.key === 'Enter') { next(e.shiftKey ? -1 : 1); e.preventDefault(); } };
		const check = (id, text) => el('label', {}, el('input', {type: 'checkbox', id, onchange: e => weft.go({[id === 'wrap' ? 'wrap' : 'all']: e.target.checked ? '1' : ''})}), ' ' + text);
		view = el('div', {className: 'lines', tabIndex: 0});
		const body = el('div', {className: 'body'}), sideBox = el('div', {className: 'side', tabIndex: 0}), sideBody = el('div');
		for (const [box, name] of [[view, 'Log, scrolls'], [sideBox, 'Steps with logs, scrolls']]) { box.setAttribute('role', 'region'); box.setAttribute('aria-label', name); }
		view.append(el('p', {id: 'log-message', hidden: true}), body);
		sideBox.append(sideBody);
		byID('log').append(el('div', {className: 'tools'}, el('label', {}, el('span', {className: 'sr', textContent: 'Search in logs'}), find), check('all', 'in all'), button('↑', () => next(-1), 'previous match'), button('↓', () => next(1), 'next match'),
			el('span', {id: 'found'}), check('wrap', 'wrap'), el('strong', {id: 'log-title'})), el('div', {className: 'split'}, sideBox, view));
		list = weft.list({box: view, body, height, make, fill, spacer: 'div'});
		side = weft.list({box: sideBox, body: sideBody, height: 28, spacer: 'div',
			make: () => el('button', {type: 'button'}),
			fill: (e, k) => {
				const i = sideRows[k];
				e.textContent = weft.marks[S.state[i]] + ' ' + weft.stepName(i) + (counts ? '  ' + counts.by.get(i) : '');
				e.className = weft.outcomes[S.state[i]];
				if (i === state.row) e.setAttribute('aria-current', 'true'); else e.removeAttribute('aria-current');
				e.onclick = () => weft.go({step: i});
			}});
		new ResizeObserver(() => { if (state.wrap && lines.length) show(); }).observe(view);
	};

	let was = '';
	weft.views.log = {
		keys: {n: () => next(1), N: () => next(-1)},
		draw() {
			if (!view) build();
			for (const k of ['find', 'all', 'wrap']) { const e = byID(k); if (e.type === 'search') { if (e.value !== state[k]) e.value = state[k]; } else e.checked = state[k] !== ''; }
			const now = state.all + '\n' + state.find;
			if (now !== was) { was = now; searchAll(); }
			fillSide();
			if (row !== state.row || size !== sizeOf(row)) { open(row === state.row && row >= 0); return; }
			search();
			show();
		},
		leave() { shownLine = ''; },
		reveal(i) { const k = sideRows.indexOf(i); if (k >= 0) side.reveal(k); },
	};
}
