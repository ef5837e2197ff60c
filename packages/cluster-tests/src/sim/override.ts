/** `target` with some of its members replaced: how bugs are planted in what was made without a switch for them. */
export function override<T extends object>(target: T, replaced: Partial<T>): T {
	return new Proxy(target, {
		get(of, name) {
			const substitute: unknown = Reflect.get(replaced, name);
			if (substitute !== undefined) return substitute;
			const value: unknown = Reflect.get(of, name, of);
			return typeof value === "function" ? value.bind(of) : value;
		},
	});
}
