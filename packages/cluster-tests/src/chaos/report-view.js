/** Draws the report in a browser, from the constant `data` that stands before it in the page. Plain JavaScript: the page holds it as it is. */
const byId = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const element = (name, text, parent, className) => {
	const made = document.createElement(name);
	if (text !== undefined) made.textContent = text;
	if (className) made.className = className;
	if (parent) parent.append(made);
	return made;
};
const seconds = (ms) => `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
/** 1, 2 or 5 times a power of ten, not below this. */
const roundStep = (least) => {
	const ten = 10 ** Math.floor(Math.log10(least));
	return ten * ([1, 2, 5, 10].find((step) => step * ten >= least) ?? 10);
};
/** None of them is a colour of calls. */
const PALETTE = ["#8e4fd0", "#0f8b8d", "#b5478f", "#5b7083", "#7a5230", "#6b8e23", "#31508a", "#d9731a", "#3d3d3d"];
const memberNames = [...new Set([...data.tenures.map((t) => t.member), ...data.faults.flatMap((f) => f.members)])].sort((a, b) =>
	a < b ? -1 : 1,
);
const colorOf = (member) => PALETTE[Math.max(0, memberNames.indexOf(member)) % PALETTE.length];

// Verdict
const verdict = byId("verdict");
verdict.classList.add(data.verdict);
element("h1", data.sentence, verdict);
element(
	"p",
	`${data.scenario.title}. ${data.scenario.members} members of ${data.setting.program}, ${data.scenario.clients} clients, ${data.scenario.seconds} s of faults, in ${data.setting.place}, seed ${data.seed}.`,
	verdict,
);
element(
	"p",
	`${data.setting.startedAt}. ${data.setting.version}${data.setting.flags.length > 0 ? `, ${data.setting.flags.join(" ")}` : ""}. ${data.setting.machine}.`,
	verdict,
	"dim",
);
// What follows by cause stands with the changes of leader.
for (const line of data.summary.filter((one) => !one.startsWith("after "))) element("p", `${line}.`, verdict, "dim");
const list = element("ul", undefined, verdict, "checks");
for (const check of data.checks) {
	const item = element("li", undefined, list, check.verdict);
	element("b", check.verdict, item);
	const words = element("span", undefined, item);
	element("strong", check.name, words);
	words.append(`: ${check.promise}`);
	if (check.findings.length > 0) element("pre", check.findings.join("\n"), item);
	if (check.drawing.length > 0) {
		element("p", "The calls that contradict each other, and what the members wrote:", item);
		element("pre", check.drawing.join("\n"), item, "drawing");
	}
}

// Calls
const raw = atob(data.calls);
const packed = new Uint8Array(raw.length);
for (let i = 0; i < raw.length; i++) packed[i] = raw.charCodeAt(i);
const view = new DataView(packed.buffer);
const KINDS = ["put", "range", "delete", "txn", "compact"],
	OUTCOMES = ["answered", "refused", "no outcome"];
const CALL_BYTES = 20;
const callCount = packed.length / CALL_BYTES;
const call = (i) => ({
	from: view.getFloat32(i * CALL_BYTES, true),
	took: view.getFloat32(i * CALL_BYTES + 4, true),
	revision: view.getUint32(i * CALL_BYTES + 8, true),
	subject: data.subjects[view.getUint32(i * CALL_BYTES + 12, true)],
	client: view.getUint16(i * CALL_BYTES + 16, true),
	kind: KINDS[packed[i * CALL_BYTES + 18]],
	outcome: packed[i * CALL_BYTES + 19],
});

// Chart
const canvas = byId("chart"),
	tip = byId("tip");
const LEFT_MIN = 64,
	LEADERS = 22,
	LANE = 16,
	RATE = 110,
	LATENCY = 130,
	CALLS = 220,
	GAP = 22,
	CALLS_SHOWN = 6000;
const FONT = "12px system-ui, sans-serif",
	TICK_GAP = 14;
/** One row for each kind of fault, or as many as were there at the same time. */
const laneOf = new Map();
const kinds = new Map();
for (const fault of data.faults.toSorted((a, b) => a.fromMs - b.fromMs)) {
	const ends = kinds.get(fault.fault) ?? [];
	kinds.set(fault.fault, ends);
	const free = ends.findIndex((end) => end <= fault.fromMs),
		row = free < 0 ? ends.length : free;
	ends[row] = Math.max(fault.untilMs, fault.fromMs + 1);
	laneOf.set(fault, row);
}
const faultNames = [...kinds.keys()],
	laneTops = new Map();
let lanes = 0;
for (const [name, ends] of kinds) {
	laneTops.set(name, lanes);
	lanes += ends.length;
}
/** Names stand whole beside their rows, however long they are. */
const LEFT = (() => {
	const pen = canvas.getContext("2d");
	pen.font = FONT;
	return Math.max(LEFT_MIN, ...faultNames.map((name) => Math.ceil(pen.measureText(name).width) + 14));
})();
let from = 0,
	until = data.durationMs,
	drag = null;
let boxes = [];
function layout() {
	const faultsTop = LEADERS + GAP,
		rateTop = faultsTop + lanes * LANE + GAP,
		latencyTop = rateTop + RATE + GAP,
		callsTop = latencyTop + LATENCY + GAP;
	return { faultsTop, rateTop, latencyTop, callsTop, height: callsTop + CALLS + 30 };
}
function draw() {
	const at = layout(),
		width = canvas.clientWidth,
		ratio = devicePixelRatio || 1;
	canvas.style.height = `${at.height}px`;
	canvas.width = width * ratio;
	canvas.height = at.height * ratio;
	const pen = canvas.getContext("2d");
	pen.scale(ratio, ratio);
	pen.font = FONT;
	pen.textBaseline = "middle";
	const plot = width - LEFT - 10,
		x = (ms) => LEFT + ((ms - from) / (until - from)) * plot;
	boxes = [];
	const _ink = css("--ink"),
		dim = css("--dim"),
		line = css("--line");
	const label = (text, y) => {
		pen.fillStyle = dim;
		pen.textAlign = "right";
		pen.fillText(text, LEFT - 8, y);
		pen.textAlign = "left";
	};
	const clip = (a, b) => [Math.max(LEFT, x(a)), Math.min(LEFT + plot, x(b))];
	for (const fault of data.faults) {
		const [a, b] = clip(fault.fromMs, Math.max(fault.untilMs, fault.fromMs + 1));
		if (b <= LEFT || a >= LEFT + plot) continue;
		pen.fillStyle = `${css("--bad")}18`;
		pen.fillRect(a, at.rateTop, Math.max(1, b - a), at.callsTop + CALLS - at.rateTop);
		const y = at.faultsTop + (laneTops.get(fault.fault) + laneOf.get(fault)) * LANE;
		pen.fillStyle = fault.members.length === 1 ? colorOf(fault.members[0]) : css("--bad");
		pen.fillRect(a, y + 2, Math.max(2, b - a), LANE - 4);
		boxes.push({
			a,
			b: Math.max(b, a + 3),
			y,
			h: LANE,
			text: `${fault.fault} of ${fault.members.join(", ")}: ${seconds(fault.fromMs)} to ${seconds(fault.untilMs)}${fault.notes.length ? `. ${fault.notes.join("; ")}` : ""}`,
		});
	}
	for (const name of faultNames) label(name, at.faultsTop + laneTops.get(name) * LANE + LANE / 2);
	label("leader", LEADERS / 2);
	for (const tenure of data.tenures) {
		const [a, b] = clip(tenure.fromMs, tenure.untilMs);
		if (b < a) continue;
		pen.fillStyle = colorOf(tenure.member);
		pen.fillRect(a, 2, Math.max(2, b - a), LEADERS - 4);
		const words = [`${tenure.member} · term ${tenure.term}`, tenure.member].find((text) => pen.measureText(text).width + 12 <= b - a);
		if (words) {
			pen.fillStyle = "#fff";
			pen.fillText(words, a + 6, LEADERS / 2);
		}
		boxes.push({
			a,
			b: Math.max(b, a + 3),
			y: 0,
			h: LEADERS,
			text: `${tenure.member} leads term ${tenure.term}: ${seconds(tenure.fromMs)} to ${seconds(tenure.untilMs)}`,
		});
	}
	const { widthMs, ok, failed, p50Ms, p99Ms } = data.buckets;
	const visible = ok.map((_, i) => i).filter((i) => (i + 1) * widthMs > from && i * widthMs < until);
	const perSecond = 1000 / widthMs,
		top = Math.max(1, ...visible.map((i) => ok[i] + failed[i])) * perSecond;
	pen.strokeStyle = line;
	pen.strokeRect(LEFT, at.rateTop, plot, RATE);
	label(`${Math.round(top)}/s`, at.rateTop + 6);
	label("0", at.rateTop + RATE - 4);
	for (const i of visible) {
		const [a, b] = clip(i * widthMs, (i + 1) * widthMs),
			h = ((ok[i] * perSecond) / top) * RATE,
			bad = ((failed[i] * perSecond) / top) * RATE;
		pen.fillStyle = css("--accent");
		pen.fillRect(a, at.rateTop + RATE - h, Math.max(1, b - a), h);
		pen.fillStyle = css("--bad");
		pen.fillRect(a, at.rateTop + RATE - h - bad, Math.max(1, b - a), bad);
	}
	const high = Math.max(10, ...visible.map((i) => p99Ms[i])),
		low = 0.1,
		scale = (ms) => at.latencyTop + LATENCY - (Math.log(Math.max(ms, low) / low) / Math.log(high / low)) * LATENCY;
	pen.strokeRect(LEFT, at.latencyTop, plot, LATENCY);
	for (let tick = 1; tick <= high; tick *= 10) {
		label(`${tick} ms`, scale(tick));
		pen.strokeStyle = line;
		pen.beginPath();
		pen.moveTo(LEFT, scale(tick));
		pen.lineTo(LEFT + plot, scale(tick));
		pen.stroke();
	}
	for (const [values, color] of [
		[p99Ms, css("--hm")],
		[p50Ms, css("--accent")],
	]) {
		pen.strokeStyle = color;
		pen.lineWidth = 1.5;
		pen.beginPath();
		let pending = true;
		for (const i of visible) {
			if (ok[i] === 0) {
				pending = true;
				continue;
			}
			const px = Math.min(LEFT + plot, Math.max(LEFT, x((i + 0.5) * widthMs))),
				py = scale(values[i]);
			if (pending) pen.moveTo(px, py);
			else pen.lineTo(px, py);
			pending = false;
		}
		pen.stroke();
		pen.lineWidth = 1;
	}
	const inView = [];
	for (let i = 0; i < callCount && inView.length <= CALLS_SHOWN; i++) {
		const one = call(i);
		if (one.from < until && one.from + Math.max(one.took, 0) >= from) inView.push(one);
	}
	pen.strokeStyle = line;
	pen.strokeRect(LEFT, at.callsTop, plot, CALLS);
	if (inView.length > CALLS_SHOWN) {
		pen.fillStyle = dim;
		pen.fillText(`more than ${CALLS_SHOWN} calls in view: look closer to see each`, LEFT + 12, at.callsTop + CALLS / 2, plot - 24);
	} else {
		const clients = Math.max(1, ...inView.map((one) => one.client)) + 1,
			lane = CALLS / clients;
		label("client 0", at.callsTop + Math.max(7, lane / 2));
		label(String(clients - 1), at.callsTop + CALLS - Math.max(7, lane / 2));
		for (const one of inView) {
			const [a, b] = clip(one.from, one.from + one.took),
				y = at.callsTop + one.client * lane;
			pen.fillStyle =
				one.outcome === 0 ? (one.kind === "range" ? css("--ok") : css("--accent")) : one.outcome === 1 ? css("--hm") : css("--bad");
			pen.fillRect(a, y + lane * 0.15, Math.max(1.5, b - a), Math.max(1.5, lane * 0.7));
			boxes.push({
				a,
				b: Math.max(b, a + 3),
				y,
				h: lane,
				text: `client ${one.client}: ${one.kind}${one.subject ? ` ${one.subject}` : ""}, ${OUTCOMES[one.outcome]}${one.outcome === 0 ? ` at revision ${one.revision}` : ""}, ${one.from.toFixed(2)} ms${one.outcome === 2 ? `, given up after ${one.took.toFixed(2)} ms` : `, took ${one.took.toFixed(2)} ms`}`,
			});
		}
	}
	pen.fillStyle = dim;
	pen.textAlign = "center";
	const tick = roundStep((until - from) / 8);
	let free = 0;
	for (let ms = Math.ceil(from / tick) * tick; ms <= until; ms += tick) {
		const text = tick < 1 ? `${ms.toFixed(1)} ms` : tick < 1000 ? `${ms.toFixed(0)} ms` : `${ms / 1000} s`,
			half = pen.measureText(text).width / 2;
		pen.fillRect(x(ms), at.callsTop + CALLS, 1, 5);
		// Of a narrow picture not every mark has its time beside it.
		if (x(ms) - half < free || x(ms) + half > width) continue;
		pen.fillText(text, x(ms), at.height - 12);
		free = x(ms) + half + TICK_GAP;
	}
	pen.textAlign = "left";
	if (drag) {
		pen.fillStyle = `${css("--accent")}33`;
		pen.fillRect(Math.min(drag.a, drag.b), 0, Math.abs(drag.b - drag.a), at.height - 24);
	}
	byId("window").textContent = `${seconds(from)} to ${seconds(until)}`;
}
// What the colours mean
const legend = byId("legend");
for (const [what, colors] of [
	[
		"Leaders and faults: ",
		[...memberNames.map((name) => [colorOf(name), name]), [css("--bad"), "several members"], [`${css("--bad")}40`, "under a fault"]],
	],
	[
		"Calls: ",
		[
			[css("--accent"), "writes; calls a second; median"],
			[css("--ok"), "reads"],
			[css("--hm"), "refused; 99th percentile"],
			[css("--bad"), "without an answer"],
		],
	],
]) {
	const line = element("p", what, legend);
	for (const [color, text] of colors) {
		const item = element("span", undefined, line);
		element("i", undefined, item).style.background = color;
		item.append(text);
	}
}
const timeAt = (px) => from + ((px - LEFT) / (canvas.clientWidth - LEFT - 10)) * (until - from);
const look = (a, b) => {
	from = Math.max(0, Math.min(a, b));
	until = Math.min(data.durationMs, Math.max(a, b));
	if (until - from < 1) until = from + 1;
	draw();
};
canvas.addEventListener("mousedown", (e) => {
	drag = { a: e.offsetX, b: e.offsetX };
});
canvas.addEventListener("mousemove", (e) => {
	if (drag) {
		drag.b = e.offsetX;
		draw();
		return;
	}
	const box = boxes.findLast((one) => e.offsetX >= one.a - 1 && e.offsetX <= one.b + 1 && e.offsetY >= one.y && e.offsetY <= one.y + one.h);
	tip.style.display = box ? "block" : "none";
	if (box) {
		tip.textContent = box.text;
		tip.style.left = `${Math.max(0, Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 4))}px`;
		tip.style.top = `${e.clientY + 14}px`;
	}
});
canvas.addEventListener("mouseleave", () => {
	tip.style.display = "none";
});
addEventListener("mouseup", () => {
	if (!drag) return;
	const { a, b } = drag;
	drag = null;
	if (Math.abs(b - a) > 4) look(timeAt(a), timeAt(b));
	else draw();
});
canvas.addEventListener("dblclick", () => look(0, data.durationMs));
byId("whole").addEventListener("click", () => look(0, data.durationMs));
addEventListener("resize", draw);

// Tables
function table(parent, heads, rows, pick) {
	const made = element("table", undefined, parent),
		head = element("tr", undefined, element("thead", undefined, made));
	for (const [text, numeric] of heads) element("th", text, head, numeric ? "n" : "");
	const body = element("tbody", undefined, made);
	for (const row of rows) {
		const tr = element("tr", undefined, body, pick ? "pick" : "");
		for (const [i, cell] of row.cells.entries()) {
			const td = element("td", typeof cell === "string" ? cell : undefined, tr, heads[i][1] ? "n" : "");
			if (typeof cell !== "string") td.append(cell);
		}
		if (pick)
			tr.addEventListener("click", () => {
				pick(row);
				canvas.scrollIntoView({ behavior: "smooth", block: "center" });
			});
	}
}
const SVG = "http://www.w3.org/2000/svg";
function drawing(name, attributes, parent, title) {
	const made = document.createElementNS(SVG, name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
	if (title) made.append(Object.assign(document.createElementNS(SVG, "title"), { textContent: title }));
	if (parent) parent.append(made);
	return made;
}
/** One change of leader as a line of time, and as words to unfold. */
function stepsOf(f) {
	const made = element("div"),
		since = (ms) => `${ms < 0 ? "\u2212" : "+"}${Math.abs(ms).toFixed(0)} ms`;
	const words = [
		{ atMs: f.lastWriteMs, text: "last write acknowledged before" },
		...f.steps.map(({ atMs, member, what }) => ({ atMs, member, text: `${member} ${what}` })),
		{ atMs: f.nextWriteMs, text: `first write acknowledged after; ${f.waited} calls waited` },
	].sort((a, b) => a.atMs - b.atMs);
	const first = words[0].atMs,
		width = Math.max(1, words.at(-1).atMs - first),
		x = (ms) => 1 + ((ms - first) / width) * 98;
	const line = drawing("svg", { class: "steps", viewBox: "0 0 100 14", preserveAspectRatio: "none" }, made);
	drawing(
		"rect",
		{ x: x(f.lastWriteMs), y: 5, width: x(f.nextWriteMs) - x(f.lastWriteMs), height: 4, fill: "var(--bad)", opacity: 0.35 },
		line,
	);
	for (const { atMs, member, text } of words)
		drawing(
			"rect",
			{ x: x(atMs) - 0.3, y: 1, width: 0.6, height: 12, fill: member ? colorOf(member) : "var(--ink)" },
			line,
			`${since(atMs - f.lastWriteMs)} ${text}`,
		);
	element("p", f.stages.map(({ stage, atMs }) => `${stage} ${since(atMs - f.lastWriteMs)}`).join(" \u00b7 "), made, "step");
	const folded = element("details", undefined, made);
	element("summary", `${words.length} steps`, folded);
	folded.addEventListener("click", (e) => e.stopPropagation());
	for (const { atMs, text } of words) element("p", `${since(atMs - f.lastWriteMs)} ${text}`, folded, "step");
	return made;
}
/** All changes of leader by what they cost: a row for each cause, a dot for each change. */
function distribution(parent) {
	const causes = data.costsByCause,
		costs = data.failovers.map((f) => f.costMs);
	const low = 10 ** Math.floor(Math.log10(Math.max(1, Math.min(...costs)))),
		high = Math.max(low * 10, 10 ** Math.ceil(Math.log10(Math.max(...costs)))),
		x = (ms) => 130 + (Math.log(Math.max(ms, low) / low) / Math.log(high / low)) * 850,
		height = causes.length * 22 + 26;
	const made = drawing("svg", { class: "costs", viewBox: `0 0 1000 ${height}` }, parent);
	for (let ms = low; ms <= high; ms *= 10) {
		drawing("line", { x1: x(ms), x2: x(ms), y1: 0, y2: height - 20, stroke: "var(--line)" }, made);
		drawing("text", { x: x(ms), y: height - 5, "text-anchor": "middle" }, made).textContent = ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
	}
	for (const [row, { cause, p50Ms }] of causes.entries()) {
		const y = row * 22 + 11;
		drawing("text", { x: 120, y: y + 4, "text-anchor": "end" }, made).textContent = cause;
		drawing(
			"line",
			{ x1: x(p50Ms), x2: x(p50Ms), y1: y - 9, y2: y + 9, stroke: "var(--ink)", "stroke-width": 2 },
			made,
			`median ${p50Ms.toFixed(0)} ms`,
		);
		for (const f of data.failovers)
			if (f.cause === cause)
				drawing(
					"circle",
					{ cx: x(f.costMs), cy: y, r: 5, fill: "var(--accent)", opacity: 0.6 },
					made,
					`term ${f.term}, ${f.from} to ${f.to}: ${f.costMs.toFixed(0)} ms`,
				);
	}
}
const failovers = byId("failovers");
if (data.failovers.length === 0) element("p", "There was none.", failovers, "dim");
else {
	const { count, p50Ms, p99Ms, longestMs } = data.failoverCosts;
	element(
		"p",
		`${count} change${count === 1 ? "" : "s"}. Time without an acknowledged write: median ${p50Ms.toFixed(0)} ms, 99th percentile ${p99Ms.toFixed(0)} ms, longest ${longestMs.toFixed(0)} ms.`,
		failovers,
	);
	if (data.costsByCause.length > 1)
		for (const those of data.costsByCause)
			element(
				"p",
				`After ${those.cause}: ${those.count}, median ${those.p50Ms.toFixed(0)} ms, 99th percentile ${those.p99Ms.toFixed(0)} ms, longest ${those.longestMs.toFixed(0)} ms.`,
				failovers,
				"dim",
			);
	distribution(failovers);
	table(
		failovers,
		[
			["term", true],
			["from", false],
			["to", false],
			["after", false],
			["at", true],
			["no write for", true],
			["waited", true],
			["failed", true],
			["what the members say", false],
		],
		data.failovers.map((f) => ({
			f,
			cells: [
				String(f.term),
				f.from,
				f.to,
				f.cause,
				seconds(f.lastWriteMs),
				`${f.costMs.toFixed(0)} ms`,
				String(f.waited),
				String(f.failed),
				stepsOf(f),
			],
		})),
		({ f }) => look(f.lastWriteMs - Math.max(200, f.costMs), f.nextWriteMs + Math.max(200, f.costMs)),
	);
}
const faults = byId("faults");
if (data.faults.length === 0) element("p", "None was struck.", faults, "dim");
else
	table(
		faults,
		[
			["fault", false],
			["members", false],
			["from", true],
			["until", true],
			["notes", false],
		],
		data.faults.map((f) => ({ f, cells: [f.fault, f.members.join(", "), seconds(f.fromMs), seconds(f.untilMs), f.notes.join("; ")] })),
		({ f }) => look(f.fromMs - 500, f.untilMs + 500),
	);
draw();
document.documentElement.dataset.drawn = "yes";
