// lanes.js puts what ran on lanes, as the trace has them: each piece on the lowest lane that is
// free when it starts. A step that waits for one it called leaves its lane, and comes back as a
// new piece. Services have lanes of their own, below the others.
{
	const {steps: S, has} = weft;

	// pieces returns the pieces of one kind, in order of their start: [row, from, to].
	const pieces = service => {
		const all = [];
		for (let i = 0; i < S.n; i++) {
			if (S.time[i] < 0 || has(i, 'service') !== service) continue;
			let from = S.start[i];
			const end = from + S.time[i], away = S.suspended[i];
			for (let k = 0; k < away.length; k += 2) {
				all.push([i, from, S.start[i] + away[k]]);
				from = S.start[i] + away[k] + away[k + 1];
			}
			if (from < end || !away.length) all.push([i, from, end]);
		}
		return all.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
	};

	// assign gives each piece a lane, as its fourth value, and returns how many lanes there are.
	// A tree over the lanes holds the least end below each node: the lowest lane that is free is
	// found by going down it to the left.
	const assign = (all, first) => {
		let size = 1, used = 0;
		while (size < all.length) size *= 2;
		const least = new Float64Array(2 * size).fill(-1);
		for (const piece of all) {
			let node = 1;
			while (node < size) node = least[2 * node] <= piece[1] ? 2 * node : 2 * node + 1;
			piece[3] = first + node - size;
			used = Math.max(used, node - size + 1);
			// What took no time at all keeps its lane for a moment, or it would be covered.
			least[node] = Math.max(piece[2], piece[1] + 1e-9);
			for (node >>= 1; node >= 1; node >>= 1) least[node] = Math.min(least[2 * node], least[2 * node + 1]);
		}
		return used;
	};

	weft.lanes = () => {
		const tasks = pieces(false), services = pieces(true);
		const slots = assign(tasks, 0), more = assign(services, slots);
		return {pieces: tasks.concat(services), slots, n: slots + more};
	};
}
