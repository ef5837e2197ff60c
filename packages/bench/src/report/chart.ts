/** Plots as SVG text: lines over linear or logarithmic axes, with marks. No library, nothing to load. */

export interface Line {
	readonly name: string;
	/** A class of the page's style sheet: `c0` to `c4`. */
	readonly style: string;
	/** Broken where y is not above 0 on a logarithmic axis, or not finite. */
	readonly points: ReadonlyArray<readonly [x: number, y: number]>;
	/** Points are drawn too, with these texts when the pointer rests on them. */
	readonly labels?: readonly string[];
}

/** A vertical line: something happened then. */
export interface Mark {
	readonly x: number;
	readonly text: string;
	readonly style: "event" | "part";
}

export interface ChartOptions {
	readonly title: string;
	readonly xLabel: string;
	readonly xText: (x: number) => string;
	readonly yText: (y: number) => string;
	readonly logarithmic?: boolean;
	readonly lines: readonly Line[];
	readonly marks?: readonly Mark[];
	/** x ranges in grey, such as a warm-up. */
	readonly shaded?: ReadonlyArray<readonly [from: number, upto: number]>;
	/** A circle with a word. */
	readonly highlight?: { readonly x: number; readonly y: number; readonly text: string } | null;
	/** x begins at 0, not at the smallest point. */
	readonly fromZero?: boolean;
}

const WIDTH = 960;
const HEIGHT = 280;
const LEFT = 76;
const RIGHT = 16;
const TOP = 14;
const BOTTOM = 40;
const TICKS = 6;

interface Scale {
	readonly place: (value: number) => number;
	readonly ticks: readonly number[];
}

export function chart(options: ChartOptions): string {
	const { lines, marks = [], shaded = [], highlight = null, xText, yText } = options;
	const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
	const ys = lines
		.flatMap(({ points }) => points.map(([, y]) => y))
		.filter((y) => Number.isFinite(y) && (options.logarithmic !== true || y > 0));
	if (xs.length === 0 || ys.length === 0) return "";
	const x = linear(options.fromZero === true ? 0 : Math.min(...xs), Math.max(...xs), LEFT, WIDTH - RIGHT);
	const y =
		options.logarithmic === true
			? logarithmic(Math.min(...ys), Math.max(...ys), HEIGHT - BOTTOM, TOP)
			: linear(0, Math.max(...ys) * 1.05, HEIGHT - BOTTOM, TOP);
	const bottom = HEIGHT - BOTTOM;
	const parts: string[] = [];
	for (const [from, upto] of shaded) {
		parts.push(
			`<rect class="shade" x="${at(x.place(from))}" y="${TOP}" width="${at(Math.max(0, x.place(upto) - x.place(from)))}" height="${bottom - TOP}"/>`,
		);
	}
	for (const tick of y.ticks) {
		const place = at(y.place(tick));
		parts.push(`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${place}" y2="${place}"/>`);
		parts.push(`<text class="tick" x="${LEFT - 8}" y="${place}" dy="4" text-anchor="end">${escapeHtml(yText(tick))}</text>`);
	}
	for (const tick of x.ticks) {
		parts.push(`<text class="tick" x="${at(x.place(tick))}" y="${bottom + 16}" text-anchor="middle">${escapeHtml(xText(tick))}</text>`);
	}
	parts.push(
		`<text class="tick" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeHtml(options.xLabel)}</text>`,
	);
	for (const { x: when, text, style } of marks) {
		const place = at(x.place(when));
		parts.push(`<line class="${style}" x1="${place}" x2="${place}" y1="${TOP}" y2="${bottom}"><title>${escapeHtml(text)}</title></line>`);
		// A wider, invisible line is easier to point at.
		parts.push(`<line class="catch" x1="${place}" x2="${place}" y1="${TOP}" y2="${bottom}"><title>${escapeHtml(text)}</title></line>`);
	}
	for (const line of lines) parts.push(drawLine(line, x, y, options.logarithmic === true));
	if (highlight !== null) {
		const [hx, hy] = [x.place(highlight.x), y.place(highlight.y)];
		// The word stands where there is room.
		const [side, anchor] = hx > WIDTH * 0.7 ? [-13, "end"] : [13, "start"];
		const below = hy + 18 < bottom ? 16 : -12;
		parts.push(
			`<circle class="highlight" cx="${at(hx)}" cy="${at(hy)}" r="9"/><text class="note" x="${at(hx + side)}" y="${at(hy + below)}" text-anchor="${anchor}">${escapeHtml(highlight.text)}</text>`,
		);
	}
	const legend = lines.map(({ name, style }) => `<span class="key"><i class="${style}"></i>${escapeHtml(name)}</span>`).join("");
	return `<figure><figcaption>${escapeHtml(options.title)}${legend}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(options.title)}">${parts.join("")}</svg></figure>`;
}

function drawLine({ points, style, labels, name }: Line, x: Scale, y: Scale, log: boolean): string {
	const drawable = ([, value]: readonly [number, number]): boolean => Number.isFinite(value) && (!log || value > 0);
	let path = "";
	let down = false;
	for (const point of points) {
		if (drawable(point)) path += `${down ? "L" : "M"}${at(x.place(point[0]))} ${at(y.place(point[1]))}`;
		down = drawable(point);
	}
	const dots = points
		.map((point, n) => ({ point, label: labels?.[n] }))
		.filter(({ point, label }) => drawable(point) && (label !== undefined || points.length < 2))
		.map(
			({ point, label }) =>
				`<circle class="dot ${style}" cx="${at(x.place(point[0]))}" cy="${at(y.place(point[1]))}" r="3.5"><title>${escapeHtml(label ?? name)}</title></circle>`,
		);
	return `<path class="line ${style}" d="${path}"/>${dots.join("")}`;
}

function linear(from: number, upto: number, first: number, last: number): Scale {
	const span = upto > from ? upto - from : 1;
	const rough = span / TICKS;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
	const ticks: number[] = [];
	for (let n = Math.ceil(from / step); n * step <= from + span * 1.000_001; n++) ticks.push(n * step);
	return { place: (value) => first + ((value - from) / span) * (last - first), ticks };
}

function logarithmic(from: number, upto: number, first: number, last: number): Scale {
	const low = Math.floor(Math.log10(from));
	const high = Math.max(low + 1, Math.ceil(Math.log10(upto)));
	const ticks = Array.from({ length: high - low + 1 }, (_, n) => 10 ** (low + n));
	return { place: (value) => first + ((Math.log10(value) - low) / (high - low)) * (last - first), ticks };
}

function at(place: number): string {
	return place.toFixed(1);
}

export function escapeHtml(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
