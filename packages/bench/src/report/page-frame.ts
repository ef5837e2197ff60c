/** The frame of every page: one file with its style in it, readable in light and in dark, with the figures as JSON at its end. */
import { escapeHtml } from "./chart.ts";

const STYLE = `
:root { color-scheme: light dark; --text: #1c2330; --soft: #5d6675; --line: #d8dde5; --shade: #eef1f5; --page: #fff; --card: #f8f9fb;
	--c0: #2463c9; --c1: #1f8a5b; --c2: #c27a12; --c3: #b3323e; --c4: #7a4fc0; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ef; --soft: #9aa4b3; --line: #333b47; --shade: #20262f; --page: #14181e; --card: #1a1f27;
	--c0: #6ea0f5; --c1: #57c795; --c2: #e7ab55; --c3: #ee7a84; --c4: #b394ee; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1040px; padding: 24px 20px 60px; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 2px; } h2 { font-size: 17px; margin: 32px 0 8px; } p { margin: 6px 0; color: var(--soft); }
figure { margin: 14px 0; padding: 12px 14px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
figcaption { font-weight: 600; margin-bottom: 6px; } .key { font-weight: 400; color: var(--soft); margin-left: 16px; white-space: nowrap; }
.key i { display: inline-block; width: 18px; height: 3px; margin-right: 6px; vertical-align: middle; background: currentColor; }
svg { width: 100%; height: auto; display: block; } .grid { stroke: var(--line); } .shade { fill: var(--shade); }
.tick, .note { font: 12px system-ui, sans-serif; fill: var(--soft); } .note { fill: var(--text); font-weight: 600; }
.line { fill: none; stroke-width: 2; stroke: currentColor; stroke-linejoin: round; } .dot { fill: currentColor; } .highlight { fill: none; stroke: var(--text); stroke-width: 2; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); } .c4 { color: var(--c4); }
.event { stroke: var(--c3); stroke-dasharray: 3 3; } .part { stroke: var(--line); stroke-width: 2; } .catch { stroke: transparent; stroke-width: 12; }
table { border-collapse: collapse; width: 100%; } th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); text-align: right; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; } th:first-child, td:first-child, td.words { text-align: left; } .scroll { overflow-x: auto; }
.bar { display: inline-block; height: 10px; background: var(--c0); border-radius: 2px; } .bad { color: var(--c3); font-weight: 600; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 16px 0; } dl div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; }
dt { color: var(--soft); font-size: 13px; } dd { margin: 0; font-size: 19px; font-weight: 600; font-variant-numeric: tabular-nums; }
`;

export function page(title: string, body: string, data: object): string {
	// A closing tag inside of the data would end it.
	const json = JSON.stringify(data).replaceAll("<", "\\u003c");
	return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeHtml(title)}</h1>
${body}
<script type="application/json" id="data">${json}</script>
</body></html>
`;
}

export function figures(pairs: ReadonlyArray<readonly [name: string, value: string]>): string {
	return `<dl>${pairs.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join("")}</dl>`;
}

/** Cells are HTML. */
export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
	const line = (cells: readonly string[], tag: "th" | "td"): string =>
		`<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
	return `<div class="scroll"><table>${line(head, "th")}${rows.map((row) => line(row, "td")).join("")}</table></div>`;
}
