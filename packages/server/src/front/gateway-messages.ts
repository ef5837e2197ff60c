/** Texts of the objects that stand one after another in a request's body. What is no object ends up in a piece that JSON refuses. */
export function splitJson(text: string): string[] {
	const pieces: string[] = [];
	let start = 0;
	let depth = 0;
	let inString = false;
	for (let at = 0; at < text.length; at++) {
		const letter = text[at];
		if (inString) {
			if (letter === "\\") at++;
			else if (letter === '"') inString = false;
		} else if (letter === '"') {
			inString = true;
		} else if (letter === "{") {
			depth++;
		} else if (letter === "}" && --depth === 0) {
			pieces.push(text.slice(start, at + 1));
			start = at + 1;
		}
	}
	if (text.slice(start).trim() !== "") pieces.push(text.slice(start));
	return pieces;
}
