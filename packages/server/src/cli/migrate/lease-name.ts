/** A lease's id as etcdctl writes it: sixteen digits, so that what is told of it is found in what etcdctl told. */
export function leaseName(id: bigint): string {
	return id <= 0n ? id.toString(16) : id.toString(16).padStart(16, "0");
}
