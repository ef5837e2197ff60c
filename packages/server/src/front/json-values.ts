/**
 * What a JSON text costs before it is built: its values, by their brackets and commas. A text of a megabyte may hold a million of them,
 * each of which becomes an object of some hundred bytes, and all that while nobody else is served.
 */

/** More than `most`? Strings are stepped over, so that a large value costs next to nothing. What is no JSON is counted all the same. */
export function hasMoreValues(text: string, most: number): boolean {
	// Two letters a value are the least.
	if (text.length <= most) return false;
	let count = 0;
	for (let at = 0; at < text.length; at++) {
		switch (text.charCodeAt(at)) {
			case QUOTE:
				at = endOfString(text, at);
				break;
			case COMMA:
			case BRACKET:
			case BRACE:
				if (++count > most) return true;
		}
	}
	return false;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;

/** Place of the quote that ends the string which begins at `at`; the end of the text where there is none. */
function endOfString(text: string, at: number): number {
	for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
		let backslashes = 0;
		while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
		if (backslashes % 2 === 0) return end;
	}
	return text.length;
}
