/** What a page of ours draws on its canvas, as numbers: the browser's pen writes down what it is told. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { browse } from "./browser.ts";

export interface DrawnText {
	readonly text: string;
	/** Its left and right end, and its middle from above. */
	readonly left: number;
	readonly right: number;
	readonly y: number;
}

export interface DrawnBox {
	readonly left: number;
	readonly right: number;
	readonly top: number;
	readonly bottom: number;
	readonly color: string;
}

export interface DrawnPage {
	readonly texts: readonly DrawnText[];
	readonly boxes: readonly DrawnBox[];
	/** Of the window, of all that is in it, and of the canvas. */
	readonly width: number;
	readonly contentWidth: number;
	readonly canvasWidth: number;
	/** Where the words beside the pointer were when it stood at the canvas's right end, and what they said there. */
	readonly tip: { readonly left: number; readonly right: number; readonly text: string };
}

/** Only the last picture counts: a page may draw more than once. */
const PEN = `
const drawn = { texts: [], boxes: [] };
{
	const pen = CanvasRenderingContext2D.prototype;
	const { fillText, fillRect } = pen;
	Object.defineProperty(HTMLCanvasElement.prototype, "width", {
		get() { return Number(this.getAttribute("width")); },
		set(value) { drawn.texts = []; drawn.boxes = []; this.setAttribute("width", value); },
	});
	pen.fillText = function (text, x, y, ...most) {
		const width = Math.min(this.measureText(text).width, most[0] ?? Infinity);
		const left = x - { left: 0, center: width / 2, right: width }[this.textAlign];
		drawn.texts.push({ text, left, right: left + width, y });
		fillText.call(this, text, x, y, ...most);
	};
	pen.fillRect = function (x, y, width, height) {
		drawn.boxes.push({ left: x, right: x + width, top: y, bottom: y + height, color: this.fillStyle });
		fillRect.call(this, x, y, width, height);
	};
}
addEventListener("load", () => {
	const canvas = document.querySelector("canvas"), box = canvas.getBoundingClientRect(), tip = document.getElementById("tip");
	const at = drawn.boxes.findLast((one) => one.top < 40 && one.right > one.left);
	canvas.dispatchEvent(new MouseEvent("mousemove", { clientX: box.left + at.right - 1, clientY: box.top + (at.top + at.bottom) / 2 }));
	const { left, right } = tip.getBoundingClientRect();
	const width = innerWidth, contentWidth = document.documentElement.scrollWidth, canvasWidth = canvas.clientWidth;
	const pre = top.document.createElement("pre");
	pre.id = "drawn";
	pre.textContent = JSON.stringify({ ...drawn, width, contentWidth, canvasWidth, tip: { left, right, text: tip.textContent } });
	top.document.body.append(pre);
});
`;

/** The page in a window of this width: a frame, since the browser's own windows are never narrower than 500. */
export async function drawnPage(folder: string, page: string, widthPx: number): Promise<DrawnPage> {
	const watched = page.replace("<script>", `<script>${PEN}</script><script>`);
	const quoted = watched.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
	const outer = join(folder, `frame-${widthPx}.html`);
	await writeFile(
		outer,
		`<!doctype html><meta charset="utf-8"><body><iframe width="${widthPx}" height="1200" style="border:0" srcdoc="${quoted}"></iframe></body>`,
	);
	const dom = await browse(outer, "--dump-dom");
	const text = /<pre id="drawn">([^<]*)<\/pre>/.exec(dom)?.[1];
	if (text === undefined) throw new Error("the page drew nothing");
	return JSON.parse(text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&")) as DrawnPage;
}
