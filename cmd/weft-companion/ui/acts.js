// acts.js has the buttons that do something to the run, and what was wrong with it beside them.
{
	const {byID, el, button, steps: S, folded} = weft, {run} = folded;

	// action is a button that sends a request. What is wrong stands behind it.
	const action = (text, path, label, body) => {
		const wrong = el('span', {className: 'failed', role: 'alert'});
		const b = button(text, async () => {
			wrong.textContent = '';
			b.disabled = true;
			try {
				await weft.ask(path(), {method: 'POST', body: body?.()});
			} catch (e) {
				wrong.textContent = ' ' + weft.printable(e.status ? e.message : 'weft is not reached');
			}
			b.disabled = false;
		}, label);
		return Object.assign(el('span', {hidden: true}, b, wrong, ' '), {press: () => b.click()});
	};

	const stop = action('stop', () => '/stop', 'stop the run');
	const rerun = action('run again', () => '/rerun', 'run again what is watched');
	weft.ready.push(() => byID('menus').prepend(stop, rerun));

	// stepActs are the buttons of a step; they live as long as its panel.
	let now;
	weft.stepActs = i => {
		const id = S.id[i], name = weft.stepName(i), step = what => () => '/' + what + '?step=' + id;
		const text = el('input', {ariaLabel: 'line to send to ' + name, placeholder: 'line to send', autocomplete: 'off', spellcheck: false});
		const acts = {id, stop: action('stop step', step('stop'), 'stop step ' + name), restart: action('restart', step('restart'), 'restart ' + name), again: action('run again', step('rerun'), 'run again ' + name),
			send: action('send', step('send'), 'send the line to ' + name, () => text.value)};
		text.onkeydown = e => { if (e.key === 'Enter') { e.preventDefault(); acts.send.press(); } };
		acts.send.prepend(text, ' ');
		now = acts;
		buttons();
		return el('p', {className: 'acts'}, acts.stop, acts.restart, acts.again, acts.send);
	};

	// buttons shows those that could do something.
	const buttons = () => {
		const dead = weft.over;
		stop.hidden = dead || !folded.goesOn() && !run.watched;
		rerun.hidden = dead || !run.watched;
		if (!now) return;
		const i = weft.rows.get(now.id), running = i !== undefined && S.state[i] === 0;
		now.stop.hidden = now.send.hidden = dead || !running;
		now.restart.hidden = dead || !running || !run.lasting || !weft.has(i, 'service');
		now.again.hidden = dead || i === undefined || !S.outcome[i] || !run.lasting;
	};
	const {draw} = weft;
	weft.draw = () => { draw(); buttons(); };
}
