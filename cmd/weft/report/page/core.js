'use strict';
// The scripts of the page are joined in order and share this object. Text enters the page by
// textContent alone; what could change the look of a line is escaped before.
const weft = {
	outcomes: ['running', 'succeeded', 'fresh', 'restored', 'failed', 'skipped', 'cancelled', 'waiting', 'planned'],
	marks: ['◐', '✓', '=', '↺', '✗', '–', '⊘', '·', '·'],
	state: {}, // what is shown: all of it stands in the fragment
	views: {}, // by name of the tab: {draw()}, and what keys may call
	memory: 65536, // bytes of a unit of memory
	ready: [], // functions called once, when the data is there
};
{
	const byID = id => document.getElementById(id);

	// el makes an element. Properties are set as they are; children are nodes and texts.
	const el = (name, props, ...children) => {
		const e = Object.assign(document.createElement(name), props);
		e.append(...children);
		return e;
	};

	// button is an element that a person can press.
	const button = (text, act, label) => {
		const b = el('button', {type: 'button', textContent: text, onclick: act});
		if (label) b.setAttribute('aria-label', label);
		return b;
	};

	// duration writes microseconds as weft does: 0.4ms, 350ms, 12.3s, 1m12s, 1h02m.
	const duration = us => {
		if (us < 0 || us === undefined) return '–';
		if (us < 1e3) return us === 0 ? '0s' : (us / 1e3).toFixed(us < 100 ? 2 : 1) + 'ms';
		if (us < 999.5e3) return Math.round(us / 1e3) + 'ms';
		if (us < 59.95e6) return (us / 1e6).toFixed(1) + 's';
		const s = Math.round(us / 1e6), two = n => String(n).padStart(2, '0');
		if (s < 3600) return Math.floor(s / 60) + 'm' + two(s % 60) + 's';
		return Math.floor(s / 3600) + 'h' + two(Math.floor(s % 3600 / 60)) + 'm';
	};

	const bytes = n => {
		if (!n) return '–';
		const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
		let i = 0;
		for (; n >= 1000 && i < 4; i++) n /= 1024;
		return (i && n < 10 ? n.toFixed(1) : Math.round(n)) + ' ' + units[i];
	};

	const count = (n, one, many) => n.toLocaleString('en') + ' ' + (n === 1 ? one : many || one + 's');

	// percent is how much more now is than before.
	const percent = (now, before) => {
		if (!(before > 0) || now < 0) return '';
		const p = Math.round((now / before - 1) * 100);
		return p > 999 ? '×' + Math.round(now / before) : (p > 0 ? '+' : p < 0 ? '−' : '±') + Math.abs(p) + ' %';
	};

	// printable shows controls and marks of direction instead of obeying them.
	const hidden = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
	const printable = s => s.replace(hidden, c => {
		const n = c.charCodeAt(0);
		return n < 32 ? '\\x' + n.toString(16).padStart(2, '0') : '\\u' + n.toString(16).padStart(4, '0');
	});

	// copy puts text on the clipboard, and says so on the button that was pressed.
	const copy = async (text, b) => {
		try {
			await navigator.clipboard.writeText(text);
		} catch {
			const area = el('textarea', {value: text});
			document.body.append(area);
			area.select();
			document.execCommand('copy');
			area.remove();
		}
		say('copied: ' + text);
		const was = b.textContent;
		b.textContent = 'copied';
		setTimeout(() => b.textContent = was, 1500);
	};

	// say tells who listens to the page instead of looking at it.
	const say = text => byID('count').textContent = text;

	// colour is a colour of the style sheet by name, in the theme that is shown.
	const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();

	// palette is all colours, for who needs many.
	const palette = () => Object.fromEntries([...weft.outcomes, 'fg', 'bg', 'panel', 'line', 'muted', 'accent', 'critical'].map(name => [name, colour(name)]));

	// runnable is the row of the step whose task can be named to run a step again: its own, or that
	// of the nearest caller if it is internal or was given variables. It is −1 if there is none.
	const runnable = i => {
		for (let n = 0; n <= weft.steps.n; n++) {
			if (i < 0 || !weft.has(i, 'part')) return i;
			i = weft.rows.get(weft.steps.parent[i]) ?? -1;
		}
		return -1;
	};
	// command is the command line that runs the task of a step that is runnable.
	const quote = word => /^[\w\-./:=@%+,]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\\''") + "'";
	const command = i => 'weft' + weft.run.again[0] + ' ' + quote(weft.text(weft.steps.task[i])) + weft.run.again[1];

	// copyCommand is what copies the command that runs a step again: a button behind a space, or ''.
	const copyCommand = (i, label) => {
		const by = runnable(i);
		if (by < 0) return '';
		const name = by === i ? 'copy command' : 'copy command of ' + weft.stepName(by);
		return button(name, e => copy(command(by), e.target), label && name + (by === i ? ' of ' + weft.stepName(i) : ', which runs ' + weft.stepName(i)));
	};

	// later calls f once before the next picture, however often it is asked.
	const later = f => {
		let asked = false;
		return () => {
			if (asked) return;
			asked = true;
			requestAnimationFrame(() => { asked = false; f(); });
		};
	};

	Object.assign(weft, {byID, el, button, duration, bytes, count, percent, printable, copy, say, colour, palette, copyCommand, later});
}
