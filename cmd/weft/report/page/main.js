// main.js starts the page: it reads the data, fills the head, and shows what the fragment says.
{
	const {byID, el, button, steps: S, text} = weft;

	// about tells of the run itself.
	const about = () => {
		const {run} = weft, list = byID('about').querySelector('dl');
		const facts = [['run', run.id], ['started', run.started && new Date(run.started).toISOString().replace('T', ' ').replace(/\..*/, ' UTC')], ['took', run.plan ? '' : weft.duration(run.wall * run.unit)],
			['command line', run.argv], ['directory', run.dir], ['Taskfile in', run.root === run.dir ? '' : run.root], ['commit', run.commit], ['CI', run.ci],
			['at most', run.limit ? weft.count(run.limit, 'step') + ' at the same time' : ''], ['weft', run.weft], ['part of run', run.parent]];
		list.textContent = '';
		for (const [name, value] of facts) if (value) list.append(el('dt', {textContent: name}), el('dd', {textContent: value}));
	};

	// compare tells what differs from the run that this one is compared with, so far.
	const compare = () => {
		const {compared} = weft.run, menu = byID('compare').querySelector('.menu');
		menu.replaceChildren(el('p', {textContent: 'With ' + compared.name + ', which ' + compared.result + ' after ' + weft.duration(compared.wall * weft.run.unit) + ' (now ' + weft.percent(weft.run.wall, compared.wall) + ').'}));
		const changed = [], added = [];
		for (let i = 0; i < S.n; i++) {
			if (!S.was[i]) added.push(i);
			else if (S.outcome[i] && S.was[i] !== S.outcome[i]) changed.push(i);
		}
		const list = (title, all, make) => {
			if (!all.length) return;
			menu.append(el('h3', {textContent: title}), el('ul', {}, ...all.slice(0, 100).map(v => el('li', {}, make(v)))));
			if (all.length > 100) menu.append(el('p', {textContent: 'and ' + weft.count(all.length - 100, 'more', 'more')}));
		};
		const link = (i, more) => button(weft.stepName(i) + more, () => { byID('compare').open = false; weft.go({step: i}); weft.views[weft.state.tab].reveal?.(i); });
		list('Another result', changed, i => link(i, ': ' + weft.outcomes[S.was[i]] + ' → ' + weft.outcomes[S.state[i]]));
		list('Only now', added, i => link(i, ''));
		list('Only before', compared.gone, ([label, outcome, time]) => text(label) + ': ' + weft.outcomes[outcome] + (time < 0 ? '' : ' after ' + weft.duration(time * weft.run.unit)));
		if (!changed.length && !added.length && !compared.gone.length) menu.append(el('p', {textContent: 'The same steps with the same results.'}));
	};

	// menus names the menus of the head; each is filled when it is opened.
	const menus = () => {
		const {run} = weft;
		byID('about').firstChild.textContent = run.plan ? 'plan' : 'run ' + (run.number || run.id || '');
		byID('compare').hidden = !run.compared;
	};

	// failures gives the failures, which are there without scripts, their buttons.
	const failures = weft.failures = () => {
		for (const item of document.querySelectorAll('#failures li[data-step]')) {
			const i = weft.rows.get(Number(item.dataset.step));
			if (i === undefined) continue;
			const acts = el('span', {className: 'acts'}, button('log', () => weft.go({step: i, tab: 'log'}), 'log of ' + weft.stepName(i)), ' ',
				button('why', () => { weft.go({step: i}); byID('detail').focus(); byID('why')?.scrollIntoView(); }, 'why ' + weft.stepName(i) + ' ran'));
			acts.append(' ', weft.copyCommand(i, true));
			item.firstElementChild.append(acts);
		}
	};

	// paper is the background behind logs that is the hardest to read on, as numbers.
	weft.paper = () => [1, 3, 5].map(k => parseInt(weft.colour('select').slice(k, k + 2), 16));

	// changed shows what add has added.
	weft.changed = () => {
		weft.version = (weft.version || 0) + 1;
		weft.derive();
		menus();
		weft.draw();
	};

	const start = async () => {
		const data = await (weft.first ? weft.first() : weft.unpack(byID('data')).json());
		weft.run = data.run;
		weft.version = 1;
		weft.add(data);
		weft.derive();
		byID('old').remove();
		for (const id of ['menus', 'app']) byID(id).hidden = false;
		if (weft.run.plan) for (const tab of ['timeline', 'log']) byID('tab-' + tab).hidden = true;
		for (const f of weft.ready) f();
		menus();
		byID('about').ontoggle = e => e.target.open && about();
		byID('compare').ontoggle = e => e.target.open && compare();
		failures();
		weft.draw();
		if (weft.state.row >= 0) weft.views[weft.state.tab].reveal?.(weft.state.row);
		document.addEventListener('click', e => { // a menu closes when something else is clicked
			for (const menu of document.querySelectorAll('.menus details[open]')) if (!menu.contains(e.target)) menu.open = false;
		});
		for (const print of [true, false]) addEventListener(print ? 'beforeprint' : 'afterprint', () => weft.views.table.print(print));
		document.documentElement.dataset.ready = 'true';
		requestAnimationFrame(() => performance.mark('usable'));
	};
	if (window.DecompressionStream) start().catch(error => { byID('old')?.append(' The data cannot be read: ' + error.message); });
}
