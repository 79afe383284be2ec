// place.js gives the nodes of a graph their places: layers from left to right, and in each the
// nodes in their order, as near to their neighbours as they fit.
{
	const gapX = 70, gapY = 12;

	// place sets x and y of nodes: {layer, order, w, h, in: nodes before it}. Very tall layers are
	// folded into columns side by side. It returns width and height of the whole.
	weft.placeNodes = nodes => {
		const layers = [];
		for (const node of nodes) (layers[node.layer] ||= []).push(node);
		const area = nodes.reduce((sum, node) => sum + (node.w + 20) * (node.h + gapY), 0);
		const tall = Math.max(1400, Math.sqrt(area) * 1.2);
		let x = 0, height = 0;
		for (const layer of layers) {
			if (!layer) continue;
			layer.sort((a, b) => a.order - b.order);
			const columns = [[]];
			let used = 0;
			for (const node of layer) {
				if (used > tall) { columns.push([]); used = 0; }
				columns[columns.length - 1].push(node);
				used += node.h + gapY;
			}
			for (const column of columns) {
				stack(column, columns.length === 1);
				let w = 0;
				for (const node of column) { node.x = x; w = Math.max(w, node.w); }
				x += w + (column === columns[columns.length - 1] ? gapX : 14);
			}
		}
		let least = 0;
		for (const node of nodes) least = Math.min(least, node.y);
		for (const node of nodes) { node.y -= least; height = Math.max(height, node.y + node.h); }
		return {width: Math.max(1, x - gapX), height: Math.max(1, height)};
	};

	// stack puts the nodes of a column below each other around the middle, or where the nodes
	// before them are.
	const stack = (column, near) => {
		const all = column.reduce((sum, node) => sum + node.h + gapY, -gapY);
		let y = -all / 2, off = 0, counted = 0;
		for (const node of column) {
			const wanted = near && node.in.length ? node.in.reduce((sum, p) => sum + p.y + p.h / 2, 0) / node.in.length - node.h / 2 : undefined;
			node.y = wanted === undefined ? y : Math.max(y, wanted);
			if (node === column[0] && wanted !== undefined) node.y = wanted;
			if (wanted !== undefined) { off += wanted - node.y; counted++; }
			y = node.y + node.h + gapY;
		}
		if (counted) for (const node of column) node.y += off / counted;
	};
}
