// ansi.js turns a line with escape sequences into pieces of text with a look. Colours and weights
// are kept; every other sequence is dropped, and its text stays.
{
	const sequence = /\x1b(?:\[([0-?]*)[ -\/]*([@-~])|[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -\/]*[0-~])/g;
	const plainStyle = {fg: '', bg: '', bold: false, dim: false, italic: false, underline: false, inverse: false};
	const switches = {1: ['bold', true], 2: ['dim', true], 3: ['italic', true], 4: ['underline', true], 7: ['inverse', true],
		23: ['italic', false], 24: ['underline', false], 27: ['inverse', false]};

	// A colour is a number below 16, or "r,g,b".
	const indexed = n => {
		if (n < 16) return n;
		if (n >= 232) return [8, 8, 8].map(v => v + (n - 232) * 10).join();
		return [36, 6, 1].map(k => Math.floor((n - 16) / k) % 6).map(v => v && v * 40 + 55).join();
	};

	// sgr is style after a "select graphic rendition" with these parameters.
	const sgr = (style, parameters) => {
		const to = {...style}, list = parameters.replace(/:/g, ';').split(';').map(Number);
		for (let k = 0; k < list.length; k++) {
			const n = list[k], where = n >= 40 && n !== 90 && !(n > 90 && n < 98) ? 'bg' : 'fg';
			if (n === 0) Object.assign(to, plainStyle);
			else if (switches[n]) to[switches[n][0]] = switches[n][1];
			else if (n === 22) to.bold = to.dim = false;
			else if (n >= 30 && n < 38 || n >= 40 && n < 48) to[where] = n % 10;
			else if (n >= 90 && n < 98 || n >= 100 && n < 108) to[where] = n % 10 + 8;
			else if (n === 39 || n === 49) to[where] = '';
			else if (n === 38 || n === 48) {
				if (list[k + 1] === 5) { to[where] = indexed(list[k + 2] & 255); k += 2; }
				else if (list[k + 1] === 2) { to[where] = list.slice(k + 2, k + 5).map(v => v & 255).join(); k += 4; }
			}
		}
		return to;
	};

	// after is the style at the end of a line that begins with style.
	const after = (style, line) => {
		for (const [, parameters, end] of line.matchAll(sequence)) if (end === 'm') style = sgr(style, parameters);
		return style;
	};

	// last is what is left on a line when carriage returns have gone back to its beginning.
	const last = line => {
		if (!line.includes('\r')) return line;
		const parts = line.split('\r').filter(part => part.replace(sequence, '') !== '');
		return parts.length ? parts[parts.length - 1] : '';
	};
	const tabs = (text, column) => {
		if (!text.includes('\t')) return text;
		let out = '';
		for (const c of text) out += c === '\t' ? ' '.repeat(8 - (column + out.length) % 8) : c;
		return out;
	};

	// plain is the text of a line as it is shown, without any look.
	const plain = line => {
		line = last(line);
		if (line.includes('\x1b')) line = line.replace(sequence, '');
		return weft.printable(tabs(line, 0));
	};

	// pieces are the texts of a line, each with its style; joined they are plain(line).
	const pieces = (line, style) => {
		line = last(line);
		const all = [];
		let from = 0, column = 0;
		const put = text => {
			if (!text) return;
			const shown = weft.printable(tabs(text, column));
			all.push([shown, style]);
			column += shown.length;
		};
		for (const match of line.matchAll(sequence)) {
			put(line.slice(from, match.index));
			from = match.index + match[0].length;
			if (match[2] === 'm') style = sgr(style, match[1]);
		}
		put(line.slice(from));
		return all;
	};

	// Colours of numbers below 16 are classes, which have a theme; others are made readable.
	const base = ['#1c1c1c', '#b3261e', '#1a7f37', '#7d5600', '#0550ae', '#8250df', '#0b6e76', '#d0d7de', '#57606a', '#ff7b72', '#4ac26b', '#e3b341', '#6cb6ff', '#d2a8ff', '#56d4dd', '#ffffff'];
	const rgb = c => typeof c === 'number' ? [1, 3, 5].map(k => parseInt(base[c].slice(k, k + 2), 16)) : c.split(',').map(Number);
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => p - q); return (y + 0.05) / (x + 0.05); };
	const readable = (ink, paper) => {
		const to = light(paper) > 0.18 ? 0 : 255;
		for (let k = 0; k < 12 && contrast(ink, paper) < 4.6; k++) ink = ink.map(v => Math.round(v + (to - v) / 5));
		return ink;
	};

	// dress gives an element the look of a style. paper is the background of the page.
	const dress = (e, {fg, bg, bold, dim, italic, underline, inverse}, paper) => {
		const names = [bold && 'bold', italic && 'italic', underline && 'underline', dim && fg === '' && bg === '' && 'dim'];
		if (inverse && fg === '' && bg === '') names.push('inverse');
		else if (bg === '' && !inverse && typeof fg === 'number') names.push('f' + fg);
		else if (fg !== '' || bg !== '') {
			const swap = inverse ? [bg, fg] : [fg, bg], under = swap[1] === '' ? paper : rgb(swap[1]);
			if (swap[1] !== '') e.style.backgroundColor = 'rgb(' + under + ')';
			e.style.color = 'rgb(' + readable(swap[0] === '' ? (light(under) > 0.18 ? [0, 0, 0] : [255, 255, 255]) : rgb(swap[0]), under) + ')';
		}
		e.className = names.filter(Boolean).join(' ');
	};

	weft.ansi = {plain, pieces, after, dress, none: plainStyle, sequence};
}
