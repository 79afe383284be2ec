// state.js keeps what is shown in the fragment, so that a link can point at a line of a log.
{
	const {byID, state, steps} = weft;
	const tabs = ['table', 'timeline', 'graph', 'log'];
	const usual = {tab: 'table', step: '', line: '', q: '', outcome: '', task: '', slower: '', sort: '', find: '', all: '', wrap: '', open: '', each: '', span: '', theme: ''};

	// labelled is the row of the step that the fragment names: by its label, else by its number.
	const labelled = s => {
		if (s === '') return -1;
		for (let i = 0; i < steps.n; i++) if (weft.stepName(i) === s && steps.named.get(steps.label[i]) >= 0) return i;
		return weft.rows.get(Number(s)) ?? -1;
	};
	// named is how the fragment names the step of a row.
	const named = i => steps.named.get(steps.label[i]) >= 0 && !/^\d+$/.test(weft.stepName(i)) ? weft.stepName(i) : String(steps.id[i]);

	// locate finds the step that the fragment names.
	weft.locate = () => state.row = labelled(state.step);
	const read = () => {
		Object.assign(state, usual, Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
		if (!tabs.includes(state.tab) || byID('tab-' + state.tab).hidden) state.tab = 'table';
		weft.locate();
	};

	// go changes what is shown, and the fragment with it.
	weft.go = changes => {
		if ('step' in changes && typeof changes.step === 'number') {
			state.row = changes.step;
			changes.step = changes.step < 0 ? '' : named(changes.step);
			if (changes.step !== state.step && !('line' in changes)) changes.line = '';
		}
		Object.assign(state, changes);
		const kept = new URLSearchParams();
		for (const k in usual) if (state[k] !== usual[k]) kept.set(k, state[k]);
		history.replaceState(null, '', '#' + kept);
		weft.draw();
	};

	// draw shows the state: what is the same costs little.
	weft.draw = () => {
		document.documentElement.dataset.theme = dark() ? 'dark' : 'light';
		byID('theme').textContent = dark() ? 'light' : 'dark';
		for (const t of tabs) {
			const on = t === state.tab, tab = byID('tab-' + t);
			tab.setAttribute('aria-selected', on);
			tab.tabIndex = on ? 0 : -1;
			byID(t).hidden = !on;
			if (!on) weft.views[t].leave?.();
		}
		for (const k of ['q', 'outcome', 'task']) if (byID(k).value !== state[k]) byID(k).value = state[k];
		byID('slower').checked = state.slower !== '';
		weft.filter();
		weft.views[state.tab].draw();
		weft.detail();
	};
	const dark = () => state.theme ? state.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;

	// move selects the step that is by places further in the table.
	const move = by => {
		const shown = weft.shown, at = shown.indexOf(state.row);
		if (!shown.length) return;
		const next = at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(shown.length - 1, Math.max(0, at + by));
		weft.go({step: shown[next]});
		weft.views[state.tab].reveal?.(shown[next]);
		weft.say(weft.stepName(shown[next]) + ', ' + weft.result(shown[next]));
	};
	const nextFailure = () => {
		const n = steps.n;
		for (let k = 1; k <= n; k++) {
			const i = (state.row + k + n) % n;
			if (steps.outcome[i] !== 4) continue;
			weft.go({step: i, outcome: '', q: '', task: '', slower: ''});
			weft.views[state.tab].reveal?.(i);
			return;
		}
	};

	const keys = {
		'/': () => { const find = byID(state.tab === 'log' ? 'find' : 'q'); find.focus(); find.select(); },
		j: () => move(1), k: () => move(-1), f: nextFailure,
		'?': () => byID('help').showModal(),
		Escape: () => state.row >= 0 && weft.go({step: -1}),
		Enter: () => state.row >= 0 && byID('detail').focus(),
	};
	const typed = e => {
		if (e.ctrlKey || e.metaKey || e.altKey || byID('help').open) return;
		const on = e.target, field = on.matches('input[type=search], select, textarea');
		if (e.key === 'Escape' && field) return on.blur();
		if (field || e.key === 'Enter' && on.closest('button, summary, a')) return;
		const tab = e.key >= '1' && e.key <= '4' && byID('tab-' + tabs[e.key - 1]);
		if (tab) return tab.hidden || weft.go({tab: tabs[e.key - 1]});
		const act = keys[e.key] || weft.views[state.tab].keys?.[e.key];
		if (act) { e.preventDefault(); act(); }
	};

	weft.ready.push(() => {
		for (const t of tabs) byID('tab-' + t).onclick = () => weft.go({tab: t});
		byID('tabs').onkeydown = e => {
			const by = {ArrowRight: 1, ArrowLeft: -1}[e.key], open = tabs.filter(t => !byID('tab-' + t).hidden);
			if (!by) return;
			e.stopPropagation();
			weft.go({tab: open[(open.indexOf(state.tab) + by + open.length) % open.length]});
			byID('tab-' + state.tab).focus();
		};
		byID('q').oninput = e => weft.go({q: e.target.value});
		for (const k of ['outcome', 'task']) byID(k).onchange = e => weft.go({[k]: e.target.value});
		byID('slower').onchange = e => weft.go({slower: e.target.checked ? '1' : ''});
		byID('theme').onclick = () => weft.go({theme: dark() ? 'light' : 'dark'});
		byID('keys').onclick = keys['?'];
		document.addEventListener('keydown', typed);
		addEventListener('hashchange', () => { read(); weft.draw(); });
		matchMedia('(prefers-color-scheme: dark)').addEventListener('change', weft.draw);
		read();
	});
}
