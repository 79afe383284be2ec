// logs.js reads the logs, which are packed in blocks: one is unpacked when it is opened.
{
	const {byID, steps: S} = weft;
	const blocks = new Map(); // promises of bytes, by number
	const decoder = new TextDecoder();

	// block is the bytes of one block. Blocks stand at the end of the page, which may still load.
	const block = async n => {
		while (!byID('log-' + n)) {
			if (document.readyState !== 'loading') throw new Error('this page is cut off: log ' + n + ' is missing');
			await new Promise(done => document.addEventListener('DOMContentLoaded', done, {once: true}));
		}
		return new Uint8Array(await weft.unpack(byID('log-' + n)).arrayBuffer());
	};

	// A log in the column: block, offset, length, where it is cut and how many bytes are left out
	// there, then for each command its number in the step and where its output begins.
	const has = i => S.log[i].length > 0;
	const bytes = async i => {
		if (weft.readLog) return weft.readLog(i);
		const [n, offset, length] = S.log[i];
		if (!blocks.has(n)) {
			if (blocks.size > 31) blocks.delete(blocks.keys().next().value);
			blocks.set(n, block(n));
		}
		return (await blocks.get(n)).subarray(offset, offset + length);
	};

	// read returns the lines of the log of a step: {raw, style, plain}; a line that is no output
	// has head: the command that begins there, or what is left out.
	const read = async i => {
		const lines = [];
		if (!has(i)) return lines;
		if (S.log[i][0] < 0) return [{head: 'not kept: all logs together have more than 50 MiB', raw: '', plain: ''}];
		const all = await bytes(i), log = S.log[i], marks = [];
		for (let k = 5; k < log.length; k += 2) marks.push([log[k + 1], () => headOf(i, log[k])]);
		if (log[4]) marks.push([log[3], () => weft.bytes(log[4]) + ' left out']);
		marks.sort((a, b) => a[0] - b[0]);
		let at = 0, number = 0, style = weft.ansi.none;
		const take = to => {
			if (to <= at) return;
			const raw = decoder.decode(all.subarray(at, to)).split('\n');
			if (raw[raw.length - 1] === '') raw.pop();
			for (const line of raw) {
				lines.push({raw: line, style, number: ++number});
				if (line.includes('\x1b')) style = weft.ansi.after(style, line);
			}
			at = to;
		};
		for (const [offset, head] of marks) {
			take(offset);
			style = weft.ansi.none;
			lines.push({head: head(), raw: '', plain: ''});
		}
		take(all.length);
		return lines;
	};
	const headOf = (i, number) => {
		const c = S.commands[i][number], {text, attempt, attempts} = weft.cmds;
		return '$ ' + weft.text(text[c]).replace(/\n/g, ' ⏎ ') + (attempts[c] > 1 ? '  (attempt ' + attempt[c] + ' of ' + attempts[c] + ')' : '');
	};
	const plain = line => line.plain ??= weft.ansi.plain(line.raw);

	// count counts the lines of a log that contain what is searched for, in lower case.
	const count = async (i, what) => {
		if (S.log[i][0] < 0) return 0;
		let text = decoder.decode(await bytes(i));
		if (/[\x1b\r\t]/.test(text)) text = text.split('\n').map(weft.ansi.plain).join('\n');
		text = text.toLowerCase();
		let n = 0;
		for (let at = text.indexOf(what); at >= 0; n++) {
			const end = text.indexOf('\n', at);
			at = end < 0 ? -1 : text.indexOf(what, end);
		}
		return n;
	};

	weft.logs = {has, read, plain, count};
}
